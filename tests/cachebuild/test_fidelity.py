import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.fidelity import chance_of, fidelity

TEXTS = st.text(alphabet="ab1 {}:\u00e9", max_size=20)
SHARES = st.floats(0, 1)


def test_equal_results_are_whole_and_strangers_nothing():
    assert fidelity('{"a": 1}', '{"a": 1}', chance=1.0) == 1
    assert fidelity("red", "blue") == 0 == fidelity("", "red") == fidelity("!", "?")


def test_repeated_tokens_count_each_time():
    assert fidelity("a a b", "a b b") == pytest.approx(2 / 4)


def test_what_chance_explains_counts_as_nothing():
    assert fidelity("name a", "name b", chance=1 / 3) == 0
    assert fidelity("name a b", "name a c", chance=0.2) == pytest.approx((0.5 - 0.2) / 0.8)


def test_chance_is_what_different_results_share():
    form = [f'{{"name": "{name}"}}' for name in ("ann", "bob", "cid")]
    assert chance_of(form) == pytest.approx(1 / 3)
    assert chance_of(form * 5) == chance_of(reversed(form)) == chance_of(form)
    assert chance_of([]) == chance_of(["ok", "ok"]) == 0


def test_two_results_that_differ_in_form_alone_leave_nothing_to_compare():
    assert chance_of(["a b", "b a"]) == 1
    assert fidelity("a b", "b a", chance=1.0) == 0


@given(TEXTS, TEXTS, SHARES)
def test_bounds(one, two, chance):
    found = fidelity(one, two, chance)
    assert 0 <= found <= fidelity(one, two) <= 1
    assert found == fidelity(two, one, chance)
    assert fidelity(one, one, chance) == 1


@given(st.lists(TEXTS, max_size=8))
def test_chance_is_a_share(results):
    assert 0 <= chance_of(results) <= 1


def test_many_and_long_results_are_sampled():
    assert 0 < chance_of(f"order {number} " * 100_000 for number in range(20)) < 1
    assert 0 < chance_of(f"order {number}" for number in range(50_000)) < 1
