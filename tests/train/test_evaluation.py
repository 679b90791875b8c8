import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.readers.messages import message
from tests.train.rows import call, says
from train.evaluation import every_of, interval, pass_hat_k, pooled, process_accuracy, task_values

EXPECTED = [("find", {"customer_id": "c1"}), ("get", {"order_id": "o1"})]
FIND, GET = call("find", {"customer_id": "c1"}), call("get", {"order_id": "o1"})
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=50)


def test_expected_calls_count_in_their_order_with_equal_arguments():
    assert process_accuracy([says(None, FIND), says(None, call("list", {})), says(None, GET)], EXPECTED) == 1.0
    assert process_accuracy([says(None, GET), says(None, FIND)], EXPECTED) == 0.5
    assert process_accuracy([says(None, FIND, call("get", {"order_id": "o2"}))], EXPECTED) == 0.5
    assert process_accuracy([message("user", "x")], EXPECTED) == 0.0
    assert process_accuracy([], []) == 1.0


def test_pass_hat_k_is_the_chance_that_all_of_k_attempts_succeed():
    assert pass_hat_k([[True, True, False, False]], 1) == 0.5
    assert pass_hat_k([[True, True, False, False]], 2) == pytest.approx(1 / 6)
    assert pass_hat_k([[True, True], [False, True]], 2) == 0.5
    assert pass_hat_k([], 1) == 0.0


def test_attempts_at_one_turn_count_together_and_turns_of_one_task_are_averaged():
    rows = [
        {"task_id": "a", "turn": turn, "done": done}
        for turn, tries in {"1": (True, True), "2": (True, False)}.items()
        for done in tries
    ]
    assert task_values(rows, every_of("done", 1)) == {"a": 0.75}
    assert task_values(rows, every_of("done", 2)) == {"a": 0.5}


@given(SHARES)
def test_an_interval_holds_the_mean_and_is_the_same_again(values):
    mean, low, high = interval(values)
    assert low - 1e-9 <= mean <= high + 1e-9 and interval(values) == (mean, low, high)


def test_an_interval_is_about_as_wide_as_it_should_be():
    mean, low, high = interval([0.0, 1.0] * 200)
    assert mean == 0.5 and low == pytest.approx(0.451, abs=0.006) and high == pytest.approx(0.549, abs=0.006)


def named(run, values):
    return {f"{run}{number}": value for number, value in enumerate(values)}


@given(SHARES, SHARES)
def test_pooled_runs_count_alike_whatever_their_size(one, two):
    found = pooled([named("a", one), named("b", two)])
    assert found.mean == pytest.approx((sum(one) / len(one) + sum(two) / len(two)) / 2)
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9


def test_more_runs_make_a_narrower_interval():
    values = [0.0, 1.0] * 50
    one, four = interval(values), pooled([named(run, values) for run in "abcd"])
    assert (four.high - four.low) == pytest.approx((one.high - one.low) / 2, rel=0.15)
    assert pooled([]) == (0.0, 0.0, 0.0)


def test_runs_of_the_same_tasks_are_no_more_tasks():
    values = named("a", [0.0, 1.0] * 50)
    assert pooled([values] * 4) == pytest.approx(interval(list(values.values())))


def test_runs_that_share_some_tasks_share_their_draw():
    many, few = named("a", [0.0, 1.0] * 50), named("a", [0.0, 1.0] * 10)
    apart = pooled([many, named("b", few.values())])
    together = pooled([many, few])
    assert together.mean == apart.mean == 0.5
    assert together.high - together.low > apart.high - apart.low
    assert pooled([many, {"a0": 0.0}]).mean == 0.25  # a draw without its one task


def test_calls_behind_a_missing_one_do_not_count():
    assert process_accuracy([says(None, GET)], EXPECTED) == 0.0
