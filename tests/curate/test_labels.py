from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import lineage
from curate.errors import UsageError
from curate.folder import DatasetFolder
from curate.labels import LabelRules, Labels, Opinion

SCHEMA = pa.schema(
    [
        ("trajectory_id", pa.string()),
        ("content_hash", pa.string()),
        ("message_index", pa.int32()),
        ("annotator", pa.string()),
        ("verdict", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("note", pa.string()),
        ("action", pa.string()),
    ]
)
KNOWN = {"schema": {"verdicts": [{"name": n} for n in ("good", "bad", "unsure")], "tags": [{"name": "wrong_tool"}]}}


def label(row: dict[str, Any], verdict: str | None, who: str = "ann", **more: Any) -> dict[str, Any]:
    said = {"trajectory_id": row["trajectory_id"], "content_hash": row["content_hash"], "message_index": None}
    return said | {"annotator": who, "verdict": verdict, "tags": [], "note": "", "action": "label"} | more


def write(path: Path, labels: list[dict[str, Any]]) -> Path:
    metadata = {"cacherl.labels": json.dumps(KNOWN)}
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(labels, SCHEMA).replace_schema_metadata(metadata), path)
    return path


def kept(out: Path) -> list[dict[str, Any]]:
    return list(DatasetFolder.open(out).rows("trajectories"))


def rejects(out: Path) -> list[dict[str, Any]]:
    return [row for row in DatasetFolder.open(out).rows("rejects") if row["reject_step"] == "labels"]


def figures(out: Path) -> dict[str, int]:
    return dict(DatasetFolder.open(out).manifest.counts["labels"])


@pytest.fixture
def again(
    tmp_path: Path, jsonl: Callable[..., Path], make_chat: Callable[..., Any], run: Callable[..., int]
) -> Callable[..., Path]:
    """Curates six chats with labels: `again(labels_of(rows), "--drop-labels", "bad")`."""
    source = jsonl([make_chat(number) for number in range(6)])
    assert run(source, "--out", tmp_path / "first", "--no-near") == 0
    rows = kept(tmp_path / "first")

    def curate(labels: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], *flags: object) -> Path:
        path = write(tmp_path / "labels" / "labels.parquet", labels(rows))
        out = tmp_path / "out"
        assert run(source, "--out", out, "--no-near", "--labels", path.parent, *flags, "--overwrite") == 0
        return out

    return curate


def numbers(rows: list[dict[str, Any]]) -> list[int]:
    return [row["source_row"] for row in rows]


def test_bad_ones_go_with_verdict_and_votes(again) -> None:
    out = again(
        lambda rows: (
            [label(rows[1], "bad", who) for who in "ab"] + [label(rows[1], "good", "c"), label(rows[2], "good")]
        ),
        *("--drop-labels", "bad"),
    )
    assert numbers(kept(out)) == [0, 2, 3, 4, 5]
    (gone,) = rejects(out)
    assert (gone["reject_reason"], gone["reject_detail"]) == ("labelled_bad", "2 bad, 1 good")
    funnel = DatasetFolder.open(out).manifest.counts["funnel"]
    assert {"step": "labels", "reason": "labelled_bad", "rejected": 1, "left": 5} in funnel
    assert "What labels did" in (out / "report.md").read_text()


def test_good_ones_alone_stay(again) -> None:
    out = again(
        lambda rows: [label(rows[0], "good"), label(rows[1], "unsure"), label(rows[2], "bad"), label(rows[3], None)],
        *("--keep-labels", "good", "--drop-labels", "bad"),
    )
    assert numbers(kept(out)) == [0]
    reasons = {row["source_row"]: row["reject_reason"] for row in rejects(out)}
    assert reasons == {
        1: "not_labelled_good",
        2: "labelled_bad",
        3: "not_labelled_good",
        4: "unlabelled",
        5: "unlabelled",
    }


@pytest.mark.parametrize(("votes", "gone"), [("majority", [1, 3]), ("any", [1, 2, 3, 4]), ("all", [3])])
def test_votes_of_several_annotators(again, votes: str, gone: list[int]) -> None:
    def labels(rows):
        said = {1: "bad bad good", 2: "bad good", 3: "bad bad", 4: "bad good good", 5: "good"}
        return [
            label(rows[number], verdict, f"a{place}")
            for number, verdicts in said.items()
            for place, verdict in enumerate(verdicts.split())
        ]

    out = again(labels, "--drop-labels", "bad", "--label-votes", votes)
    assert numbers(rejects(out)) == gone


def test_an_adjudication_wins(again) -> None:
    out = again(
        lambda rows: [
            *[label(rows[1], "bad", who) for who in "abc"],
            label(rows[1], "good", "lead", action="adjudicate"),
            label(rows[2], "good"),
            label(rows[2], "bad", "lead", action="adjudicate"),
        ],
        *("--drop-labels", "bad", "--label-votes", "any"),
    )
    assert [(row["source_row"], row["reject_detail"]) for row in rejects(out)] == [(2, "adjudicated: 1 bad")]


def test_stale_labels_are_counted_and_never_applied(again, capsys) -> None:
    def labels(rows):
        stale = label(rows[0], "bad") | {"content_hash": "of another content"}
        strange = label(rows[0], "bad") | {"trajectory_id": "of another input"}
        return [stale, strange, label(rows[1], "bad")]

    out = again(labels, "--drop-labels", "bad")
    assert numbers(rejects(out)) == [1]
    found = figures(out)
    assert (found["applied"], found["stale"], found["not_in_the_input"]) == (1, 1, 1)
    told = capsys.readouterr().err
    assert "1 of 3 labelled trajectories and turns were found" in told
    assert "1 are stale" in told
    assert "1 are of trajectories that are not in the input" in told
    out = again(labels, "--keep-labels", "good")
    details = {row["source_row"]: row["reject_detail"] for row in rejects(out)}
    assert details[0] == "its label is of other content, so it is stale"
    assert details[2] == "nobody has labelled it"


def test_no_labels_at_all_change_nothing(again) -> None:
    assert len(kept(again(lambda rows: [], "--drop-labels", "bad", "--bad-turns", "untrain"))) == 6
    assert len(kept(again(lambda rows: [], "--keep-labels", "good"))) == 0


def test_weights_by_verdict(again) -> None:
    out = again(
        lambda rows: [label(rows[0], "good"), label(rows[1], "unsure"), label(rows[2], "bad")],
        *("--label-weights", "good=2,unsure=.5"),
    )
    assert [row["weight"] for row in kept(out)] == [2.0, 0.5, 1.0, 1.0, 1.0, 1.0]
    assert figures(out)["trajectories_weighted"] == 2


def test_tags_drop(again) -> None:
    out = again(
        lambda rows: [
            label(rows[0], None, "a", tags=["wrong_tool"]),
            label(rows[0], "good", "b", tags=["wrong_tool", "wrong_tool"]),
            label(rows[1], "bad", "a", tags=["wrong_tool"]),
            label(rows[1], "bad", "b"),
        ],
        *("--drop-tags", "wrong_tool"),
    )
    assert [(row["source_row"], row["reject_reason"]) for row in rejects(out)] == [(0, "tagged_wrong_tool")]


def test_bad_turns_are_kept_dropped_or_not_trained_on(again) -> None:
    def labels(rows):
        return [
            label(rows[0], "bad", message_index=2),
            label(rows[0], "bad", message_index=3),  # a tool's result is never trained on
            label(rows[1], "good", message_index=2),
            label(rows[2], "bad", message_index=4000),
        ]

    out = again(labels, "--drop-labels", "bad")
    assert len(kept(out)) == 6
    out = again(labels, "--bad-turns", "untrain")
    rows = kept(out)
    assert [message["train"] for message in rows[0]["messages"]] == [False, False, False, False, True]
    assert [message["train"] for message in rows[1]["messages"]] == [False, False, True, False, True]
    assert figures(out)["turns_untrained"] == 1
    first = kept(out.with_name("first"))
    assert [row["content_hash"] for row in rows] == [row["content_hash"] for row in first]
    out = again(labels, "--bad-turns", "drop")
    assert [(row["source_row"], row["reject_reason"]) for row in rejects(out)] == [
        (0, "turn_labelled_bad"),
        (2, "turn_labelled_bad"),
    ]


def test_a_duplicate_of_a_bad_one_does_not_come_back(tmp_path: Path, jsonl, make_chat, run) -> None:
    source = jsonl([make_chat(1), make_chat(2), make_chat(1) | {"extra": 1}])
    assert run(source, "--out", tmp_path / "first") == 0
    shown = kept(tmp_path / "first")
    labels = write(tmp_path / "labels.parquet", [label(row, "bad") for row in shown if row["source_row"] == 0])
    assert run(source, "--out", tmp_path / "out", "--labels", labels, "--drop-labels", "bad") == 0
    assert numbers(kept(tmp_path / "out")) == [1]


def test_the_file_is_part_of_identity_and_lineage(again, tmp_path: Path, run, command, capsys) -> None:
    out = again(lambda rows: [label(rows[0], "bad")], "--drop-labels", "bad")
    path = tmp_path / "labels" / "labels.parquet"
    flags = (tmp_path / "traces.jsonl", "--out", out, "--no-near", "--drop-labels", "bad")
    assert run(*flags, "--labels", path) == 0
    assert "up to date" in capsys.readouterr().err
    sha256 = DatasetFolder.open(out).manifest.settings["labels"]["sha256"]
    write(path, [label(kept(out)[0], "bad")])
    assert run(*flags, "--labels", path) == 2
    assert "other settings or inputs" in capsys.readouterr().err
    assert command(lineage.main, out, "--settings") == 0
    told = capsys.readouterr().out
    assert told.count(sha256) == 2
    assert "labels: file" in told
    assert str(tmp_path) not in (out / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--drop-labels", "bad"), "--drop-labels says nothing without --labels"),
        (("--labels", "labels"), "--labels alone changes nothing"),
        (("--labels", "labels", "--drop-labels", "bad", "--keep-labels", "bad"), "both name 'bad'"),
        (("--labels", "labels", "--drop-labels", "bda"), "know no such name; verdicts: bad, good, unsure"),
        (("--labels", "labels", "--label-weights", "good"), "is not VERDICT=WEIGHT"),
        (("--labels", "labels", "--label-weights", "good=0"), "above 0"),
        (("--labels", "labels", "--label-weights", "good=nan"), "above 0"),
        (("--labels", "labels", "--label-weights", "good=1,good=2"), "second time"),
        (("--labels", "nowhere", "--drop-labels", "bad"), "cannot be read"),
        (("--labels", "traces.jsonl", "--drop-labels", "bad"), "is no file of labels"),
    ],
)
def test_what_cannot_be_right_is_refused(
    flags: tuple[str, ...], told: str, tmp_path: Path, jsonl, make_chat, run, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    source = jsonl([make_chat(0)])
    write(tmp_path / "labels" / "labels.parquet", [label({"trajectory_id": "x", "content_hash": "y"}, "good")])
    assert run(source, "--out", tmp_path / "out", *flags) == 2
    assert told in capsys.readouterr().err


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"trajectory_id": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="no column content_hash"):
        Labels.load(LabelRules(tmp_path / "x.parquet", drop_labels=("bad",)))


def test_of_one_person_the_last_label_counts(tmp_path: Path) -> None:
    row = {"trajectory_id": "a", "content_hash": "b"}
    path = write(tmp_path / "labels.parquet", [label(row, "bad"), label(row, "good"), label(row, "bad", action="undo")])
    found = Labels.load(LabelRules(path, drop_labels=("bad",)))
    assert found is not None
    assert found.opinions == {("a", "b", None): Opinion(("good",), ((),))}


@given(st.lists(st.sampled_from(["good", "bad", "unsure"]), max_size=6))
def test_votes_are_nested(verdicts: list[str]) -> None:
    opinion = Opinion(tuple(verdicts), tuple((verdict,) for verdict in verdicts))
    every, most, any_one = (opinion.says(votes) for votes in ("all", "majority", "any"))
    assert every <= most <= any_one
    counts = Counter(verdicts)
    assert all(counts[verdict] > counts[other] for verdict in most for other in counts if other != verdict)
    assert opinion.tagged("all") <= opinion.tagged("majority") <= opinion.tagged("any")
