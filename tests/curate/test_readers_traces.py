"""STS sessions and OTel spans: trajectories that are not one record of their file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import RecordError
from curate.normalise import Input, normalise
from curate.readers.files import read_records
from curate.readers.openai_chat import OpenAIChat
from curate.readers.otel import OTel
from curate.readers.otel_dialogue import overlap
from curate.readers.raw import RawRecord
from curate.readers.sts import STS, to_sts
from curate.trajectory import HASHED_MESSAGE_KEYS, Message, Trajectory

Read = Callable[[str], list[Trajectory]]
TRACES = Path(__file__).parent / "traces"


# --- STS


def test_sessions_of_one_file(read_trace: Read) -> None:
    first, second = read_trace("sts.jsonl")
    assert [item["role"] for item in first["messages"]] == ["user", "assistant", "tool", "assistant"]
    turn, result = first["messages"][1:3]
    assert turn["reasoning_content"] == "Ask the clock."
    assert turn["tool_calls"] == [
        {"id": "t1", "name": "get_time", "arguments": '{"zone":  "UTC"}', "args_status": "json"}
    ]
    assert (result["content"], result["pair_status"]) == ("2026-07-01T15:00:00Z", "id")
    assert (first["source_row"], second["source_row"]) == (0, 1)


def test_what_a_header_says_is_metadata(read_trace: Read) -> None:
    first, second = (json.loads(row["metadata"]) for row in read_trace("sts.jsonl"))
    assert (first["id"], first["harness"], first["name"], first["cwd"]) == (
        "b1a2c3",
        "my-agent",
        "what time is it",
        "/repo",
    )
    assert first["message_extras"] == {"0": {"timestamp": 1751360400000}, "1": {"model": "m-1"}}
    assert second["events"] == [{"type": "note", "text": "the user left"}]


def sessions(*values: Any) -> list[RawRecord]:
    return list(STS().assemble(RawRecord(row, value) for row, value in enumerate(values)))


def test_a_lost_line_is_a_reject_and_is_told() -> None:
    bad = RawRecord(1, problem="not_json", raw=b"oops")
    lines = [
        RawRecord(0, {"type": "session", "id": "a"}),
        bad,
        RawRecord(2, {"type": "message", "message": {"role": "user"}}),
    ]
    found = list(STS().assemble(iter(lines)))
    assert found[0] == replace(bad, row=0)
    assert found[1].value["unread_lines"] == 1
    assert found[1].value["messages"] == [{"role": "user"}]


def test_messages_before_any_header_are_a_session() -> None:
    (found,) = sessions({"type": "message", "message": {"role": "user", "content": "x"}})
    assert [item["content"] for item in STS().convert(found.value).messages] == ["x"]


def test_a_header_may_say_anything() -> None:
    header = {
        "type": "session",
        "harness": "h",
        "id": "a",
        "tools": ["bash"],
        "reward": {"resolved": True},
        "task_id": "t",
    }
    (found,) = sessions(header, {"type": "message", "message": {"role": "user", "content": "x"}})
    raw = STS().convert(found.value)
    assert (raw.tools, raw.reward, raw.task_id) == (None, None, "t")
    assert raw.metadata["tools_said"] == ["bash"]
    assert raw.metadata["header"] == {"reward": {"resolved": True}}


def test_only_one_session_is_held() -> None:
    taken = []

    def lines() -> Any:
        for number in range(1000):
            taken.append(number)
            yield RawRecord(2 * number, {"type": "session", "id": str(number)})
            yield RawRecord(2 * number + 1, {"type": "message", "message": {"role": "user", "content": "x"}})

    stream = STS().assemble(lines())
    next(stream)
    assert len(taken) == 2


def test_round_trip(make_chat: Callable[..., dict[str, Any]], read_trace: Read) -> None:
    record = make_chat(3, reward=1.0, trial=2, license="MIT")
    record["tools"] = [{"type": "function", "function": {"name": "get_order"}}]
    chat = normalise(OpenAIChat().convert(record), record, 0, Input("f", "f"))
    for row in [chat, *read_trace("anthropic.json"), *read_trace("tau2_bench.json"), *read_trace("toucan.jsonl")]:
        lines = json.loads(json.dumps(to_sts(row)))
        assert (lines[0]["type"], lines[0]["id"]) == ("session", row["trajectory_id"])
        assert all(line["type"] == "message" for line in lines[1:])
        (found,) = sessions(*lines)
        again = normalise(STS().convert(found.value), found.value, 0, Input("g", "g"))
        assert [told(item) for item in again["messages"]] == [told(item) for item in row["messages"]]
        for key in ("task_id", "reward", "license", "env_id"):
            assert again[key] == row[key]  # type: ignore[literal-required]
        if not row["tools_inferred"]:
            assert json.loads(again["tools"]) == json.loads(row["tools"])


def told(message: Message) -> dict[str, Any]:
    """What the format can say: a text is never null, and parts go along as a field of ours."""
    said: dict[str, Any] = {key: message[key] for key in HASHED_MESSAGE_KEYS if key != "content_json"}  # type: ignore[literal-required]
    return {**said, "content": said["content"] or ""}


# --- OTel GenAI spans


@pytest.mark.parametrize("name", ["otel_otlp.jsonl", "otel_console.jsonl"])
def test_the_repeated_history_is_told_once(read_trace: Read, name: str) -> None:
    (row,) = read_trace(name)
    assert [(item["role"], item["content"]) for item in row["messages"]] == [
        ("system", "Be brief."),
        ("user", "Weather in Paris?"),
        ("assistant", None),
        ("tool", "rainy, 57°F"),
        ("assistant", "Rainy, 57°F."),
    ]
    call = row["messages"][2]
    assert call["reasoning_content"] == "The tool knows."
    assert call["tool_calls"][0]["arguments"] == '{"city":"Paris"}'
    assert row["messages"][3]["pair_status"] == "id"
    assert json.loads(row["tools"])[0]["function"]["name"] == "get_weather"
    assert json.loads(row["tools"])[0]["function"]["parameters"]["required"] == ["city"]


def test_what_spans_say_besides_is_metadata(read_trace: Read) -> None:
    (row,) = read_trace("otel_otlp.jsonl")
    metadata = json.loads(row["metadata"])
    assert (metadata["conversation_id"], metadata["agent"]) == ("conv_5", "helper")
    assert [span["name"] for span in metadata["spans"]] == [
        "invoke_agent helper",
        "chat gpt-4",
        "execute_tool get_weather",
        "chat gpt-4",
    ]
    assert metadata["spans"][3]["attributes"]["gen_ai.usage.input_tokens"] == 97
    assert "rainy" not in json.dumps(metadata)
    assert "history_breaks" not in metadata


def text(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def chat(start: int, inputs: list[Any], outputs: list[Any], trace: str = "t", more: Any = None) -> dict[str, Any]:
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps(inputs),
        "gen_ai.output.messages": json.dumps(outputs),
    }
    return {
        "name": "chat m",
        "trace_id": trace,
        "span_id": f"{trace}{start}",
        "parent_span_id": "",
        "start_time": start,
        "attributes": {**said, **(more or {})},
    }


def tool_span(start: int, call_id: str, **more: Any) -> dict[str, Any]:
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": call_id, **more.pop("attributes", {})}
    return {
        "name": "execute_tool f",
        "trace_id": "t",
        "span_id": call_id,
        "start_time": start,
        "attributes": attributes,
        **more,
    }


def dialogues(*spans: dict[str, Any]) -> list[Any]:
    records = OTel().assemble(RawRecord(row, span) for row, span in enumerate(spans))
    return [OTel().convert(record.value) for record in records]


def contents(*spans: dict[str, Any]) -> list[list[str | None]]:
    return [[item["content"] for item in raw.messages] for raw in dialogues(*spans)]


A, B, C, D = text("user", "a"), text("assistant", "b"), text("user", "c"), text("assistant", "d")


def test_histories_cut_changed_or_never_sent() -> None:
    system = text("system", "s")
    assert contents(chat(1, [A], [B]), chat(2, [A, B, C], [D])) == [["a", "b", "c", "d"]]
    assert contents(chat(1, [A], [B]), chat(2, [C], [D])) == [["a", "b", "c", "d"]]
    assert contents(chat(1, [system, A], [B]), chat(2, [system, B, C], [D])) == [["s", "a", "b", "c", "d"]]
    changed = text("assistant", "B, shortened")
    assert contents(chat(1, [A], [B]), chat(2, [A, changed, C], [D])) == [["a", "b", "c", "d"]]
    (raw,) = dialogues(chat(1, [A], [B]), chat(2, [A, changed, C], [D]))
    assert raw.metadata["history_breaks"] == ["spans[1]"]


def test_conversations_and_agents_are_apart() -> None:
    spans = [
        chat(5, [C], [D], trace="u", more={"gen_ai.conversation.id": "x"}),
        chat(1, [A], [B], more={"gen_ai.conversation.id": "x"}),
        chat(2, [A], [B], trace="v"),
        chat(3, [C], [D], trace="v", more={"gen_ai.agent.name": "helper"}),
    ]
    assert contents(*spans) == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"]]


def call_message(call_id: str) -> dict[str, Any]:
    return {"role": "assistant", "parts": [{"type": "tool_call", "id": call_id, "name": "f", "arguments": "{}"}]}


def test_a_failed_span_marks_its_result() -> None:
    answer = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "timeout"}]}
    spans = [
        chat(1, [A], [call_message("c1")]),
        tool_span(2, "c1", status={"code": "STATUS_CODE_ERROR"}),
        chat(3, [A, call_message("c1"), answer], [D]),
    ]
    (raw,) = dialogues(*spans)
    assert [(item["role"], item["is_error"]) for item in raw.messages][2] == ("tool", True)


def test_a_result_that_no_input_shows_comes_from_its_span() -> None:
    result = tool_span(2, "c1", attributes={"gen_ai.tool.call.result": {"deg": 7}})
    (raw,) = dialogues(chat(1, [A], [call_message("c1")]), result)
    assert [(item["role"], item["content"]) for item in raw.messages][1:] == [
        ("assistant", None),
        ("tool", '{"deg":7}'),
    ]


def test_several_results_in_one_message_and_other_parts() -> None:
    both = {
        "role": "tool",
        "parts": [
            {"type": "tool_call_response", "id": "c1", "response": "one"},
            {"type": "tool_call_response", "id": "c2", "response": ["two"]},
        ],
    }
    image = {"role": "user", "parts": [{"type": "uri", "uri": "https://x"}, {"type": "text", "content": "see"}]}
    (raw,) = dialogues(chat(1, [both, image], [D, B]))
    assert [item["content"] for item in raw.messages] == ["one", '["two"]', "see", "d"]
    assert json.loads(raw.messages[2]["content_json"] or "") == image["parts"]
    assert raw.metadata["message_extras"]["3"]["other_choices"][0]["content"] == "b"


def test_messages_on_the_event_and_with_plain_content() -> None:
    span = chat(1, [], [])
    said = {"gen_ai.input.messages": [{"role": "user", "content": "a"}], "gen_ai.output.messages": [B]}
    span["attributes"] = {"gen_ai.operation.name": "chat"}
    span["events"] = [{"name": "gen_ai.client.inference.operation.details", "attributes": said}]
    assert contents(span) == [["a", "b"]]


def test_content_that_was_not_captured() -> None:
    span = {"name": "chat m", "trace_id": "t", "span_id": "1", "attributes": {"gen_ai.operation.name": "chat"}}
    with pytest.raises(RecordError, match="no_content"):
        dialogues(span)


def test_problems_and_other_records_pass_through() -> None:
    bad, odd = RawRecord(0, problem="not_json", raw=b"x"), RawRecord(1, {"a": 1}, raw=b"{}")
    found = list(OTel().assemble(iter([bad, odd, RawRecord(2, chat(1, [A], [B]))])))
    assert [(record.row, record.problem, record.raw) for record in found] == [
        (0, "not_json", b"x"),
        (1, None, b"{}"),
        (2, None, None),
    ]


def test_exports_of_other_spans_are_no_trajectories() -> None:
    record = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "t", "name": "GET /", "attributes": []}]}]}]}
    assert list(OTel().assemble(iter([RawRecord(0, record)]))) == []


@given(told=st.lists(st.sampled_from("abc"), max_size=8), keys=st.lists(st.sampled_from("abc"), max_size=8))
def test_the_overlap_is_the_longest(told: list[str], keys: list[str]) -> None:
    sizes = range(min(len(told), len(keys)) + 1)
    assert overlap(told, keys) == max(size for size in sizes if told[len(told) - size :] == keys[:size])


def test_ids_do_not_depend_on_the_order_of_exports() -> None:
    records = list(read_records(TRACES / "otel_console.jsonl"))
    once = [record.value for record in OTel().assemble(iter(records))]
    turned = [record.value for record in OTel().assemble(iter(records[::-1]))]
    assert once == turned
