import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.parsing import parse_turn


def test_a_turn_with_thinking_text_and_calls():
    said = parse_turn(
        "<think>\nLook it up.\n</think>\n\nOne moment.\n"
        '<tool_call>\n{"name": "a", "arguments": {"x": 1}}\n</tool_call>\n'
        '<tool_call>\n{"name": "b", "arguments": {}}\n</tool_call>'
    )
    assert (said.thinking, said.content, said.after_call) == ("Look it up.", "One moment.", False)
    assert [(call.name, call.arguments, call.problem) for call in said.calls] == [
        ("a", '{"x":1}', None),
        ("b", "{}", None),
    ]


def test_a_call_within_the_thinking_is_none():
    said = parse_turn('<think>\nMaybe <tool_call>\n{"name": "a"}\n</tool_call>\n</think>\n\nNo.')
    assert (said.calls, said.content) == ((), "No.")


def test_thinking_that_never_ends_leaves_nothing_to_act_on():
    said = parse_turn('<think>\nHm <tool_call>\n{"name": "a", "arguments": {}}\n</tool_call>')
    assert (said.closed, said.calls, said.content) == (False, (), "")


def test_the_prompt_may_have_opened_the_thinking():
    said = parse_turn("Short.\n</think>\n\nYes.", opened=True)
    assert (said.thinking, said.content) == ("Short.", "Yes.")
    assert not parse_turn("Yes.", opened=True).closed


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        ("not json", "not JSON"),
        ('{"arguments": {}}', '"name"'),
        ('["a"]', '"name"'),
        ('{"name": "a", "arguments": [1]}', "must be a JSON object"),
        ('{"name": "a", "arguments": "{}"}', "must be a JSON object"),
        ('{"name": "a", "arguments": {"x": NaN}}', "not JSON"),
    ],
)
def test_what_is_no_call_says_why(inner, problem):
    (found,) = parse_turn(f"<tool_call>\n{inner}\n</tool_call>").calls
    assert problem in found.problem and found.arguments


def test_a_call_without_its_end_is_none():
    first, second = parse_turn('<tool_call>{"name": "a"}<tool_call>{"name": "b"}</tool_call> done').calls
    assert "does not end" in first.problem and second.name == "b"


def test_text_behind_a_call_is_noticed():
    assert parse_turn('<tool_call>{"name": "a"}</tool_call> and so on').after_call


@given(st.text())
def test_nothing_raises(text):
    parse_turn(text)
    parse_turn(f"<think>{text}</think><tool_call>{text}</tool_call>{text}")


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_arguments_come_back_as_they_were(arguments):
    text = json.dumps({"name": "a", "arguments": arguments}, ensure_ascii=True)
    (found,) = parse_turn(f"<tool_call>\n{text}\n</tool_call>").calls
    if found.problem is None:
        assert json.loads(found.arguments) == arguments


def test_hostile_text_is_read_fast():
    assert len(parse_turn("<tool_call>" * 100_000).calls) == 100_000
    said = parse_turn("<tool_call>{" * 50_000 + "</tool_call>" * 50_000)
    assert len(said.calls) == 50_000 and all(call.problem for call in said.calls)
