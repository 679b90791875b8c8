from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import InputError, RecordError, UsageError
from curate.normalise import Input, normalise
from curate.readers.files import RawRecord, read_records
from curate.readers.messages import openai_messages
from curate.readers.openai_chat import OpenAIChat
from curate.readers.raw import RawTrajectory
from curate.readers.registry import FORMATS, detect, format_named
from curate.readers.sharegpt import ShareGPT
from curate.readers.tau_bench import TauBench

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def one(item: dict[str, Any]) -> dict[str, Any]:
    return dict(openai_messages([item]).messages[0])


def calls(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(call) for call in one(item)["tool_calls"]]


# --- OpenAI chat


def test_null_content_and_parallel_calls() -> None:
    item = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":  1}'}},
            {"id": "2", "type": "function", "function": {"name": "g", "arguments": {"b": [1, 2]}}},
            {"function": {"name": "h", "arguments": None}},
            {"name": "bare", "arguments": "{'x': 1}"},
            {"id": "", "function": {"name": "k", "arguments": "oops"}},
        ],
    }
    assert one(item)["content"] is None
    assert calls(item) == [
        {"id": "1", "name": "f", "arguments": '{"a":  1}', "args_status": "json"},
        {"id": "2", "name": "g", "arguments": '{"b":[1,2]}', "args_status": "json"},
        {"id": None, "name": "h", "arguments": "", "args_status": "empty"},
        {"id": None, "name": "bare", "arguments": "{'x': 1}", "args_status": "literal"},
        {"id": None, "name": "k", "arguments": "oops", "args_status": "unparsed"},
    ]


def test_content_as_a_list_of_parts() -> None:
    parts = [
        {"type": "text", "text": "see "},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "it"},
    ]
    read = one({"role": "user", "content": parts})
    assert read["content"] == "see it"
    assert json.loads(read["content_json"]) == parts
    assert one({"role": "user", "content": parts[1:2]})["content"] is None


def test_roles_of_other_names() -> None:
    names = {"developer": "developer", "function": "tool", "human": "user", "ai": "assistant", "system": "system"}
    assert {name: one({"role": name, "content": "x"})["role"] for name in names} == names


def test_legacy_function_call() -> None:
    assert calls({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}) == [
        {"id": None, "name": "f", "arguments": "{}", "args_status": "json"}
    ]


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_recorded_thinking(key: str) -> None:
    read = one({"role": "assistant", "content": "hi", key: " let me see"})
    assert (read["reasoning_content"], read["content"]) == (" let me see", "hi")


def test_think_tags_move_and_the_original_is_kept() -> None:
    recorded = "<think>\nlet me see\n</think>\n\nhi"
    raw = openai_messages([{"role": "assistant", "content": recorded}, {"role": "user", "content": recorded}])
    assert (raw.messages[0]["reasoning_content"], raw.messages[0]["content"]) == ("let me see", "hi")
    assert raw.split_texts == {0: recorded}
    assert raw.messages[1]["content"] == recorded


def test_only_a_leading_and_closed_think_block_is_thinking() -> None:
    for text in ("hi <think>x</think>", "<think>never closed"):
        assert one({"role": "assistant", "content": text})["content"] == text


def test_fields_without_a_home_are_kept() -> None:
    raw = openai_messages(
        [
            {"role": "assistant", "content": "a", "refusal": None, "logprobs": {"x": 1}},
            {"role": "assistant", "content": "b", "reasoning": {"effort": "high"}},
            {"role": "assistant", "content": "c", "reasoning_content": "one", "reasoning": "one", "thinking": "other"},
        ]
    )
    assert raw.metadata == {
        "message_extras": {
            "0": {"logprobs": {"x": 1}},
            "1": {"reasoning": {"effort": "high"}},
            "2": {"thinking": "other"},
        }
    }


@pytest.mark.parametrize(
    ("messages", "reason", "place"),
    [
        ("text", "wrong_type", "messages is str"),
        ([3], "wrong_type", "messages[0]"),
        ([{"content": "x"}], "unknown_role", "messages[0].role"),
        ([{"role": ["user"]}], "unknown_role", "messages[0].role"),
        ([{"role": "user", "content": 3}], "wrong_type", "messages[0].content"),
        ([{"role": "user"}, {"role": "wizard"}], "unknown_role", "messages[1].role"),
        ([{"role": "assistant", "tool_calls": "f()"}], "wrong_type", "tool_calls is str"),
        ([{"role": "assistant", "tool_calls": {"name": "f"}}], "wrong_type", "tool_calls is dict"),
        ([{"role": "assistant", "tool_calls": [None]}], "wrong_type", "tool_calls[0]"),
        ([{"role": "assistant", "tool_calls": [{"function": {"name": 3}}]}], "wrong_type", "names no function"),
        ([{"role": "assistant", "tool_calls": [{"name": "f", "arguments": [1]}]}], "wrong_type", "arguments is list"),
        ([{"role": "assistant", "function_call": "f"}], "wrong_type", "tool_calls[0]"),
        ([{"role": "tool", "tool_call_id": 7}], "wrong_type", "tool_call_id"),
        ([{"role": "tool", "is_error": "yes"}], "wrong_type", "is_error"),
    ],
)
def test_wrong_messages_name_their_place(messages: Any, reason: str, place: str) -> None:
    with pytest.raises(RecordError) as caught:
        openai_messages(messages)
    assert caught.value.reason == reason
    assert place in caught.value.detail


def chat(**facts: Any) -> RawTrajectory:
    return OpenAIChat().convert({"messages": [{"role": "user", "content": "hi"}], **facts})


def test_facts_and_metadata() -> None:
    raw = chat(task_id=7, trial=2.0, reward=1, env_id="shop", license="MIT", extra=[1], metadata={"a": 1})
    assert (raw.task_id, raw.trial, raw.reward, raw.env_id, raw.license) == ("7", 2, 1.0, "shop", "MIT")
    assert raw.metadata == {"extra": [1], "a": 1}
    assert chat(metadata={"a": 1}, a=2).metadata == {"metadata": {"a": 1}, "a": 2}
    assert chat(metadata="text").metadata == {"metadata": "text"}


@pytest.mark.parametrize(
    "facts", [{"task_id": [1]}, {"task_id": True}, {"trial": -1}, {"trial": 1.5}, {"trial": 2**31}, {"reward": "high"}]
)
def test_facts_of_wrong_types(facts: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="wrong_type"):
        chat(**facts)


def test_numbers_beyond_a_float() -> None:
    with pytest.raises(RecordError, match="wrong_type"):
        chat(reward=10**400)


@pytest.mark.parametrize(
    "given_tools",
    [[TOOL], [TOOL["function"]], json.dumps([TOOL]), [json.dumps(TOOL)], [json.dumps(TOOL["function"])]],
)
def test_tools_in_every_wrapping(given_tools: Any) -> None:
    assert chat(tools=given_tools).tools == [TOOL]
    assert chat(functions=given_tools).tools == [TOOL]


@pytest.mark.parametrize("given_tools", [None, [], "", "[]"])
def test_no_tools(given_tools: Any) -> None:
    assert chat(tools=given_tools).tools is None


@pytest.mark.parametrize("given_tools", ["no json", {"f": TOOL}, [3], [{"function": {}}], ["no json"], "[" * 9000])
def test_wrong_tools(given_tools: Any) -> None:
    with pytest.raises(RecordError, match="wrong_type"):
        chat(tools=given_tools)


# --- tau-bench


def test_the_real_files_are_read_whole(three_inputs: list[Any]) -> None:
    counts = []
    for path in three_inputs:
        found = list(read_records(path))
        assert detect(found[:20], str(path))[0].name == "tau_bench"
        messages = [TauBench().convert(item.value).messages for item in found]
        all_calls = [call for dialogue in messages for message in dialogue for call in message["tool_calls"]]
        statuses = {status: sum(call["args_status"] == status for call in all_calls) for status in ("json", "literal")}
        counts.append((len(found), len(all_calls), statuses, sum(not dialogue for dialogue in messages)))
    assert counts == [
        (200, 1164, {"json": 1164, "literal": 0}, 0),
        (100, 793, {"json": 793, "literal": 0}, 0),
        (100, 632, {"json": 7, "literal": 625}, 5),
    ]


def test_the_statement_of_a_task() -> None:
    raw = TauBench().convert({"task_id": 3, "trial": 0, "reward": 0.0, "info": {"task": {"a": 1}}, "traj": []})
    assert raw.task_statement == {"a": 1}
    assert raw.metadata == {"info": {"task": {"a": 1}}}
    assert TauBench().convert({"task_id": 3, "info": "crashed", "traj": []}).task_statement is None


def test_traj_of_a_wrong_type() -> None:
    with pytest.raises(RecordError, match="wrong_type"):
        TauBench().convert({"task_id": 1, "traj": None})


# --- ShareGPT / Hermes


def sharegpt(*turns: tuple[str, str], **facts: Any) -> RawTrajectory:
    return ShareGPT().convert({"conversations": [{"from": sender, "value": text} for sender, text in turns], **facts})


def test_hermes_calls_inside_text() -> None:
    text = (
        'I look.\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n'
        "<tool_call>\n{'arguments': {'ids': '[1]', 'b': True}, 'name': 'g'}\n</tool_call>"
    )
    (read,) = sharegpt(("gpt", text)).messages
    assert read["content"] == "I look."
    assert [(call["name"], call["arguments"], call["args_status"]) for call in read["tool_calls"]] == [
        ("f", '{"a":1}', "json"),
        ("g", '{"ids":"[1]","b":true}', "json"),
    ]


@pytest.mark.parametrize(
    ("inner", "name"),
    [
        ('{"name": "f", "arguments": {"a": }', "f"),
        ("{'name': 'f', oops", "f"),
        ("f(a=1)", "unknown"),
        ("[1, 2]", "unknown"),
    ],
)
def test_a_malformed_call_stays_unparsed(inner: str, name: str) -> None:
    (read,) = sharegpt(("gpt", f"<tool_call>\n{inner}\n</tool_call>")).messages
    assert [dict(call) for call in read["tool_calls"]] == [
        {"id": None, "name": name, "arguments": inner, "args_status": "unparsed"}
    ]


def test_an_unclosed_call() -> None:
    (read,) = sharegpt(("gpt", '<tool_call>{"name": "f", "arguments": {}}')).messages
    assert [call["name"] for call in read["tool_calls"]] == ["f"]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"name": "f", "arguments": "{\\"a\\":  1}"}', '{"a":  1}'),
        ("{'name': 'f', 'arguments': '{\"a\":  1}'}", '{"a":  1}'),
        ("[{'name': 'f', 'parameters': {'a': (1, 2)}}]", '{"a":[1,2]}'),
        ('{"name": "f"}', ""),
    ],
)
def test_function_call_turns(text: str, arguments: str) -> None:
    raw = sharegpt(("human", "q"), ("function_call", text), ("observation", "r"), ("gpt", "a"))
    assert [message["role"] for message in raw.messages] == ["user", "assistant", "tool", "assistant"]
    assert [(call["name"], call["arguments"]) for call in raw.messages[1]["tool_calls"]] == [("f", arguments)]


def test_tool_responses_one_message_each() -> None:
    text = '<tool_response>\n{"name": "f", "content": {"x": 1}}\n</tool_response>\n<tool_response>plain</tool_response>'
    raw = sharegpt(("tool", text), ("observation", " bare "))
    assert [(m["role"], m["content"], m["name"]) for m in raw.messages] == [
        ("tool", '{"name": "f", "content": {"x": 1}}', "f"),
        ("tool", "plain", None),
        ("tool", " bare ", None),
    ]


def test_a_text_without_calls_keeps_its_bytes() -> None:
    assert sharegpt(("gpt", "  hello \n")).messages[0]["content"] == "  hello \n"


def test_think_before_a_call() -> None:
    text = '<think>first this</think>\n<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    raw = sharegpt(("human", "q"), ("gpt", text))
    assert raw.messages[1]["reasoning_content"] == "first this"
    assert raw.messages[1]["content"] is None
    assert raw.split_texts == {1: text}


BARE = TOOL["function"]
HERMES = "You are provided with function signatures within <tools></tools> XML tags.\n<tools>\n{}\n</tools>\nGo."


@pytest.mark.parametrize(
    "inner",
    [
        json.dumps([TOOL]),
        json.dumps([TOOL], indent=2),
        json.dumps(TOOL),
        json.dumps(BARE),
        repr([TOOL]),
        repr(TOOL),
    ],
)
def test_tools_in_the_system_text(inner: str) -> None:
    for raw in (
        sharegpt(("system", HERMES.replace("{}", inner)), ("human", "q")),
        sharegpt(("human", "q"), system=HERMES.replace("{}", inner)),
    ):
        assert raw.tools == [TOOL]
        assert raw.messages[0]["role"] == "system"


def test_several_tools_one_a_line() -> None:
    raw = sharegpt(("system", HERMES.replace("{}", "\n".join(json.dumps({"name": name}) for name in "fg"))))
    assert [tool["function"]["name"] for tool in raw.tools or []] == ["f", "g"]


@pytest.mark.parametrize("inner", ["", "nonsense", "[]", "[3]"])
def test_a_system_text_without_readable_tools(inner: str) -> None:
    assert sharegpt(("system", HERMES.replace("{}", inner))).tools is None


def test_tools_beside_go_first() -> None:
    raw = sharegpt(("system", HERMES.replace("{}", '{"name": "other"}')), tools=json.dumps([BARE]))
    assert raw.tools == [TOOL]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"conversations": None}, "wrong_type"),
        ({"conversations": [3]}, "wrong_type"),
        ({"conversations": [{"from": "gpt"}]}, "wrong_type"),
        ({"conversations": [{"from": "wizard", "value": "x"}]}, "unknown_role"),
        ({"conversations": [{"from": ["gpt"], "value": "x"}]}, "unknown_role"),
    ],
)
def test_wrong_turns(record: dict[str, Any], reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        ShareGPT().convert(record)
    assert caught.value.reason == reason


# --- the choice of a format


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"messages": [{"role": "user", "content": "x"}]}, "openai_chat"),
        ({"task_id": 1, "traj": []}, "tau_bench"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "sharegpt"),
    ],
)
def test_detection(record: dict[str, Any], name: str) -> None:
    bad = RawRecord(0, problem="not_json")
    assert detect([bad, RawRecord(1, record), RawRecord(2, 3)], "f")[0].name == name
    assert format_named(name) is FORMATS[name]


def test_unknown_formats_say_what_was_seen() -> None:
    with pytest.raises(InputError, match=r"f\.json.*keys prompt, answer.*openai_chat"):
        detect([RawRecord(0, {"prompt": 1, "answer": 2})], "f.json")
    with pytest.raises(InputError, match="int, not an object"):
        detect([RawRecord(0, 3)], "f.json")
    with pytest.raises(InputError, match="no readable record"):
        detect([RawRecord(0, problem="not_json")], "f.json")
    with pytest.raises(UsageError, match="known are openai_chat"):
        format_named("none")


leaf = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6)
)
words = st.sampled_from(
    "role content tool_calls function name arguments id from value user assistant tool gpt {'name':'f'} <think>".split()
)
anything = st.recursive(
    leaf | words,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(words | st.text(max_size=3), v, max_size=4),
    max_leaves=15,
)
turns = st.lists(
    st.dictionaries(st.sampled_from("role content tool_calls from value name tool_call_id thinking".split()), anything),
    max_size=3,
)


@given(
    record=st.dictionaries(st.sampled_from("tools task_id trial reward metadata system info env_id".split()), anything),
    body=turns | anything,
    name=st.sampled_from(list(FORMATS)),
)
def test_any_record_becomes_a_row_or_a_named_reject(record: dict[str, Any], body: Any, name: str) -> None:
    whole = {**record, "messages": body, "traj": body, "conversations": body}
    try:
        row = normalise(FORMATS[name].convert(whole), whole, 0, Input("f", "f"))
    except RecordError as error:
        assert error.reason
    else:
        assert row["trajectory_id"]
