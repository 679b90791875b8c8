from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate.folder import DatasetFolder
from curate.normalise import Input, normalise
from curate.readers.openai_chat import OpenAIChat
from curate.trajectory import Trajectory
from curate.trl_form import training_row, training_table

GOLDEN = Path(__file__).parent / "golden"


def row_of(record: dict[str, Any]) -> Trajectory:
    return normalise(OpenAIChat().convert(record), record, 0, Input("x", "x"))


@pytest.mark.parametrize("name", ["dialogue"])
def test_golden(name: str) -> None:
    """Parallel calls out of order, Python literals, recorded thinking, missing ids, an unparsed call.

    Downstream trainers read this form: change the golden file only together with a line in the changelog.
    """
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    assert training_row(row_of(golden["record"])) == golden["training_row"]


def test_ids_are_made_up_only_where_they_are_missing(make_chat: Callable[..., Any]) -> None:
    form = training_row(row_of(make_chat(1)))
    assert form["messages"][2]["tool_calls"][0]["id"] == form["messages"][3]["tool_call_id"] == "c1"


def test_every_paired_result_of_the_real_files_names_its_call(real_three: Path) -> None:
    for row in DatasetFolder.open(real_three).rows("trajectories"):
        form = training_row(row)  # type: ignore[arg-type]
        called = [call["id"] for message in form["messages"] for call in message.get("tool_calls", [])]
        answered = [message["tool_call_id"] for message in form["messages"] if message["role"] == "tool"]
        assert sorted(called) == sorted(answered)
        assert all(
            isinstance(c["function"]["arguments"], dict) for m in form["messages"] for c in m.get("tool_calls", [])
        )
        assert form["tools"]


def test_datasets_reads_it_without_null_keys(
    tmp_path: Path, make_chat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import datasets

    golden = json.loads((GOLDEN / "dialogue.json").read_text())
    rows = [row_of(golden["record"]), row_of(make_chat(1))]
    pq.write_table(training_table(rows), tmp_path / "train.parquet")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "train.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert str(loaded.features["messages"]) == "List(Json(decode=True))"
    assert str(loaded.features["tools"]) == "List(Json(decode=True))"
    assert [dict(item) for item in loaded] == [
        {"trajectory_id": row["trajectory_id"], **training_row(row)} for row in rows
    ]
    assert loaded[0]["messages"][2]["tool_calls"][0]["function"]["arguments"] == {"id": "W1"}
