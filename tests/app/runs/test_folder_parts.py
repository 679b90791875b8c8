"""What a folder says of itself: funnel, lineage, report."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.runs import files
from app.runs.funnels import figures, funnel, sources, stages
from app.runs.lineage import MAX_LINES, told_of_training, tree
from app.runs.reports import Heading, Paragraph, Table, parts
from app.runs.tables import read_table
from curate.errors import FolderError
from curate.folder import DatasetFolder
from curate.report import Report
from tests.app.comparing.made import row
from tests.app.runs.written import write_folder

COUNTS = {
    "records": 100,
    "kept": 88,
    "funnel": [
        {"step": "filter", "reason": "unparsed_arguments", "rejected": 2, "left": 98},
        {"step": "dedup", "reason": "near_duplicate", "rejected": 10, "left": 88},
    ],
    "sources": {"desk": {"format": "openai_chat", "sure": 0.9, "files": 1, "records": 100, "kept": 88}},
}


def test_the_funnel_leads_from_the_records_to_what_is_kept():
    found = funnel(COUNTS)
    assert found["left"].to_list() == [100, 98, 88, 88]
    bars = stages(found)
    assert bars.filter(pl.col("part") == "rejected")["stage"].to_list() == ["unparsed arguments", "near duplicate"]
    assert sources(COUNTS).rows() == [("desk", "openai_chat", 1, 100, 88)]


@pytest.mark.parametrize(
    "counts", [{}, {"records": "x", "funnel": []}, {"records": 1, "funnel": [3, {}]}, {"sources": 4}]
)
def test_counts_of_another_shape_give_no_funnel_and_no_fault(counts):
    assert stages(funnel(counts)).height <= 1 and sources(counts).is_empty()


def test_figures_stand_under_their_path():
    assert figures({"summary": {"mean_reward": 0.5}, "x": True, "name": "n", "calls": 3}).rows() == [
        ("summary / mean reward", 0.5),
        ("calls", 3.0),
    ]


def test_lineage_is_a_tree_down_to_the_files():
    raw = {"kind": "file", "name": "desk", "bytes": 1_000, "sha256": "f" * 64, "env": "desk", "format": "openai_chat"}
    curated = {"kind": "curated", "command": "curate", "manifest_sha256": "c" * 64, "inputs": [raw, raw]}
    told = {"kind": "augmented", "command": "synth.augment", "manifest_sha256": "a" * 64, "inputs": [curated]}
    assert tree(told) == [
        f"augmented, made by synth.augment, {'a' * 12}",
        f"└─ curated, made by curate, {'c' * 12}",
        f"   ├─ desk, 1,000 bytes, openai_chat, desk, {'f' * 12}",
        f"   └─ desk, 1,000 bytes, openai_chat, desk, {'f' * 12}",
    ]


def test_a_model_is_the_root_of_its_lineage():
    training = {"identity": "1" * 64, "made_from": {"command": "train.grpo", "inputs": [{"kind": "cache"}]}}
    assert tree(told_of_training(training)) == [f"model, made by train.grpo, {'1' * 12}", "└─ cache"]
    assert tree(told_of_training({"made_from": 3})) == ["model"]


def test_a_lineage_without_end_is_cut():
    loop = {"kind": "curated", "inputs": []}
    loop["inputs"] = [loop, loop, {"kind": "file", "name": "a\nb"}, 7]
    found = tree(loop)
    assert len(found) == MAX_LINES + 1 and all("\n" not in line for line in found)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=20)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_report_reads_as_it_was_written(heading, text, header, cell):
    made = Report("Title")
    made.heading("Section " + heading)
    made.text("It says: " + text)
    made.table("Caption", [header, "n"], [[cell, 1], ["-", 2]])
    found = parts(made.markdown())
    assert found[:3] == [Heading(1, "Title"), Heading(2, "Section " + heading), Paragraph("It says: " + text)]
    assert isinstance(found[3], Table) and found[3].caption == "Caption"
    assert found[3].frame.rows() == [(cell, "1"), ("-", "2")] and found[3].frame.columns[0] == header


@pytest.mark.parametrize(
    "hostile", ["|" * 1_000_000, "\\" * 1_000_000, "| \\| \n" * 200_000, "**" * 500_000, "\n" * 10**6]
)
def test_any_markdown_becomes_text(hostile):
    assert isinstance(parts(hostile), list)


def test_files_are_read_inside_the_folder_alone(tmp_path):
    (tmp_path / "secret.md").write_text("secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "report.md").symlink_to(tmp_path / "secret.md")
    assert files.read_text(folder, "report.md") is None and files.read_text(folder, "../secret.md") is None
    (folder / "training.json").write_text("[1]")
    assert files.read_json(folder, "training.json") == {} == files.read_json(folder, "none.json")


def test_a_table_is_read_with_the_columns_that_are_wanted(tmp_path):
    folder = DatasetFolder.open(write_folder(tmp_path / "data", "curated", [row("a"), row("b")]))
    found = read_table(folder.path, folder.manifest, "trajectories", ["trajectory_id"])
    assert found.rows() == [("a",), ("b",)]
    assert read_table(folder.path, folder.manifest, "audit", ["p"]) is None
    assert read_table(folder.path, folder.manifest, "trajectories", ["p"]) is None
    next(folder.path.glob("trajectories-*.parquet")).unlink()
    with pytest.raises(FolderError, match="is missing"):
        read_table(folder.path, folder.manifest, "trajectories", ["trajectory_id"])
