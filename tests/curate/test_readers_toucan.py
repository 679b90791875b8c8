from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from curate.errors import RecordError
from curate.readers.raw import RawTrajectory
from curate.readers.sharegpt import ShareGPT
from curate.readers.toucan import Toucan, ToucanSFT
from curate.readers.xlam import XLAM
from curate.trajectory import Trajectory

Read = Callable[[str], list[Trajectory]]


def toucan(*messages: Any, **columns: Any) -> RawTrajectory:
    return Toucan().convert({"messages": json.dumps(messages), "available_tools": "[]", **columns})


def test_the_pieces_of_a_turn_are_one_message_again(read_trace: Read) -> None:
    row = read_trace("toucan.jsonl")[0]
    assert [message["role"] for message in row["messages"]] == [
        *("system", "user", "assistant", "tool", "tool", "assistant", "user", "assistant"),
    ]
    turn = row["messages"][2]
    assert (turn["reasoning_content"], turn["content"]) == ("I need both cities.", "Let me look at both.")
    assert [call["arguments"] for call in turn["tool_calls"]] == ['{"city":  "Oslo"}', '{"city": "Rome"}']
    assert [message["pair_status"] for message in row["messages"][2:5]] == ["complete", "order", "order"]
    assert row["messages"][3]["content"] == '[{"sky": "rain"}]'
    assert row["messages"][5]["reasoning_content"] == "Now compare."
    assert [item["message_index"] for item in row["thinking"]] == [2, 5]


def test_two_texts_are_two_messages() -> None:
    raw = toucan({"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"})
    assert [message["content"] for message in raw.messages] == ["a", "b"]


def test_the_scores_are_parsed_under_their_own_names(read_trace: Read) -> None:
    metadata = json.loads(read_trace("toucan.jsonl")[0]["metadata"])
    assert metadata["question_quality_assessment"]["question_quality"]["score"] == 5
    assert metadata["response_quality_assessment"]["desired_tools_used_percentage"] == 1.0
    assert metadata["prompt_id"] == "00000042"
    assert metadata["target_tools"] == "get_weather, get_weather"
    assert json.loads(read_trace("toucan.jsonl")[1]["metadata"])["response_quality_assessment"] is None


def test_the_uuid_is_the_task_and_the_licence_is_never_invented(read_trace: Read) -> None:
    first, second = read_trace("toucan.jsonl")
    assert first["task_id"] == "ac0907b0-4f43-52e3-aafe-2d6a6f3e3213"
    assert first["task_group"] == second["task_group"]  # the same question
    assert (first["license"], second["license"]) == (None, "apache-2.0")
    assert not first["tools_inferred"]


def test_an_id_of_the_producer_stays_with_its_call(read_trace: Read) -> None:
    call, result = read_trace("toucan.jsonl")[1]["messages"][1:3]
    assert call["tool_calls"][0]["id"] == "chatcmpl-tool-1"
    assert (result["pair_status"], result["content"]) == ("order", "")


def test_texts_that_are_no_json() -> None:
    with pytest.raises(RecordError, match="not_json: messages"):
        Toucan().convert({"messages": "[oops"})
    with pytest.raises(RecordError, match="lone_surrogate: metadata"):
        toucan(metadata='{"a": "\\ud800"}')
    with pytest.raises(RecordError, match="messages is str"):
        Toucan().convert({"messages": "oops"})


def test_sft_calls_are_literals_or_json(read_trace: Read) -> None:
    row = read_trace("toucan_sft.jsonl")[0]
    turn = row["messages"][2]
    assert turn["content"] == "I look."
    assert [(call["name"], call["arguments"], call["args_status"]) for call in turn["tool_calls"]] == [
        ("get_weather", '{"city":  "Oslo"}', "json"),
        ("get_weather", '{"city":"Rome"}', "json"),
    ]
    assert [message["content"] for message in row["messages"][3:5]] == ["rain", "clear"]
    assert [message["pair_status"] for message in row["messages"][3:5]] == ["order", "order"]
    assert len(read_trace("toucan_sft.jsonl")[1]["messages"]) == 2


def test_sft_contents_that_are_no_text() -> None:
    messages = [
        {"role": "tool_call", "content": {"name": "f", "arguments": {"a": 1}}},
        {"role": "tool_response", "name": "f", "content": {"b": 2}},
        {"role": "tool_call", "content": "f(1)"},
    ]
    raw = ToucanSFT().convert({"messages": messages})
    assert raw.messages[0]["tool_calls"][0]["arguments"] == '{"a":1}'
    assert raw.messages[1]["content"] == '{"b":2}'
    assert raw.messages[2]["tool_calls"][0]["args_status"] == "unparsed"


# --- APIGen-MT and xLAM


def test_apigen_mt(read_trace: Read) -> None:
    row = read_trace("apigen_mt.json")[0]
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert row["messages"][0]["content"] == "# Airline policy\nConfirm before you cancel."
    assert row["messages"][2]["tool_calls"][0]["arguments"] == '{"reservation_id":"C6X779"}'
    assert row["messages"][3]["content"] == '{"reservation_id": "C6X779",  "cabin": "economy"}'
    assert json.loads(row["tools"])[0]["function"]["name"] == "get_reservation"
    assert ShareGPT.assemble is None


def test_xlam_types_become_json_schema(read_trace: Read) -> None:
    row = read_trace("xlam.json")[0]
    assert [call["arguments"] for call in row["messages"][1]["tool_calls"]] == ['{"top":3,"level":5}', "{}"]
    heroes = json.loads(row["tools"])[0]["function"]["parameters"]
    assert heroes["required"] == ["level"]
    assert {name: item.get("type") for name, item in heroes["properties"].items()} == {
        "top": "integer",
        "level": "integer",
        "tags": "array",
        "when": None,
    }
    assert heroes["properties"]["when"]["x-type"] == "datetime.date, optional"
    assert json.loads(row["metadata"]) == {"id": 7}


def test_xlam_schemas_that_are_schemas_already_stay() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    raw = XLAM().convert({"query": "q", "answers": [], "tools": [{"name": "f", "parameters": schema}]})
    assert raw.tools == [{"type": "function", "function": {"name": "f", "parameters": schema}}]
