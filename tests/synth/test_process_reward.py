import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UsageError
from curate.readers.messages import message
from synth.process_reward import ProcessWeights, common_subsequence, leaks, process_reward
from tests.train.rows import TOOLS, call, result, says

SCHEMAS = json.dumps([*TOOLS, {"type": "function", "function": {"name": "cancel_order", "parameters": {}}}])
READ = call("get_order", {"order_id": "W1"})
GOOD = [says(None, READ, thought="Look."), result("open"), says("It is open.", thought="Found.")]


def parts(*steps, reference=(), **given):
    return process_reward(list(steps), SCHEMAS, list(reference), **given).parts


def test_a_rollout_as_recorded_has_all_of_it():
    found = process_reward(GOOD, SCHEMAS, GOOD)
    assert found.total == pytest.approx(1.0) and set(found.parts.values()) == {1.0}


def test_a_rollout_without_a_call_where_the_reference_calls_has_nothing_for_its_calls():
    found = parts(says("It is open.", thought="I guess."), reference=GOOD)
    assert (found["call_format"], found["call_order"], found["answered"]) == (0.0, 0.0, 1.0)
    assert parts(says("Hello.", thought="Greet."))["call_format"] == 1.0


def test_calls_are_judged_one_by_one():
    calls = [
        READ,
        call("get_order", {"id": 1}),
        call("fly", {}),
        call("get_order", "{oops") | {"args_status": "unparsed"},
    ]
    found = parts(says(None, *calls), reference=GOOD)
    assert (found["call_format"], found["tool_exists"], found["arguments_valid"]) == (0.75, 0.75, 0.25)


def test_an_equal_call_is_a_repeat_unless_something_was_written_in_between():
    cancel = call("cancel_order", {"order_id": "W1"})
    again = READ | {"arguments": '{ "order_id":"W1" }'}
    assert parts(says(None, READ), says(None, again))["no_repeats"] == 0.5
    assert parts(says(None, READ), says(None, cancel), says(None, READ))["no_repeats"] == 1.0
    assert parts(says(None, cancel), says(None, cancel))["no_repeats"] == 0.5


def test_the_order_is_that_of_the_reference():
    cancel = call("cancel_order", {"order_id": "W1"})
    reference = [says(None, READ), says(None, cancel)]
    assert parts(says(None, cancel), says(None, READ), reference=reference)["call_order"] == 0.5
    assert parts(says(None, READ), says(None, READ), says(None, cancel), reference=reference)["call_order"] == 1.0


def test_thinking_in_the_answer_is_a_leak():
    thought = "The user wants the order and I have to look at its status before I say a thing about it."
    assert leaks("</think> Open.", [])
    assert leaks(f"Well: {thought.upper()}", ["Hm.", thought])
    assert not leaks("The user wants the order.", [thought])
    assert parts(says(thought, thought=thought))["thinking_apart"] == 0.0


def test_an_empty_answer_is_none():
    assert parts(says(None, READ, thought="Look."))["answered"] == 0.0
    assert parts()["thinking_present"] == 0.0
    assert parts(says("Hi."), says("Ho.", thought="x"))["thinking_present"] == 0.5


def test_the_users_own_calls_are_not_judged():
    user = message("user", "x") | {"tool_calls": [call("fly", {})]}
    assert parts(user, *GOOD, reference=GOOD)["tool_exists"] == 1.0


def test_weights_decide_what_counts():
    only = dict.fromkeys(ProcessWeights.__dataclass_fields__, 0.0)
    steps = [says(None, call("fly", {}))]
    assert process_reward(steps, SCHEMAS, weights=ProcessWeights(**only | {"tool_exists": 2.0})).total == 0.0
    assert process_reward(steps, SCHEMAS, weights=ProcessWeights(**only | {"call_format": 2.0})).total == 1.0
    for bad in (only, only | {"answered": -1.0}, only | {"answered": float("nan")}):
        with pytest.raises(UsageError):
            ProcessWeights(**bad).check()


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_a_common_subsequence_is_no_longer_than_either(one, two):
    length = common_subsequence(one, two)
    assert length == common_subsequence(two, one) <= min(len(one), len(two))
    assert common_subsequence(one, one) == len(one)
