from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from curate.dedup_text import dedup_text
from curate.normalise import Input, normalise
from curate.readers.openai_chat import OpenAIChat
from curate.trajectory import Trajectory

Make = Callable[..., dict[str, Any]]


def row_of(record: dict[str, Any]) -> Trajectory:
    return normalise(OpenAIChat().convert(record), record, 0, Input("x", "x", env="e"))


def said(*contents: str) -> Trajectory:
    return row_of({"messages": [{"role": "user", "content": content} for content in contents]})


def test_the_views_of_a_dialogue(make_chat: Make) -> None:
    row = row_of(make_chat(7))
    assert dedup_text(row) == "\n".join(
        [
            "Where is order #W7?",
            "get_order",
            '{"order_id": "#W7"}',
            '{"status": "sent", "n": 7}',
            "Order #W7 was sent.",
        ]
    )
    assert dedup_text(row, "calls") == 'get_order\n{"order_id": "#W7"}'
    assert dedup_text(row, "user") == "Where is order #W7?"


def test_what_stands_around_a_dialogue_does_not_count(make_chat: Make) -> None:
    other = copy.deepcopy(make_chat(7, task_id="another", reward=1.0, tools=[{"name": "never_called"}]))
    messages = other["messages"]
    messages[0]["content"] = "Another system prompt."
    messages.insert(1, {"role": "developer", "content": "Be brief."})
    messages[3]["tool_calls"][0]["id"] = messages[4]["tool_call_id"] = "call_zzz"
    messages[5]["reasoning_content"] = "It was sent."
    think = {"id": "t", "type": "function", "function": {"name": "think", "arguments": '{"thought": "hm"}'}}
    messages[3]["tool_calls"].append(think)
    assert dedup_text(row_of(other)) == dedup_text(row_of(make_chat(7)))


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-05-15T15:00:00Z",
        "2024-05-15T15:00:00.123456+02:00",
        "2024-05-15 15:00:00,123",
        "1999-12-31 23:59",
        "2024-05-15t15:00:00-0500",
    ],
)
def test_timestamps_are_left_out(stamp: str) -> None:
    assert dedup_text(said(f"At {stamp}, or later.")).split() == ["At", ",", "or", "later."]


@pytest.mark.parametrize("text", ["On 2024-05-15 please.", "At 15:00.", "Order 2024-05-15-15:00.", "1715785200"])
def test_dates_and_numbers_stay(text: str) -> None:
    assert dedup_text(said(text)) == text


def test_a_text_that_no_utf8_can_hold_is_made_one() -> None:
    row = said("fine")
    row["messages"][0]["content"] = "lone \ud800 surrogate é"
    assert dedup_text(row) == "lone ? surrogate é"


@pytest.mark.parametrize("piece", ["2024-05-1", "2024-05-15T", "1 2:", "9T09:", "2024-05-15T15:00:00."])
def test_a_long_hostile_text_takes_no_longer(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert len(dedup_text(said(text))) <= len(text)


def test_nothing_said() -> None:
    assert dedup_text(row_of({"messages": [{"role": "assistant", "content": "hello"}]}), "calls") == ""
