from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from curate.errors import RecordError
from curate.normalise import Input, normalise
from curate.readers.openai_chat import OpenAIChat
from curate.trajectory import Trajectory, rehash

GIVEN = Input("traces.jsonl", "traces")
Make = Callable[..., dict[str, Any]]


def row_of(record: dict[str, Any], row: int = 0, given: Input = GIVEN) -> Trajectory:
    return normalise(OpenAIChat().convert(record), record, row, given)


def test_the_id_rests_on_source_and_record_alone(make_chat: Make) -> None:
    record = make_chat(1)
    again = json.loads(json.dumps(dict(reversed(record.items()))))
    assert row_of(record)["trajectory_id"] == row_of(again, 9, Input("/elsewhere/x.jsonl", "traces"))["trajectory_id"]
    assert row_of(record)["trajectory_id"] != row_of(record, given=Input("traces.jsonl", "other"))["trajectory_id"]
    assert row_of(record)["trajectory_id"] != row_of(make_chat(2))["trajectory_id"]


def test_content_hash_changes_with_what_a_label_refers_to(make_chat: Make) -> None:
    row = row_of(make_chat(1))
    for change, moved in (
        (lambda m: m.update(content="other"), True),
        (lambda m: m.update(reasoning_content="a thought"), True),
        (lambda m: m.update(train=False), False),
        (lambda m: m.update(pair_status="unpaired"), False),
    ):
        other = copy.deepcopy(row)
        change(other["messages"][4])
        assert (rehash(other)["content_hash"] != row["content_hash"]) is moved


def test_only_recorded_tools_are_part_of_the_content(make_chat: Make) -> None:
    row = row_of(make_chat(1))
    inferred = rehash(copy.deepcopy(row) | {"tools": '[{"function":{}}]'})  # type: ignore[arg-type]
    assert inferred["content_hash"] == row["content_hash"]
    recorded = row_of(make_chat(1, tools=[{"name": "get_order"}]))
    assert recorded["content_hash"] != row["content_hash"]
    assert (recorded["tools_inferred"], row["tools_inferred"]) == (False, True)


def test_names_given_by_the_user_go_first(make_chat: Make) -> None:
    record = make_chat(1, env_id="desk", license="MIT")
    assert (row_of(record)["env_id"], row_of(record)["license"]) == ("desk", "MIT")
    given = row_of(record, given=Input("t.jsonl", "t", env="shop", license="CC0"))
    assert (given["env_id"], given["license"]) == ("shop", "CC0")
    assert row_of(make_chat(1))["env_id"] == "traces"


def test_a_task_id_is_never_null(make_chat: Make) -> None:
    one, two = (row_of(make_chat(n, task_id=None))["task_id"] for n in (1, 2))
    assert one.startswith("auto:")
    assert one != two
    assert row_of(make_chat(1, task_id=None))["task_id"] == one


def test_groups(make_chat: Make) -> None:
    assert row_of(make_chat(1))["task_group"] == "traces/task-1"
    by_field = Input("t.jsonl", "t", group="info.task")
    one = row_of(make_chat(1, info={"task": {"a": 1, "b": 2.0}}), given=by_field)
    two = row_of(make_chat(2, info={"task": {"b": 2, "a": 1}}), given=by_field)
    assert one["task_group"] == two["task_group"]
    with pytest.raises(RecordError, match=r"no_group.*info\.task"):
        row_of(make_chat(1, info=3), given=by_field)


def test_recorded_thinking_is_marked(make_chat: Make) -> None:
    record = make_chat(1)
    record["messages"][4]["content"] = "<think>It was sent.</think>Sent."
    record["messages"][2]["reasoning_content"] = "Look it up."
    row = row_of(record)
    assert [(t["message_index"], t["kind"], t["origin"], t["original"]) for t in row["thinking"]] == [
        (2, "silent", "recorded", None),
        (4, "final", "recorded", "<think>It was sent.</think>Sent."),
    ]


def test_who_called_and_what_is_trained_on() -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": "{}"}}
    record = {
        "messages": [
            {"role": "user", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "x"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "y"},
            {"role": "assistant", "content": "done"},
        ]
    }
    messages = row_of(record)["messages"]
    assert [m["requestor"] for m in messages] == ["user", "user", "assistant", "assistant", None]
    assert [m["train"] for m in messages] == [False, False, True, False, True]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_values_without_a_json_form(make_chat: Make, value: Any) -> None:
    with pytest.raises(RecordError, match="not_json"):
        row_of(make_chat(1, extra=value))


def test_lone_surrogates(make_chat: Make) -> None:
    with pytest.raises(RecordError, match="lone_surrogate"):
        row_of(make_chat(1, extra="\ud800"))


def test_a_message_that_calls_nothing_has_no_requestor(make_chat: Make) -> None:
    """A recorded one would hide the assistant's turn from the turn rule, and yet it would be trained on."""
    record = make_chat(1)
    record["messages"][-1]["requestor"] = "user"
    assert record["messages"][-1]["role"] == "assistant" and "tool_calls" not in record["messages"][-1]
    last = row_of(record)["messages"][-1]
    assert (last["requestor"], last["train"]) == (None, True)
