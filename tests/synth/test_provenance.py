from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.provenance import Trace, ValueIndex
from synth.replies import sentences
from synth.value_forms import all_facts, facts_in


@pytest.fixture
def index() -> ValueIndex:
    made = ValueIndex()
    made.add_text("system", 0, "The current time is 2024-05-15. Payments may be split.")
    made.add_text("user", 1, "I am Mia Li, user id mia_li_3668, and I want order W123 by May 20th, three checked bags.")
    made.add_result(3, "get_user_details", json.dumps({
        "name": {"first_name": "Mia", "last_name": "Li"}, "orders": ["#W123", "#W456"], "zip": "60606",
        "payment_methods": {"gift_card_1": {"id": "gift_card_1", "amount": 50.0}}, "tier": "gold"}))  # fmt: skip
    made.add_result(5, "get_order_details", json.dumps({
        "order_id": "#W456",
        "items": [{"name": "Lamp", "item_id": "777", "product_id": 888, "price": 12.5}]}))  # fmt: skip
    made.add_call(6, "search", {"colour": "teal"})
    made.add_text("assistant", 7, "I can offer the express parcel.")
    made.add_result(9, "find_account", "acc_99")
    made.add_text("user", 10, "Then take item 777 and nothing else.")
    return made


def traced(index: ValueIndex, name: str, value: object, **spec: object) -> Trace:
    return index.trace((name,), value, spec)


@pytest.mark.parametrize(
    ("name", "value", "kind", "message", "path"),
    [
        ("user_id", "mia_li_3668", "user", 1, ()),
        ("user_id", "MIA_LI_3668", "user", 1, ()),
        ("order_id", "W456", "result", 5, ("order_id",)),
        ("order_id", "#w123", "result", 3, ("orders", 0)),
        ("date", "2024-05-20", "user", 1, ()),
        ("total_baggages", 3, "user", 1, ()),
        ("payment_id", "gift_card_1", "result", 3, ("payment_methods", "gift_card_1", "id")),
        ("product_id", "888", "result", 5, ("items", 0, "product_id")),
        ("price", 12.5, "result", 5, ("items", 0, "price")),
        ("amount", 50, "constant", -1, ()),
        ("free_baggages", 3, "constant", -1, ()),
        ("last_name", "Li", "result", 3, ("name", "last_name")),
        ("state", "Li", "constant", -1, ()),
        ("item_id", 777, "user", 10, ()),
        ("shade", "teal", "call", 6, ("colour",)),
        ("service", "express", "assistant", 7, ()),
        ("day", "2024-05-15", "system", 0, ()),
        ("account_id", "acc_99", "result", 9, ()),
        ("insurance", "no", "constant", -1, ()),
        ("express", True, "constant", -1, ()),
        ("note", "", "constant", -1, ()),
        ("destination", "JFK", "nothing", -1, ()),
        ("item_id", "77", "constant", -1, ()),
        ("zip", "6060", "nothing", -1, ()),
        ("summary", "Customer wants order W123 delivered soon", "composed", -1, ()),
        ("summary", "Customer wants order W999 delivered soon", "nothing", -1, ()),
        ("expression", "12.5 + 50", "composed", -1, ()),
    ],
)
def test_the_best_source_of_a_value(index, name, value, kind, message, path) -> None:
    source = traced(index, name, value).source
    assert (source.kind, source.message_index, source.path) == (kind, message, path)


def test_a_small_number_in_a_result_is_no_evidence(index: ValueIndex) -> None:
    index.add_result(11, "add_bags", json.dumps({"total_baggages": 2, "nonfree_baggages": 0}))
    assert traced(index, "nonfree_baggages", 0).source.kind == "constant"
    assert traced(index, "total_baggages", 2).source.kind == "constant"


def test_a_small_number_far_from_its_field_is_not_what_the_user_said(index: ValueIndex) -> None:
    index.add_text("user", 12, "There are 4 of us on this trip, it is a long one, and we carry some checked bags.")
    assert traced(index, "total_baggages", 4).source.kind == "constant"
    index.add_text("user", 13, "We carry 4 checked bags.")
    assert traced(index, "total_baggages", 4).source.message_index == 13


def test_all_results_that_hold_a_fact_are_known(index: ValueIndex) -> None:
    index.add_result(11, "get_order_details", json.dumps({"order_id": "#W123", "price": 12.5}))
    assert index.results_with("12.5") == [11, 5]
    assert index.results_with("acc_99") == [9]
    assert index.results_with("nowhere-1") == []


def test_a_default_or_an_enum_of_the_schema_is_a_constant(index: ValueIndex) -> None:
    assert traced(index, "unit", "metric", enum=["metric", "imperial"]).source.kind == "constant"
    assert traced(index, "unit", "metric", default="metric").source.kind == "constant"


def test_a_value_that_user_and_result_hold_has_both_sources(index: ValueIndex) -> None:
    trace = traced(index, "item_id", "777")
    assert trace.source.kind == "user"
    result = trace.of("result")
    assert result is not None and result.tool == "get_order_details" and result.holder["name"] == "Lamp"


def test_leaves_of_nested_arguments_are_traced(index: ValueIndex) -> None:
    traces = index.trace_arguments({"items": [{"item_id": "777"}], "who": {"last_name": "Li"}, "empty": {}})
    assert [(trace.path, trace.source.kind) for trace in traces] == [
        (("items", 0, "item_id"), "user"),
        (("who", "last_name"), "result"),
        (("empty",), "constant"),
    ]


def test_an_id_inside_a_longer_word_is_not_found(index: ValueIndex) -> None:
    index.add_text("user", 11, "Write to mark_7@example.com about 15.08 and a5b.")
    for value in ("mark_7", "5.08", "08", "a5"):
        assert traced(index, "x", value).source.kind in ("nothing", "constant")


def test_facts_of_a_text_are_ids_numbers_and_dates() -> None:
    assert facts_in("Order #W123 of 2024-05-20 costs $1,250.50, 2 items; card ends in 7334.") == [
        "#W123", "2024-05-20", "1250.50", "7334"]  # fmt: skip


def test_an_id_keeps_its_letters() -> None:
    assert facts_in("Order O-32850 of HAT1-2 comes in 15-inch.") == ["O-32850", "HAT1-2", "15-inch"]


def test_old_texts_are_found_and_time_stays_linear() -> None:
    index = ValueIndex()
    for at in range(400):
        index.add_text("user", at, f"my code is code_{at} and I like it very much")
    assert traced(index, "code", "code_3").source.message_index == 3
    start = time.process_time()
    for at in range(400):
        traced(index, "code", f"code_{at}")
    assert time.process_time() - start < 1.0


def test_a_huge_result_is_bounded() -> None:
    index = ValueIndex()
    start = time.process_time()
    index.add_result(0, "dump", json.dumps([{"id": f"row_{at}", "v": at} for at in range(200_000)]))
    index.add_result(1, "deep", "[" * 100_000)
    assert time.process_time() - start < 5.0
    assert traced(index, "id", "row_5").source.kind in ("result", "nothing")


def test_the_field_of_a_fact_in_one_result(index: ValueIndex) -> None:
    index.add_result(
        11, "search", json.dumps([{"flight": "HAT41", "prices": {"economy": 123}, "I-7": {"size": "12 l"}}])
    )
    assert index.field_of("HAT41", 11) == "flight"
    assert index.field_of("123", 11) == "economy prices"
    assert index.field_of("12 l", 11) == "size"
    assert index.field_of("12.5", 5) == "price"
    assert index.field_of("acc_99", 9) == ""
    assert index.field_of("HAT41", 5) == ""


def test_equal_results_of_two_trajectories_keep_their_places_apart() -> None:
    text = json.dumps({"order_id": "#W1", "items": [{"item_id": "777"}]})
    for at in (3, 8):
        index = ValueIndex()
        index.add_result(at, f"get_{at}", text)
        source = traced(index, "item_id", "777").source
        assert (source.message_index, source.tool, source.path) == (at, f"get_{at}", ("items", 0, "item_id"))


@given(st.text(alphabet="aB9#-_.:@ ,\n", max_size=60))
def test_facts_are_those_of_the_plain_pattern(text: str) -> None:
    assert all_facts(text) == re.findall(r"#?\b(?:[A-Z]{1,6}-)?\w*\d\w*(?:[-.:@]\w+)*", text)


@pytest.mark.parametrize("text", ["1" * 1_000_000, "a1-" * 300_000, "_" * 1_000_000, "1," * 500_000])
def test_a_hostile_text_is_read_in_linear_time(text: str) -> None:
    assert len(facts_in(text)) <= 2
    assert len(sentences(f"{text}. \n" + " \n" * 100_000)) == 1
