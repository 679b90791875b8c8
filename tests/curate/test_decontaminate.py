from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from curate.decontaminate import Benchmarks, DecontaminateSettings, Hit, benchmark_table, met_tasks_table
from curate.errors import UsageError
from curate.normalise import Input, normalise
from curate.readers.files import read_records
from curate.readers.openai_chat import OpenAIChat
from curate.readers.registry import detect
from curate.sandbox.export import export
from curate.trajectory import Trajectory

Say = Callable[..., Trajectory]

TASK = "You want to move your flight from Boston to Denver to the day after tomorrow, and you pay by card."
OTHER = "You ask for the status of the parcel that you sent to your aunt in Lisbon two weeks ago on a Monday."


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Benchmarks]:
    """An index of records: `bench([{...}], ngram=5)`."""

    def load(records: list[Any], **settings: Any) -> Benchmarks:
        path = tmp_path / "exam.json"
        path.write_text(json.dumps(records))
        return Benchmarks.load(DecontaminateSettings(benchmark=(str(path),), **settings))

    return load


def row(*said: str, calls: tuple[str, ...] = (), **facts: Any) -> Trajectory:
    """A dialogue in which the user says this, and the agent makes calls with these arguments."""
    functions = [{"function": {"name": "do", "arguments": text}} for text in calls]
    record: Mapping[str, Any] = {
        "messages": [
            *({"role": "user", "content": text} for text in said),
            {"role": "assistant", "content": TASK + OTHER, "tool_calls": functions},
            *({"role": "tool", "content": OTHER} for _ in calls),
        ],
        **facts,
    }
    return normalise(OpenAIChat().convert(record), record, 0, Input("x", "x"))


def test_shared_wording_is_found_whatever_its_case_and_signs(bench: Callable[..., Benchmarks]) -> None:
    hit = bench([{"id": "a", "question": OTHER}, {"id": "b", "question": TASK}]).overlap(
        row("Hello!", "\u201cMOVE your flight\u201d - from Boston to Denver, to the day after tomorrow, and YOU know")
    )
    assert hit == Hit(
        benchmark="exam",
        task_id="b",
        side="user",
        ngrams=2,
        share=0.25,
        text="move your flight from boston to denver to the day after tomorrow and you",
        ngram=13,
    )
    assert hit.detail == (
        "user messages hold 2 13-grams, 25% of task b of exam: "
        "move your flight from boston to denver to the day after tomorrow and you"
    )


def test_only_the_user_side_and_arguments_count(bench: Callable[..., Benchmarks]) -> None:
    found = bench([{"id": "a", "question": OTHER}, {"id": "b", "question": TASK}])
    assert found.overlap(row("Hi", calls=('{"x": 1}',))) is None  # the agent and the tool say both tasks
    hit = found.overlap(row("Hi", calls=(json.dumps({"note": f"The user says: {TASK}"}),)))
    assert hit is not None
    assert (hit.task_id, hit.side, hit.share) == ("b", "arguments", 1.0)
    assert hit.detail.startswith("call arguments hold ")
    assert found.overlap(row("Hi", calls=(f"not parsed: {TASK}",))) is not None


def test_other_words_are_not_found(bench: Callable[..., Benchmarks]) -> None:
    assert (
        bench([{"question": TASK}]).overlap(row("I would like to fly to Denver two days later than I booked.")) is None
    )


def test_a_gold_call_is_found_by_its_values_in_any_notation(bench: Callable[..., Benchmarks]) -> None:
    gold = {
        "name": "exchange",
        "arguments": {"order": "#W1", "old": ["11", "12"], "new": ["21", "22"], "pay": "card_9"},
    }
    found = bench([{"id": "g", "instruction": "Exchange it.", "actions": [gold]}])
    for text in (
        '{"order": "#W1", "old": ["11", "12"], "new": ["21", "22"], "pay": "card_9"}',
        '{"pay": "card_9", "new": [21, 22], "old": [11, 12.0], "order": "#W1"}',
        "{'order': '#W1', 'old': \"['11', '12']\", 'new': ['21', '22'], 'pay': 'card_9'}",
    ):
        hit = found.overlap(row("Hi", calls=(text,)))
        assert hit is not None, text
        assert (hit.side, hit.ngrams, hit.share) == ("arguments", 0, 1.0)
        assert hit.detail == "call arguments hold the whole text of task g of exam: 21 22 11 12 w1 card9"
    assert (
        found.overlap(row("Hi", calls=('{"order": "#W1", "old": ["11"], "new": ["21", "22"], "pay": "card_9"}',)))
        is None
    )
    assert found.overlap(row("21 22 11 12 w1 card9")) is None


def test_a_gold_call_of_one_value_is_nothing_special(bench: Callable[..., Benchmarks]) -> None:
    gold = {"name": "search", "arguments": {"query": "running shoes with rock plate"}}
    found = bench([{"instruction": TASK, "actions": [gold]}])
    assert found.overlap(row("Hi", calls=('{"query": "running shoes with rock plate"}',))) is None


def test_a_short_task_must_be_the_whole_message(bench: Callable[..., Benchmarks]) -> None:
    found = bench([{"id": "s", "question": "Find a table for two!"}, {"id": "t", "question": "Book it now"}])
    hit = found.overlap(row("Good day.", "find a table for two"))
    assert hit is not None
    assert (hit.task_id, hit.ngrams, hit.text) == ("s", 0, "find a table for two")
    assert found.overlap(row("Please find a table for two")) is None
    assert found.overlap(row("Book it now")) is None  # three words are said by chance
    assert (found.counts[0].whole, found.counts[0].too_short) == (1, 1)


def test_a_dialogue_of_short_messages_is_found_as_a_whole(bench: Callable[..., Benchmarks]) -> None:
    said = ("Where is my order?", "It is number seven.", "Thanks a lot, bye now.")
    task = {"messages": [{"role": "user", "content": text} for text in said]}
    found = bench([task])
    hit = found.overlap(row(*said))
    assert hit is not None and hit.ngrams == 0
    assert found.overlap(row("Where is my order?")) is None
    assert found.overlap(row("Thanks a lot, bye now.")) is None


def test_a_script_without_spaces_counts_characters(bench: Callable[..., Benchmarks]) -> None:
    said = "\u8bf7\u5e2e\u6211\u628a\u660e\u5929\u4ece\u5317\u4eac\u5230\u4e0a\u6d77\u7684\u673a\u7968"  # 15 characters
    found = bench([{"id": "zh", "question": f"{said}\u6539\u5230\u540e\u5929\u3002"}])
    hit = found.overlap(row(f"\u4f60\u597d\uff0c{said}\u53d6\u6d88\u3002"))
    assert hit is not None and hit.task_id == "zh"
    assert found.overlap(row("\u8bf7\u5e2e\u6211\u53d6\u6d88\u660e\u5929\u7684\u673a\u7968\u3002")) is None


def test_thresholds(bench: Callable[..., Benchmarks]) -> None:
    words = TASK.split()
    part, all_of_it = row(" ".join(words[:14])), row(TASK)
    assert bench([{"question": TASK}]).overlap(part) is not None
    assert bench([{"question": TASK}], min_overlap=3).overlap(part) is None
    assert bench([{"question": TASK}], min_overlap=3).overlap(all_of_it) is not None
    assert bench([{"question": TASK}], min_overlap=500).overlap(all_of_it) is not None  # it shares all there is
    assert bench([{"question": TASK}], min_overlap_share=0.5).overlap(part) is None
    assert bench([{"question": TASK}], min_overlap_share=0.25).overlap(part) is not None
    assert bench([{"question": TASK}], min_overlap_share=1.0).overlap(all_of_it) is not None


def test_templates_can_be_ignored_and_are_counted(bench: Callable[..., Benchmarks]) -> None:
    start = "You are a customer of the shop on the corner and you have a question about "
    records = [{"id": f"{n}", "question": f"{start} item number {n}"} for n in range(5)]
    said = row(start + "something else")
    assert bench(records).overlap(said) is not None
    found = bench(records, max_ngram_tasks=4)
    assert found.overlap(said) is None
    assert found.counts[0].ignored == 6
    hit = found.overlap(row(start + "item number 3"))
    assert hit is not None and (hit.task_id, hit.share) == ("3", 1.0)
    trials = [{"id": "same", "question": f"{start} item number 3"}] * 5
    assert bench(trials, max_ngram_tasks=1).counts[0].ignored == 0


def test_a_trajectory_recorded_for_a_task_is_a_hit_whatever_it_says(bench: Callable[..., Benchmarks]) -> None:
    task = {"user_id": "mia", "instruction": TASK, "actions": [], "outputs": []}
    found = bench([task])
    made = row("Hi")
    assert found.overlap(made) is None
    record = {"task_id": 3, "info": {"task": task}, "traj": [{"role": "user", "content": "Hi"}]}
    reader = detect([next(read_one(record))], "x")[0]
    hit = found.overlap(normalise(reader.convert(record), record, 0, Input("x", "x")))
    assert hit is not None
    assert (hit.side, hit.detail) == ("task", "recorded for task row 0 of exam")


def read_one(record: Any) -> Iterator[Any]:
    from curate.readers.files import parse_record

    yield parse_record(0, json.dumps(record).encode())


def test_the_index_goes_to_other_processes(bench: Callable[..., Benchmarks]) -> None:
    found = bench([{"question": TASK}, {"question": "Find a table for two"}])
    copy = pickle.loads(pickle.dumps(found))
    for said in (row(TASK), row("Find a table for two"), row("Hello")):
        assert copy.overlap(said) == found.overlap(said)


def test_matched_text_is_cut(bench: Callable[..., Benchmarks]) -> None:
    long = " ".join(f"word{n}" for n in range(200))
    hit = bench([{"question": long}]).overlap(row(long))
    assert hit is not None and len(hit.text) == 200


def test_tables(bench: Callable[..., Benchmarks]) -> None:
    found = bench([{"id": "a", "question": TASK}, {"id": "b", "question": OTHER}, {"id": "c", "question": "Hm"}])
    rows = [row(TASK), row(TASK[:70]), row("Hi", calls=(json.dumps([OTHER]), json.dumps({"x": OTHER}))), row("Hello")]
    hits = [hit for item in rows if (hit := found.overlap(item)) is not None]
    headers, body = benchmark_table(found, hits)
    assert dict(zip(headers, body[0], strict=True)) == {
        "benchmark": "exam",
        "tasks": 3,
        "n-grams": 18,
        "short texts": 0,
        "not searchable": 1,
        "ignored n-grams": 0,
        "unread records": 0,
        "tasks met": 2,
        "by task": 0,
        "by user": 2,
        "by arguments": 1,
    }
    headers, body = met_tasks_table(hits)
    assert headers == ["benchmark", "task", "turned away", "largest share", "shared text"]
    assert [line[:4] for line in body] == [["exam", "a", 2, "100%"], ["exam", "b", 1, "100%"]]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ngram": 4}, "--ngram must be at least 5"),
        ({"min_overlap": 0}, "--min-overlap must be at least 1"),
        ({"min_overlap_share": 1.1}, "--min-overlap-share"),
        ({"min_overlap_share": float("nan")}, "--min-overlap-share"),
        ({"max_ngram_tasks": 0}, "--max-ngram-tasks"),
    ],
)
def test_settings_out_of_range(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        DecontaminateSettings(**settings).check()


def test_a_benchmark_that_says_nothing_is_refused(bench: Callable[..., Benchmarks], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="states no task of 5 words or more; name the field"):
        bench([{"id": "1", "question": "Too short"}])
    path = tmp_path / "exam.json"
    path.write_text(json.dumps([{"question": TASK}]))
    with pytest.raises(UsageError, match="states no task"):
        Benchmarks.load(DecontaminateSettings(benchmark=(f"{path}:questoin",)))


@pytest.mark.parametrize("said", ["a " * 100_000, "\u2019 " * 200_000, TASK * 2_000, "\u6211" * 200_000])
def test_hostile_texts(bench: Callable[..., Benchmarks], said: str) -> None:
    found = bench([{"question": TASK}, {"question": "a " * 50}, {"question": "find a table for two"}])
    assert (found.overlap(row(said, calls=(json.dumps({"x": said}), said))) is None) == (
        TASK not in said and "a a" not in said
    )


def rows_of(path: Path) -> list[Trajectory]:
    records = list(read_records(path))
    reader = detect(records[:20], str(path))[0]
    return [normalise(reader.convert(item.value), item.value, item.row, Input("x", path.stem)) for item in records]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> list[Trajectory]:
    path = tmp_path_factory.mktemp("desk") / "desk.jsonl"
    export(path, 200, 0, "full")
    return rows_of(path)


def task_file(results: Path, to: Path) -> Path:
    """The tasks of a tau-bench results file as a task file: statements and gold calls, no dialogue."""
    records = json.loads(gzip.decompress(results.read_bytes()))
    tasks = {record["task_id"]: record["info"]["task"] for record in records if "task" in record["info"]}
    to.write_text(json.dumps([{"id": task_id, **task} for task_id, task in tasks.items()]))
    return to


def without_group(row: Trajectory) -> Trajectory:
    """As a source records it that does not state its tasks."""
    return {**row, "task_group": "unknown"}


@pytest.mark.parametrize("number", range(3))
def test_real_trajectories_are_found_in_their_own_file(three_inputs: list[Path], number: int) -> None:
    path = three_inputs[number]
    found = Benchmarks.load(DecontaminateSettings(benchmark=(str(path),)))
    rows = [item for item in rows_of(path) if item["messages"]]
    assert all(found.overlap(item) is not None for item in rows)
    hits = [found.overlap(without_group(item)) for item in rows]
    assert None not in hits
    assert sum(hit is not None and hit.side == "user" for hit in hits) >= len(rows) - 1


def test_real_users_reword_their_tasks(three_inputs: list[Path], tmp_path: Path) -> None:
    """Statements alone find few of the dialogues about them; the gold calls find more, the recorded task all."""
    airline = three_inputs[0]
    rows = rows_of(airline)
    by = {
        spec: sum(Benchmarks.load(DecontaminateSettings((spec,))).overlap(item) is not None for item in items)
        for spec, items in (
            (f"{airline}:info.task.instruction", list(map(without_group, rows))),
            (str(task_file(airline, tmp_path / "tasks.json")), list(map(without_group, rows))),
        )
    }
    assert list(by.values()) == [7, 39]


def test_nothing_is_found_across_worlds(three_inputs: list[Path], tmp_path: Path, desk: list[Trajectory]) -> None:
    airline, retail, _ = three_inputs
    specs = (str(airline), str(task_file(airline, tmp_path / "tasks.json")))
    found = Benchmarks.load(DecontaminateSettings(benchmark=specs))
    assert [found.overlap(item) for item in (*desk, *rows_of(retail))] == [None] * (len(desk) + 100)
