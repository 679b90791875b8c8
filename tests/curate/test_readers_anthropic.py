from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from curate.errors import RecordError
from curate.readers.anthropic import Anthropic
from curate.readers.raw import RawTrajectory
from curate.trajectory import Trajectory


@pytest.fixture
def row(read_trace: Callable[[str], list[Trajectory]]) -> Trajectory:
    return read_trace("anthropic.json")[0]


def convert(*messages: Any, **facts: Any) -> RawTrajectory:
    return Anthropic().convert({"messages": list(messages), **facts})


def test_results_come_before_the_text_of_the_same_message(row: Trajectory) -> None:
    assert [message["role"] for message in row["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
        "assistant",
    ]
    assert row["messages"][5]["content"] == "Be quick, please."
    assert [message["pair_status"] for message in row["messages"][2:5]] == ["complete", "id", "id"]


def test_results_keep_their_bytes_and_their_error(row: Trajectory) -> None:
    first, second = row["messages"][3:5]
    assert (first["content"], first["is_error"]) == ('{"rooms": [ 12 ]}', None)
    assert (second["content"], second["is_error"]) == ("Error: closed on Saturdays", True)


def test_thinking_moves_and_its_seals_are_kept(row: Trajectory) -> None:
    turn = row["messages"][2]
    assert turn["reasoning_content"] == "Look at Friday, and Saturday in case."
    assert turn["content"] == "I will look."
    assert turn["content_json"] is None
    assert [(item["message_index"], item["origin"]) for item in row["thinking"]] == [(2, "recorded")]
    extras = json.loads(row["metadata"])["message_extras"]
    assert extras["2"]["thinking_blocks"] == [
        {"type": "thinking", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"},
        {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"},
    ]
    assert extras["6"] == {"stop_reason": "end_turn"}


def test_parallel_calls(row: Trajectory) -> None:
    calls = row["messages"][2]["tool_calls"]
    assert [(call["id"], call["name"], call["arguments"]) for call in calls] == [
        ("toolu_1", "find_rooms", '{"day":"Friday"}'),
        ("toolu_2", "find_rooms", '{"day":"Saturday"}'),
    ]


def test_system_and_tools_stand_outside(row: Trajectory) -> None:
    assert row["messages"][0]["content"] == "You book rooms."
    assert json.loads(row["messages"][0]["content_json"] or "")[0]["cache_control"] == {"type": "ephemeral"}
    find, search = (tool["function"] for tool in json.loads(row["tools"]))
    assert find["parameters"]["required"] == ["day"]
    assert "input_schema" not in find
    assert search == {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
    assert json.loads(row["metadata"])["model"] == "claude-sonnet-4-5"


def test_a_message_of_results_alone_adds_no_empty_user_message() -> None:
    raw = convert({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]})
    assert [(message["role"], message["content"]) for message in raw.messages] == [("tool", None)]


def test_other_blocks_are_kept_whole() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "x"}}
    raw = convert({"role": "user", "content": [image, {"type": "text", "text": "see"}]})
    assert raw.messages[0]["content"] == "see"
    assert json.loads(raw.messages[0]["content_json"] or "") == [image, {"type": "text", "text": "see"}]


def test_think_tags_of_other_models() -> None:
    raw = convert({"role": "assistant", "content": "<think>so</think>hi"}, system="s")
    assert (raw.messages[1]["reasoning_content"], raw.messages[1]["content"]) == ("so", "hi")
    assert raw.split_texts == {1: "<think>so</think>hi"}


def test_rows_of_a_table() -> None:
    call = {"type": "tool_use", "text": None, "id": "t1", "name": "f", "input": {"a": 1}, "is_error": None}
    text = {"type": "text", "text": "hi", "id": None, "name": None, "input": None, "is_error": None}
    messages = [{"role": "assistant", "content": [text, call]}]
    for given in (messages, json.dumps(messages)):
        record = {"messages": given, "system": None, "tools": '[{"name": "f", "input_schema": {}}]'}
        assert Anthropic().matches(record) > 0.9
        raw = Anthropic().convert(record)
        assert (raw.messages[0]["content"], raw.messages[0]["content_json"]) == ("hi", None)
        assert raw.messages[0]["tool_calls"][0]["arguments"] == '{"a":1}'
        assert raw.tools == [{"type": "function", "function": {"name": "f", "parameters": {}}}]


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ({"role": "wizard", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": 3}, "messages[0].content"),
        ({"role": "user", "content": [3]}, "messages[0].content[0]"),
        ({"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": [1]}]}, "messages[0].content[0]"),
        ({"role": "assistant", "content": [{"type": "thinking", "thinking": 1}]}, "messages[0].content[0].thinking"),
        ({"role": "user", "content": [{"type": "tool_result", "is_error": "no"}]}, "is_error"),
    ],
)
def test_wrong_blocks_name_their_place(message: Any, place: str) -> None:
    with pytest.raises(RecordError) as caught:
        convert(message)
    assert place in caught.value.detail
