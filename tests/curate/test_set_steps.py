"""The steps that look at the whole set, as commands: duplicates, published sets, benchmarks, caps, samples."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate.dedup_step import CLUSTERS
from curate.folder import DatasetFolder

Run = Callable[..., int]
Write = Callable[..., Path]
Record = dict[str, Any]
WORDS = [f"{a}{b}" for a in "ba da fo gi lu me no ri sa tu".split() for b in "lan mer nok pid rus tav vek zon".split()]


def story(seed: int, changed: int = 0, **facts: Any) -> Record:
    """A record of 300 random words of its own, some of which are changed; equal seeds tell nearly the same."""
    words = random.Random(seed).choices(WORDS, k=300)
    for place in random.Random(-seed).sample(range(300), changed):
        words[place] = "other"
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": json.dumps({"q": words[0]})}}
    messages = [
        {"role": "user", "content": " ".join(words[:200])},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": " ".join(words[200:250])},
        {"role": "assistant", "content": " ".join(words[250:])},
    ]
    return {"messages": messages, "task_id": f"{seed}-{changed}", **facts}


def kept(out: Path) -> list[Record]:
    return list(DatasetFolder.open(out).rows("trajectories"))


def rejects(out: Path, *reasons: str) -> list[Record]:
    return [row for row in DatasetFolder.open(out).rows("rejects") if not reasons or row["reject_reason"] in reasons]


@pytest.fixture
def near(jsonl: Write) -> Path:
    """Five stories; the first is told three times with small changes, best in the second telling."""
    first = [story(0, reward=0.0), story(0, 3, reward=1.0), story(0, 5, reward=0.5)]
    return jsonl([*first, *(story(n) for n in range(1, 5))])


def test_near_duplicates_go_for_the_best_of_them(near: Path, tmp_path: Path, run: Run) -> None:
    assert run(near, "--out", tmp_path / "out") == 0
    assert len(kept(tmp_path / "out")) == 5
    best = kept(tmp_path / "out")[0]
    gone = rejects(tmp_path / "out", "near_duplicate")
    assert [row["reward"] for row in gone] == [0.0, 0.5]
    assert best["reward"] == 1.0
    assert all(row["reject_detail"].startswith(f"of {best['trajectory_id']}, Jaccard 0.") for row in gone)
    folder = DatasetFolder.open(tmp_path / "out")
    clusters = list(folder.rows("clusters"))
    assert [row["kept"] for row in clusters] == [best["trajectory_id"]] * 3
    assert list(clusters[0]) == CLUSTERS.names
    signed = [row["trajectory_id"] for row in folder.rows("signatures")]
    assert signed == [row["trajectory_id"] for row in kept(tmp_path / "out")]
    assert "near_duplicate" in (tmp_path / "out" / "report.md").read_text()


def test_near_duplicates_stay_where_asked(near: Path, tmp_path: Path, run: Run) -> None:
    assert run(near, "--no-near", "--out", tmp_path / "all") == 0
    assert len(kept(tmp_path / "all")) == 7
    assert set(DatasetFolder.open(tmp_path / "all").manifest.tables) == {"trajectories", "rejects"}
    assert run(near, "--near-threshold", 0.999, "--out", tmp_path / "strict") == 0
    assert len(kept(tmp_path / "strict")) == 7
    assert run(near, "--near-view", "calls", "--near-threshold", 1.0, "--out", tmp_path / "calls") == 0
    assert len(rejects(tmp_path / "calls", "near_duplicate")) == 2


def test_what_stands_in_published_sets_does_not_come_again(near: Path, jsonl: Write, tmp_path: Path, run: Run) -> None:
    assert run(near, "--out", tmp_path / "first") == 0
    new = jsonl([story(2, 2), story(7), story(8)], "new.jsonl")
    assert run(new, "--against", tmp_path / "first", "--out", tmp_path / "second") == 0
    (gone,) = rejects(tmp_path / "second")
    assert gone["reject_reason"] == "published"
    old = next(row for row in kept(tmp_path / "first") if row["task_id"] == "2-0")
    assert gone["reject_detail"].startswith(f"of {old['trajectory_id']} in set 1, Jaccard 0.9")
    assert [row["task_id"] for row in kept(tmp_path / "second")] == ["7-0", "8-0"]
    assert [given["kind"] for given in DatasetFolder.open(tmp_path / "second").manifest.inputs] == ["file", "curated"]


def test_sets_without_signatures_are_refused(
    near: Path, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(near, "--no-near", "--out", tmp_path / "bare") == 0
    assert run(near, "--against", tmp_path / "bare", "--out", tmp_path / "out") == 2
    assert "holds no signatures" in capsys.readouterr().err
    assert run(near, "--out", tmp_path / "other", "--permutations", 40) == 0
    assert run(near, "--against", tmp_path / "other", "--out", tmp_path / "out") == 2
    assert "permutations" in capsys.readouterr().err


def test_evaluation_tasks_are_kept_out(near: Path, tmp_path: Path, run: Run) -> None:
    words = story(3)["messages"][0]["content"].split()
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(json.dumps({"id": "task-9", "question": " ".join(words[20:60])}) + "\n")
    assert run(near, "--benchmark", tasks, "--out", tmp_path / "out") == 0
    (gone,) = rejects(tmp_path / "out", "contaminated")
    assert gone["reject_step"] == "decontaminate"
    assert gone["task_id"] == "3-0"
    assert "task-9" in gone["reject_detail"] and " ".join(words[20:24]) in gone["reject_detail"]
    report = (tmp_path / "out" / "report.md").read_text()
    assert "Evaluation tasks looked for" in report and "Evaluation tasks met" in report


def test_caps_samples_and_bounds_of_tokens(jsonl: Write, tmp_path: Path, run: Run) -> None:
    rows = [{**story(n, reward=n / 10), "task_id": f"t{n % 3}"} for n in range(9)]
    long = story(99)
    long["messages"][0]["content"] *= 20
    path = jsonl([*rows, long])
    assert run(path, "--max-per-task", 2, "--sample", 4, "--max-tokens", 3_000, "--out", tmp_path / "out") == 0
    counts = {(step["step"], step["reason"]): step["rejected"] for step in funnel(tmp_path / "out")}
    assert counts == {("filter", "token_bounds"): 1, ("cap", "task_cap"): 3, ("sample", "not_sampled"): 2}
    capped = sorted(row["reward"] for row in rejects(tmp_path / "out", "task_cap"))
    assert capped == pytest.approx([0.0, 0.1, 0.2])
    assert "Sample by stratum" in (tmp_path / "out" / "report.md").read_text()


def funnel(out: Path) -> list[dict[str, Any]]:
    counts: list[dict[str, Any]] = DatasetFolder.open(out).manifest.counts["funnel"]
    return counts


def test_late_verdicts_take_the_place_of_later_ones(jsonl: Write, tmp_path: Path, run: Run) -> None:
    """A row whose tools are inferred may first be told a token bound, and then that its arguments do not fit."""
    rows = [story(n) for n in range(25)]
    odd = story(50)
    odd["messages"][1]["tool_calls"][0]["function"]["arguments"] = "{}"
    odd["messages"][0]["content"] *= 20
    assert run(jsonl([*rows, odd]), "--max-tokens", 2_000, "--out", tmp_path / "out") == 0
    (gone,) = rejects(tmp_path / "out")
    assert (gone["reject_step"], gone["reject_reason"]) == ("filter", "invalid_arguments")


def test_signatures_are_read_by_plain_parquet(near: Path, tmp_path: Path, run: Run) -> None:
    assert run(near, "--out", tmp_path / "out") == 0
    table = pq.read_table(tmp_path / "out" / "signatures-00000.parquet")
    assert table.schema.metadata[b"view"] == b"whole"
    assert table.column("signature").type.byte_width == 4 * 90
