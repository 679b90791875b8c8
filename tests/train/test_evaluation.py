import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.readers.messages import message
from tests.train.rows import call, says
from train.evaluation import interval, pass_hat_k, process_accuracy

EXPECTED = [("find", {"customer_id": "c1"}), ("get", {"order_id": "o1"})]
FIND, GET = call("find", {"customer_id": "c1"}), call("get", {"order_id": "o1"})


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


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_an_interval_holds_the_mean_and_is_the_same_again(values):
    mean, low, high = interval(values)
    assert low - 1e-9 <= mean <= high + 1e-9 and interval(values) == (mean, low, high)
