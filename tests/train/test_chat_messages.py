import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.acting import spoken
from train.chat_messages import said_in, wire_form, wire_turn

TEXTS = st.text() | st.sampled_from(
    ["<think>a</think>b", "a</think>b", "<think>a", '<tool_call>{"name": "f"}</tool_call>', "<tool_call>{", ""]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": JSON | st.just("f"), "arguments": JSON | st.just('{"a": 1}')}) | JSON}
)
MESSAGES = st.fixed_dictionaries(
    {"content": JSON},
    optional={"reasoning": JSON, "reasoning_content": JSON, "refusal": JSON, "tool_calls": JSON | st.lists(CALLS)},
)


@given(MESSAGES)
def test_whatever_a_server_says_is_read_and_can_be_sent_back(message):
    said, given_as = said_in(message)
    turn = spoken(said, 0)
    for sent in (wire_turn(turn, given_as), wire_turn(turn, None)):
        json.dumps(sent)
        for call, ours in zip(sent.get("tool_calls", ()), turn["tool_calls"], strict=True):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            assert call["function"]["name"] == ours["name"] != ""
    assert said.closed or not said.calls
    if given_as is not None:
        assert wire_turn(turn, given_as)[given_as] == message[given_as].strip()


def test_long_hostile_texts_are_read_in_linear_time():
    for text in ("<think>" * 150_000, "</think>" * 120_000, "<tool_call>" * 20_000, "<tool_call>{" + "[" * 1_000_000):
        assert all(call.problem for call in said_in({"content": text})[0].calls)
        (call,) = said_in({"content": "", "tool_calls": [{"function": {"name": "f", "arguments": text}}]})[0].calls
        assert call.problem and call.arguments == text


HALF = '{"a": "\\ud800"}'


@pytest.mark.parametrize(
    "message",
    [
        {"content": f'<tool_call>{{"name": "f", "arguments": {HALF}}}</tool_call>'},
        {"content": '<tool_call>{"name": "\\ud800", "arguments": {}}</tool_call>'},
        {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": HALF}}]},
    ],
)
def test_half_a_surrogate_pair_makes_a_call_that_cannot_be_run(message):
    (call,) = said_in(message)[0].calls
    assert call.problem is not None and orjson.dumps([call.name, call.arguments])


def test_earlier_turns_are_sent_with_arguments_as_text_and_thoughts_under_both_names():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"é": 1}}}
    sent = wire_form({"role": "assistant", "content": "", "reasoning_content": "Hm.", "tool_calls": [call]})
    assert sent["tool_calls"][0]["function"]["arguments"] == '{"é":1}'
    assert sent["reasoning"] == sent["reasoning_content"] == "Hm."
    assert call["function"]["arguments"] == {"é": 1}


def test_half_a_surrogate_pair_becomes_a_mark_that_a_file_can_hold():
    said, _ = said_in({"content": "Fine \ud83d.", "reasoning": "So \udc00 it is."})
    assert (said.content, said.thinking) == ("Fine ?.", "So ? it is.")
