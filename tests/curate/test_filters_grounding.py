from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.filters import ContentSettings, Context, FilterSettings, first_failure
from curate.filters.base import view_of
from curate.filters.grounding import ungrounded
from curate.normalise import Input, normalise
from curate.readers.openai_chat import OpenAIChat
from curate.readers.tau_bench import TauBench
from curate.trajectory import Trajectory

Json = Any
SYSTEM = {"role": "system", "content": "You work for Acme. Today is 2024-05-15. Refunds go to gift_card_7815826."}
BYE = {"role": "assistant", "content": "bye"}


def call(arguments: Json, name: str = "get_order", content: str | None = None) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": content, "tool_calls": [{"id": "c", "function": function}]}


def result(content: Json) -> dict[str, Any]:
    return {
        "role": "tool",
        "tool_call_id": "c",
        "content": content if isinstance(content, str) else json.dumps(content),
    }


def row(*messages: dict[str, Any], **facts: Any) -> Trajectory:
    record = {"messages": list(messages), **facts}
    return normalise(OpenAIChat().convert(record), record, 0, Input("x.jsonl", "x"))


def made_up(arguments: Json, user: str, name: str = "get_order", **facts: Any) -> list[Json]:
    """The ungrounded values of one call after the user has spoken."""
    trajectory = row(SYSTEM, {"role": "user", "content": user}, call(arguments, name), result("ok"), BYE, **facts)
    return [item.value for item in ungrounded(view_of(trajectory, {}))]


@pytest.mark.parametrize(
    ("arguments", "user"),
    [
        ({"order_id": "#W2611340"}, "my order is w2611340"),
        ({"order_id": "W-2611340"}, "order W2611340, please"),
        ({"phone": "+1 415 555 2671"}, "call (1415) 555-2671"),
        ({"total": 1299}, "it cost 1,299.00 dollars"),
        ({"total": "1299.00"}, "it cost $1,299"),
        ({"rate": 0.15}, "take 15% off that"),
        ({"date": "2024-05-20"}, "on May 20, please"),
        ({"date": "2024-05-20"}, "on the 20th of May"),
        ({"date": "2024-05-20"}, "on 5/20/2024"),
        ({"date": "2024-05-20"}, "20.05.2024"),
        ({"date": "2024-05-21"}, "the day after May 20"),
        ({"date": "2024-05-17"}, "next Friday"),
        ({"date": "2024-05-20T14:30:00"}, "May 20 at half past two"),
        ({"time": "14:00"}, "at 2pm"),
        ({"first_name": "Mia", "last_name": "Li"}, "I am Mia Li"),
        ({"user": {"emails": ["mia.li3668@example.com"]}}, "MIA.LI3668@EXAMPLE.COM"),
        ({"account": "gift_card_7815826"}, "to the card"),
        ({"path": "/home/mia/report.txt"}, "open report.txt in the home of mia"),
        ({"airport": "SFO", "currency": "EUR", "limit": 50, "max": 1000, "flag": True, "none": None}, "San Francisco"),
        ({"amount": 350}, "two tickets of 125 and one of 225"),
        ({"amount": 62.5}, "it costs 250.25, I paid 187.75"),
        ({"query": "best budget laptops"}, "which notebook should I buy?"),
        ({"lat": 37.7749, "lon": -122.4194}, "San Francisco"),
        (
            {"summary": "The user wants to return the order because the lamp is broken"},
            "my lamp is broken, I want to return the order",
        ),
    ],
)
def test_what_was_said_is_grounded(arguments: Json, user: str) -> None:
    assert made_up(arguments, user) == []


@pytest.mark.parametrize(
    ("arguments", "user", "expected"),
    [
        ({"order_id": "#W2611341"}, "my order is W2611340", ["#W2611341"]),
        ({"order_id": "4896585270"}, "4896585277 and 7", ["4896585270"]),
        ({"total": 1298.5}, "it cost 1,299 dollars", [1298.5]),
        ({"date": "2024-07-20"}, "on May 20", ["2024-07-20"]),
        ({"name": "Jonathan Smith"}, "I am Mia Li", ["Jonathan Smith"]),
        ({"email": "john@example.com"}, "I am Mia", ["john@example.com"]),
        ({"street": "Elm Close 62"}, "I live in Elm Close 67", ["Elm Close 62"]),
        ({"items": [{"id": "I-4711"}, {"id": "I-4712"}]}, "I-4711", ["I-4712"]),
        ({"a": "Z9999", "b": "Z9999"}, "hi", ["Z9999"]),  # each value once
        (
            {"reason": "the customer asked for order W7777777 to be cancelled"},
            "cancel my order",
            ["the customer asked for order W7777777 to be cancelled"],
        ),
    ],
)
def test_what_was_not_said_is_made_up(arguments: Json, user: str, expected: list[Json]) -> None:
    assert made_up(arguments, user) == expected


def test_results_ground_later_calls_but_not_earlier_ones() -> None:
    found = result({"orders": ["W1112223"]})
    user = {"role": "user", "content": "where is my order?"}
    later = row(SYSTEM, user, call({"user": "me"}), found, call({"order_id": "W1112223"}), result("ok"), BYE)
    assert ungrounded(view_of(later, {})) == []
    earlier = row(SYSTEM, user, call({"order_id": "W1112223"}), found, BYE)
    assert [item.value for item in ungrounded(view_of(earlier, {}))] == ["W1112223"]


def test_what_the_assistant_says_counts_once_the_user_has_read_it() -> None:
    user = {"role": "user", "content": "I need a voucher"}
    offer = {"role": "assistant", "content": "Shall I make it VOUCHER-4711?"}
    agreed = row(user, offer, {"role": "user", "content": "yes"}, call({"code": "VOUCHER-4711"}), result("ok"), BYE)
    assert ungrounded(view_of(agreed, {})) == []
    at_once = row(user, call({"code": "VOUCHER-4711"}, content="I use VOUCHER-4711."), result("ok"), BYE)
    assert [item.value for item in ungrounded(view_of(at_once, {}))] == ["VOUCHER-4711"]


def test_the_tools_ground_what_they_list() -> None:
    parameters = {
        "type": "object",
        "properties": {"cabin": {"enum": ["premium_economy"]}, "unit": {"default": "celsius"}},
    }
    tools = [{"type": "function", "function": {"name": "get_order", "parameters": parameters}}]
    assert made_up({"cabin": "premium_economy", "unit": "celsius"}, "book it", tools=tools) == []
    assert made_up({"cabin": "premium_economy"}, "book it") == ["premium_economy"]


def test_think_tools_and_users_calls_are_not_asked() -> None:
    assert made_up({"thought": "W7777777 it is"}, "hi", name="think") == []
    own = {**call({"id": "Z9999"}), "role": "user"}
    trajectory = row({"role": "user", "content": "hi"}, own, result("ok"), BYE)
    assert ungrounded(view_of(trajectory, {})) == []


def test_off_by_default_and_a_count_when_asked() -> None:
    user = {"role": "user", "content": "hello"}
    trajectory = row(user, call({"a": "Z9999", "b": "Y8888"}), result("ok"), BYE)

    def failure(most: int | None) -> tuple[str, str] | None:
        return first_failure(trajectory, Context(FilterSettings(content=ContentSettings(max_ungrounded=most))))

    assert failure(None) is None
    assert failure(2) is None
    assert failure(1) == (
        "ungrounded_arguments",
        "message 1: get_order: a: 'Z9999' stands in no earlier message (2 values in all)",
    )


texts = st.text(st.characters(exclude_categories=("C",), exclude_characters='"\\'))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=9), values, max_size=4))
def test_what_the_user_said_word_for_word_is_grounded(arguments: dict[str, Json]) -> None:
    assert made_up(arguments, json.dumps(arguments, ensure_ascii=False)) == []


@given(st.dictionaries(st.text(max_size=9), values, max_size=4), st.text())
def test_any_arguments_and_any_text_can_be_judged(arguments: dict[str, Json], user: str) -> None:
    assert len(made_up(arguments, user)) <= 60


def test_a_thousand_calls_of_new_values_in_a_long_dialogue_come_to_an_end() -> None:
    messages = [SYSTEM, {"role": "user", "content": "1.5 " * 100_000}]
    for number in range(300):
        fresh = {f"k{at}": f"Q{number}X{at}-{'z' * 20}" for at in range(20)}
        messages += [call({**fresh, "n": 10**5 + number + 0.37}), result("x" * 1_000)]
    assert len(ungrounded(view_of(row(*messages, BYE), {}))) <= 2_000


@pytest.mark.parametrize(
    ("name", "most"),
    [("tau_bench_airline_gpt4o", 0), ("tau_bench_retail_gpt4o", 1), ("tau_bench_retail_code_agent", 0)],
)
def test_agents_of_real_files_make_hardly_anything_up(shared: Path, name: str, most: int) -> None:
    records = json.loads(gzip.decompress((shared / f"{name}.json.gz").read_bytes()))
    rows = (normalise(TauBench().convert(item), item, at, Input("x", "x")) for at, item in enumerate(records))
    assert sum(bool(ungrounded(view_of(item, {}))) for item in rows) == most
