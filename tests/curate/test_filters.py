from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from curate.env import EnvRules
from curate.filters import (
    NEEDS_EVIDENCE,
    PREDICATES,
    ContentSettings,
    Context,
    FilterSettings,
    QualitySettings,
    first_failure,
)
from curate.normalise import Input, normalise
from curate.readers.openai_chat import OpenAIChat
from curate.tool_schemas import gather
from curate.trajectory import Trajectory

USER = {"role": "user", "content": "hi"}
BYE = {"role": "assistant", "content": "bye"}
PERSON = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"], "additionalProperties": False}


def call(name: str = "get_order", arguments: str = '{"id": "1"}', call_id: str = "c") -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"id": call_id, "function": {"name": name, "arguments": arguments}}]}


def result(content: str = "ok", call_id: str = "c", **facts: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **facts}


def row(*messages: dict[str, Any], **facts: Any) -> Trajectory:
    record = {"messages": list(messages), **facts}
    return normalise(OpenAIChat().convert(record), record, 0, Input("x.jsonl", "x"))


def tools(parameters: Any = PERSON, name: str = "get_order") -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name, "parameters": parameters}}]


def reason(trajectory: Trajectory, rules: EnvRules | None = None, **settings: Any) -> str | None:
    failure = first_failure(trajectory, Context(FilterSettings(**settings), {"x": rules} if rules else {}))
    return failure and failure[0]


GOOD = (USER, call(), result(), BYE)
TWO_CALLS = {"role": "assistant", "tool_calls": [*call(call_id="a")["tool_calls"], *call(call_id="b")["tool_calls"]]}


def test_a_plain_dialogue_is_kept() -> None:
    assert reason(row(*GOOD)) is None


@pytest.mark.parametrize(
    ("trajectory", "expected", "kept_with"),
    [
        (row(), "empty", None),
        (row(USER, USER), "empty", None),
        (row(BYE), "too_short", {"min_messages": 1, "min_calls": 0}),
        (row(USER, BYE), "no_tool_call", {"min_calls": 0}),
        (row(USER, call(name=""), result(), BYE), "no_tool_call", {"min_calls": 0}),
        (row(USER, call()), "truncated", {"keep_truncated": True}),
        (row(USER, TWO_CALLS, result(call_id="a")), "truncated", {"keep_truncated": True}),
        (row(USER, call(), USER, *GOOD), "unpaired_calls", {"max_unpaired": 1}),
        (row(*GOOD[:3], result(), BYE), "unpaired_calls", {"max_unpaired": 1}),
        (row(USER, call(arguments="oops"), result(), BYE), "unparsed_arguments", {"max_unparsed": 1}),
        (row(USER, call("get_user"), result(), BYE, tools=tools()), "unknown_tool", {"max_unknown_tools": 1}),
        (row(USER, call(arguments="{}"), result(), BYE, tools=tools()), "invalid_arguments", {"max_invalid": 1}),
        (row(USER, call(), result("Error: no"), BYE), "error_only", {"error_only": False}),
        (row(USER, *[call(), result()] * 4, BYE), "call_loop", {"max_repeats": 4}),
        (row(USER, call(), result()), "incomplete", {"keep_incomplete": True}),
        (row(*GOOD, USER), "incomplete", {"keep_incomplete": True}),
    ],
)
def test_each_filter_and_its_threshold(trajectory: Trajectory, expected: str, kept_with: dict[str, Any] | None) -> None:
    assert reason(trajectory) == expected
    if kept_with is not None:
        assert reason(trajectory, **kept_with) is None


def test_bounds_of_length() -> None:
    long = row(USER, call(), result("x" * 100), BYE)
    assert reason(long, max_messages=3) == "too_long"
    assert reason(long, max_messages=4) is None
    assert reason(long, max_chars=100) == "too_long"
    assert reason(long, max_chars=200) is None


def test_outcome_is_looked_at_only_when_asked() -> None:
    good, bad, unknown = row(*GOOD, reward=1), row(*GOOD, reward=0), row(*GOOD)
    assert [reason(item) for item in (good, bad, unknown)] == [None] * 3
    assert [reason(item, min_reward=0.5) for item in (good, bad, unknown)] == [None, "below_outcome", "below_outcome"]


def test_every_reason_has_a_case_above_and_every_setting_a_default() -> None:
    assert list(PREDICATES) == [
        *("empty", "too_short", "too_long", "no_tool_call", "truncated", "unpaired_calls", "unparsed_arguments"),
        *("unknown_tool", "invalid_arguments", "error_only", "call_loop", "incomplete", "below_outcome"),
        *("low_quality", "leaked_thinking", "refusal", "language", "ungrounded_arguments", "secret"),
    ]
    for kind in (FilterSettings, ContentSettings, QualitySettings):
        assert len(fields(kind)) <= 15
    names = [item.name for kind in (FilterSettings, ContentSettings, QualitySettings) for item in fields(kind)]
    assert len(names) == len(set(names))  # they are all flags of one command line


def test_filters_that_need_evidence_can_be_left_out() -> None:
    trajectory = row(USER, call(arguments="{}"), result(), BYE, tools=tools())
    assert reason(trajectory) == "invalid_arguments"
    assert first_failure(trajectory, Context(), without=NEEDS_EVIDENCE) is None


def test_a_truncated_end_does_not_excuse_other_lost_calls() -> None:
    trajectory = row(USER, call(), USER, call())
    assert reason(trajectory, keep_truncated=True) == "unpaired_calls"


def test_think_tools_and_changing_results_are_no_loop() -> None:
    assert reason(row(USER, call(), result(), *[call("think"), result("")] * 9, BYE)) is None
    changing = [item for n in range(9) for item in (call(), result(f"state {n}"))]
    assert reason(row(USER, *changing, BYE)) is None
    spelled = [item for n in range(4) for item in (call(arguments='{"id":' + " " * n + '"1"}'), result())]
    assert reason(row(USER, *spelled, BYE)) == "call_loop"


def test_the_rules_of_an_env_are_heeded() -> None:
    assert reason(row(*GOOD, {"role": "user", "content": "DONE"}), EnvRules(stop="^DONE$")) is None
    assert reason(row(USER, call(), result("FAIL"), BYE), EnvRules(failed="^FAIL")) == "error_only"
    assert reason(row(USER, call("hang_up"), result()), EnvRules(kinds={"hang_up": "terminal"})) is None


def test_calls_of_the_user_are_not_held_against_the_agent() -> None:
    own = {**call("phone_reboot", "{}"), "role": "user"}
    assert reason(row(own, result(), *GOOD, tools=tools())) is None


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "objekt"},
        {"properties": 3},
        {"type": "object", "properties": {"id": {"pattern": "("}}},
        "text",
        3,
    ],
)
def test_a_recorded_schema_that_is_none_judges_nothing(parameters: Any) -> None:
    assert reason(row(*GOOD, tools=tools(parameters))) in (None, "invalid_arguments")


@pytest.mark.parametrize(
    "ref",
    ["http://example.com/s.json", "https://example.com/s.json#/x", "file:///etc/passwd", "#/nowhere", "other.json"],
)
def test_a_schemas_reference_is_never_fetched(monkeypatch: pytest.MonkeyPatch, ref: str) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert reason(row(*GOOD, tools=tools({"type": "object", "properties": {"id": {"$ref": ref}}}))) is None


def test_a_reference_inside_the_schema_works() -> None:
    parameters = {"$defs": {"n": {"type": "integer"}}, "type": "object", "properties": {"id": {"$ref": "#/$defs/n"}}}
    assert reason(row(*GOOD, tools=tools(parameters))) == "invalid_arguments"


def test_a_schema_that_refers_to_itself_without_end() -> None:
    assert reason(row(*GOOD, tools=tools({"$ref": "#"}))) in (None, "invalid_arguments")


def inferred(calls: int, odd: str) -> tuple[Callable[[Trajectory], str | None], Trajectory]:
    usual = [row(USER, call(arguments=json.dumps({"id": str(n)})), result(), BYE) for n in range(calls - 1)]
    strange = row(USER, call(arguments=odd), result(), BYE)
    context = Context(tools=gather([*usual, strange]))
    assert [first_failure(item, context) for item in usual] == [None] * len(usual)

    def judge(item: Trajectory) -> str | None:
        return (first_failure(item, context) or (None,))[0]

    return judge, strange


@pytest.mark.parametrize(
    ("calls", "odd", "expected"),
    [
        (20, "{}", "invalid_arguments"),
        (19, "{}", None),
        (101, '{"id": 3}', "invalid_arguments"),
        (100, '{"id": 3}', None),
        (200, '{"id": "1", "extra": 3}', None),
    ],
)
def test_inferred_schemas(calls: int, odd: str, expected: str | None) -> None:
    judge, strange = inferred(calls, odd)
    assert judge(strange) == expected


def test_the_evidence_of_one_env_says_nothing_of_another() -> None:
    judge, strange = inferred(50, "{}")
    assert judge(strange) == "invalid_arguments"
    assert judge(replace_env(strange, "other")) is None


def replace_env(item: Trajectory, env_id: str) -> Trajectory:
    return {**item, "env_id": env_id}


def test_details_name_the_place() -> None:
    trajectory = row(USER, call(arguments='{"id": 3}'), result(), BYE, tools=tools())
    assert first_failure(trajectory, Context()) == (
        "invalid_arguments",
        "message 1: get_order: id: 3 is not of type 'string'",
    )
    settings = replace(FilterSettings(), max_chars=5)
    found = first_failure(row(*GOOD), Context(settings))
    assert found is not None
    assert "characters" in found[1]


def test_a_schema_as_deep_as_a_record_may_be() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(90):
        schema = {"type": "object", "properties": {"id": schema}}
    assert reason(row(*GOOD, tools=tools(schema))) in (None, "invalid_arguments")
