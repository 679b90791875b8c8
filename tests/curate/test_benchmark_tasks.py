from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from curate.benchmark_tasks import BenchmarkTask, benchmark_files, read_tasks
from curate.errors import InputError, UsageError

TAU2 = {
    "id": "3",
    "description": {"purpose": "Check that the agent verifies the membership."},
    "user_scenario": {
        "persona": None,
        "instructions": {
            "task_instructions": "Insist on a number.",
            "domain": "airline",
            "reason_for_call": "You want to know how many bags you may take.",
            "known_info": "You are Anya Garcia.",
            "unknown_info": None,
        },
    },
    "initial_state": {"initialization_actions": [{"arguments": {"x": "state"}}]},
    "evaluation_criteria": {
        "actions": [{"action_id": "3_0", "name": "get_reservation", "arguments": {"reservation_id": "JMO1MG"}}],
        "nl_assertions": ["Agent detects that the user is silver."],
    },
}
SCHEMA = {
    "name": "search",
    "parameters": {"properties": {"prompt": {"type": "string", "description": "What to find."}}},
}
BFCL = {
    "id": "live_6-6-0",
    "question": [
        [
            {"role": "system", "content": "You are a bot of a courier."},
            {"role": "user", "content": "Where is my parcel?"},
        ],
        [{"role": "user", "content": "And the other one?"}],
    ],
    "function": [SCHEMA],
}
ACEBENCH = {
    "id": "normal_multi_turn_0",
    "question": "user: Find a table for two.\nsystem: For which day?\nuser: Friday, at eight.\n",
    "function": [SCHEMA],
    "time": "",
}
TAU = {"user_id": "mia_li", "actions": [{"name": "book", "kwargs": {"seats": 2}}], "instruction": "You want two seats."}


def read(path: Path, place: str = "") -> list[BenchmarkTask]:
    return list(read_tasks(benchmark_files([f"{path}{place}"])[0], []))


def read_one(tmp_path: Path, record: Any, place: str = "") -> BenchmarkTask:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([record]))
    return read(path, place)[0]


def test_tau2_tasks(tmp_path: Path) -> None:
    task = read_one(tmp_path, TAU2)
    assert task.task_id == "3"
    assert task.statements == [
        "Insist on a number.",
        "airline",
        "You want to know how many bags you may take.",
        "You are Anya Garcia.",
    ]
    assert task.calls == [{"reservation_id": "JMO1MG"}]


def test_bfcl_takes_what_the_user_says_and_no_schema(tmp_path: Path) -> None:
    task = read_one(tmp_path, BFCL)
    assert (task.messages, task.statements, task.calls) == (["Where is my parcel?", "And the other one?"], [], [])


def test_acebench_takes_the_lines_of_the_user(tmp_path: Path) -> None:
    task = read_one(tmp_path, ACEBENCH)
    assert task.messages == ["Find a table for two.\n", "Friday, at eight.\n"]
    assert task.statements == []
    agent = read_one(tmp_path, {"id": 1, "question": "Your name is Grace. You want to send: 'hello'."})
    assert agent.statements == ["Your name is Grace. You want to send: 'hello'."]


def test_tau_bench_tasks_and_results(tmp_path: Path) -> None:
    task = read_one(tmp_path, TAU)
    assert task.calls == [{"seats": 2}]
    assert task.statements == ["You want two seats."]
    chat = [{"role": "user", "content": "Two seats please"}, {"role": "assistant", "content": "Done."}]
    run = {"task_id": 7, "trial": 0, "reward": 1.0, "info": {"task": TAU}, "traj": chat}
    result = read_one(tmp_path, run)
    assert result.task_id == "7"
    assert result.statements == ["mia_li", "You want two seats."]
    assert result.messages == ["Two seats please"]
    assert result.calls == [{"seats": 2}]
    assert result.task_group == task.task_group is not None


def test_a_trajectory_gives_its_calls_where_none_are_gold(tmp_path: Path, make_chat: Callable[..., Any]) -> None:
    task = read_one(tmp_path, make_chat(5))
    assert task.messages == ["Where is order #W5?"]
    assert task.calls == [{"order_id": "#W5"}]
    assert task.task_group is None


@pytest.mark.parametrize(
    ("record", "statements"),
    [
        ("just a text", ["just a text"]),
        ({"qid": "x", "text": "unknown fields", "more": ["deep"]}, ["x", "unknown fields", "deep"]),
        ({"id": "9", "text": "said"}, ["said"]),
        ({"input": {"prompt": "nested prompt"}, "answer": "no"}, ["nested prompt"]),
        ({"question": "outer", "tools": [SCHEMA]}, ["outer"]),
        (7, []),
    ],
)
def test_other_records(tmp_path: Path, record: Any, statements: list[str]) -> None:
    assert read_one(tmp_path, record).statements == statements


def test_a_field_can_be_named(tmp_path: Path) -> None:
    task = read_one(tmp_path, {"id": "1", "a": [{"b": "one"}, {"b": ["two"]}, {}], "question": "three"}, ":a.b")
    assert (task.task_id, task.statements) == ("1", ["one", "two"])


def test_an_object_that_lists_tasks(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"info": {}, "tasks": [TAU2, {**TAU2, "id": ""}], "simulations": [{"messages": []}]}))
    assert [task.task_id for task in read(path)] == ["3", "row 0.1"]


def test_every_kind_of_file(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"id": str(n), "question": f"question {n}"}) + "\n" for n in range(3)).encode()
    (tmp_path / "a.jsonl").write_bytes(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "c.jsonl.zst").write_bytes(zstandard.compress(lines))
    (tmp_path / "d.json").write_bytes(lines)  # BFCL and ACEBench call their JSON lines .json
    table = pa.Table.from_pylist([{"id": str(n), "question": f"question {n}"} for n in range(3)])
    pq.write_table(table, tmp_path / "e.parquet")
    for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.json", "e.parquet"):
        assert [(task.task_id, task.statements) for task in read(tmp_path / name)] == [
            (str(n), [f"question {n}"]) for n in range(3)
        ]


def test_a_bad_record_is_named_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"question": "one"}\n{"question": \n{"traj": [{"role": "wizard"}], "task_id": 1}\n')
    skipped: list[str] = []
    assert len(list(read_tasks(benchmark_files([str(path)])[0], skipped))) == 1
    assert [line.split(":")[0] for line in skipped] == ["record 1", "record 2"]
    assert "not_json" in skipped[0]
    assert "unknown_role" in skipped[1]


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('[{"question": "one"}, {"question": "tw')
    with pytest.raises(InputError, match="cut off"):
        read(path)


def test_names_of_benchmarks(tmp_path: Path) -> None:
    for domain in ("airline", "retail"):
        (tmp_path / domain).mkdir()
        (tmp_path / domain / "tasks.json").write_text("[]")
    both = [str(tmp_path / domain / "tasks.json") for domain in ("airline", "retail")]
    assert [given.name for given in benchmark_files(both)] == ["airline/tasks", "retail/tasks"]
    assert [given.name for given in benchmark_files([both[0], both[0] + ":a.b"])] == ["tasks", "tasks:a.b"]
    with pytest.raises(UsageError, match="two benchmarks have the name"):
        benchmark_files([both[0], both[0]])


@pytest.mark.parametrize(
    ("spec", "says"), [("gone.json", "does not exist"), ("gone.json:a", "does not exist"), ("x:.a", "field is named")]
)
def test_files_that_cannot_be(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        benchmark_files([spec])
