"""What `--overwrite` takes away: a folder of the same kind that holds nothing else and that the run does not need."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import verify
from curate.errors import UpToDate, UsageError
from curate.folder import DatasetFolder, FolderWriter, folder_input
from curate.manifest import Manifest
from curate.replace import unlisted

NUMBERS = pa.schema([("n", pa.int64())])


def write(out: Path, *sources: Path, kind: str = "numbers", overwrite: bool = False, reads: Any = (), **settings: Any):
    inputs = [folder_input(DatasetFolder.open(source)) for source in sources]
    manifest = Manifest(kind=kind, command=kind, settings=settings, inputs=inputs)
    with FolderWriter(out, manifest, overwrite=overwrite, reads=[*sources, *reads]) as writer:
        writer.table("numbers", NUMBERS).write([{"n": 1}])
        writer.add_file("report.md", b"text")
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(out: Path, says: str, *sources: Path, **given: Any) -> None:
    before = files(out.parent)
    for overwrite in (True, False):
        with pytest.raises(UsageError, match=says):
            write(out, *sources, overwrite=overwrite, again=1, **given)
    assert files(out.parent) == before


def test_what_the_manifest_does_not_list_is_never_lost(tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    (out / "diary.txt").write_text("dear diary")
    refused(out, "holds diary.txt, which its manifest does not list.*move that away, or choose another --out")
    (out / "diary.txt").rename(out / ".hidden")
    (out / "empty").mkdir()
    refused(out, "holds .hidden and 1 more")
    (out / ".hidden").unlink()
    (out / "empty").rmdir()
    write(out, overwrite=True, again=1)


def test_a_folder_inside_is_never_lost(tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    write(out / "nested", out, kind="more")
    refused(out, "holds nested, which its manifest does not list")
    refused(out, "is read by this run and would be lost", out / "nested")
    (out / "report.md").unlink()
    (out / "report.md").mkdir()
    (out / "report.md" / "mine").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (out / "nested").rename(tmp_path / "elsewhere" / "nested")
    refused(out, "holds report.md, which")


def test_an_input_inside_is_never_lost(tmp_path: Path, run: Any, make_chat: Any, jsonl: Any) -> None:
    out = tmp_path / "out"
    assert run(jsonl([make_chat(n) for n in range(3)]), "--out", out) == 0
    shutil.copy(tmp_path / "traces.jsonl", out / "raw.jsonl")
    (tmp_path / "link.jsonl").symlink_to(out / "raw.jsonl")
    for path in (out / "raw.jsonl", tmp_path / "link.jsonl", out / "trajectories-00000.parquet"):
        before = files(tmp_path)
        assert run(path, "--source", "other", "--out", out, "--overwrite") == 2
        assert files(tmp_path) == before
    assert run(out / "raw.jsonl", "--source", "traces", "--out", out) == 0  # up to date, whatever lies beside


def test_unfinished_work_is_no_place_for_inputs(tmp_path: Path) -> None:
    for name in (".out.partial", "out.journal", ".out.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "raw.json").write_text("[]")
        with pytest.raises(UsageError, match=r"raw\.json lies where|holds other files"):
            write(tmp_path / "out", reads=[tmp_path / name / "raw.json"])
        assert (tmp_path / name / "raw.json").exists()


def test_what_the_inputs_were_made_from_is_never_lost(tmp_path: Path) -> None:
    first = write(tmp_path / "first")
    second = write(tmp_path / "second", first)
    third = write(tmp_path / "third", second)
    refused(first, "what the inputs of this run were made from", third)
    refused(second, "what the inputs of this run were made from", third)
    refused(third, "is an input of this run", third)
    write(second, first, overwrite=True, again=1)  # the third is made from it, but this run is not


def test_only_the_same_kind_is_replaced(tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    refused(out, "is a folder of kind 'numbers', which one of kind 'audit' never replaces", kind="audit")


def test_files_that_came_while_the_command_ran_are_not_lost(tmp_path: Path) -> None:
    manifest = Manifest(kind="numbers", command="numbers", settings={}, inputs=[])
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="not a dataset folder"), FolderWriter(out, manifest):
        out.mkdir()
        (out / "diary.txt").write_text("dear diary")
    assert files(tmp_path) == {"out/diary.txt": b"dear diary"}


def test_changed_content_may_be_replaced(tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    (out / "report.md").write_text("my own words")
    (out / "numbers-00000.parquet").unlink()
    write(out, overwrite=True)
    assert DatasetFolder.open(out).problems() == []


def test_verify_names_what_the_manifest_does_not_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write(tmp_path / "out")
    (out / "diary.txt").write_text("dear diary")
    assert verify.main([str(out)]) == 0
    assert "also holds diary.txt, which its manifest does not list" in capsys.readouterr().out
    with pytest.raises(UpToDate):
        write(out)


NAMES = st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=3).map("/".join)


@given(st.sets(NAMES, max_size=6), st.sets(NAMES, max_size=6))
def test_every_file_is_listed_or_lies_in_what_is_named(
    tmp_path_factory: pytest.TempPathFactory, listed: set[str], there: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in sorted(there):
        if not any((folder / parent).is_file() for parent in Path(name).parents) and not (folder / name).is_dir():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("")
    manifest = Manifest("numbers", "numbers", {}, [], files=dict.fromkeys(listed, ""))
    (folder / "manifest.json").write_bytes(manifest.dump())
    named = unlisted(folder)
    for name in files(folder).keys() - {"manifest.json"}:
        covered = any(name == other or name.startswith(f"{other}/") for other in named)
        assert covered == (name not in listed)
    shutil.rmtree(folder)


def test_a_folders_name_says_nothing(tmp_path: Path, command: Callable[..., int]) -> None:
    first = write(tmp_path / "first")
    shutil.copytree(first, tmp_path / "renamed")
    one, two = write(tmp_path / "one", first), write(tmp_path / "two", tmp_path / "renamed")
    assert files(one) == files(two)
    with pytest.raises(UpToDate):
        write(one, tmp_path / "renamed")
