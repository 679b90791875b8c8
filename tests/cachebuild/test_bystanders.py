"""Writes that are tied to a read and never changed it: counted, and left out where the read has no other record."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.bystanders import Seen, bystanders, count_unchanged, read_seen, seen_rows


def card(number, state="good"):
    return ("get_card", {"card_id": f"C{number}"}, f'{{"card_id": "C{number}", "state": "{state}"}}')


def cancel(number):
    """Tied to the card: the result names it, the arguments do not."""
    order = f"O{number}"
    return ("cancel_order", {"order_id": order}, f'{{"order_id": "{order}", "card_id": "C{number}"}}')


CANCEL_9 = cancel(9)


@pytest.fixture
def asked(make, compiled):
    """The answer about card 9 behind a write, where three other cards were read on both sides of such writes."""

    def answer(*after, write=CANCEL_9):
        rows = [make(f"seen{at}", [card(at)], [cancel(at)], [card(at, state)]) for at, state in enumerate(after)]
        cache = compiled([*rows, make("card", [card(9)]), make("write", [write])])
        session = cache.session("shop", None, "t1")
        assert session.call(*write[:2]).tier == "exact"
        return session.call(*card(9)[:2])

    return answer


def test_a_read_keeps_its_record_behind_a_write_that_never_changed_such_reads(asked):
    answer = asked("good", "good", "good")
    assert (answer.result, answer.tier) == (card(9)[2], "exact")
    assert answer.p == pytest.approx(0.8)
    assert "never seen to depend on were left out" in answer.reason


def test_one_change_or_too_few_reads_leave_the_write_in_the_state(asked):
    for after in (("good", "good"), ("good", "good", "spent"), ()):
        assert asked(*after).tier in ("best_effort", "unavailable")


def test_a_write_of_the_reads_own_id_is_no_bystander(asked):
    own = ("cancel_order", {"order_id": "O9", "card_id": "C9"}, '{"order_id": "O9"}')
    assert asked("good", "good", "good", write=own).tier in ("best_effort", "unavailable")


def test_equal_reads_are_compared_without_and_behind_the_writes():
    write, own = '[["pay","{\\"order_id\\":\\"O1\\"}"]]', '[["pay","{\\"card_id\\":\\"C1\\"}"]]'
    columns = "env_id initial_state_id task_id tool kind canonical_arguments state result_hash".split()
    place = ("shop", None, "t1", "get_card", "read", '{"card_id":"C1"}')
    rows = [(*place, "", "a"), (*place, write, "a"), (*place, own, "b")]
    rows += [("shop", "other", *place[2:], "", "a"), ("shop", "other", *place[2:], write, "b")]
    rows += [(*place[:4], "write", place[5], write, "c")]
    frame = pl.LazyFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    assert count_unchanged(frame, {}) == {("shop", "get_card"): {"pay": Seen(2, 1)}}


@given(st.integers(0, 50).flatmap(lambda reads: st.tuples(st.just(reads), st.integers(0, reads))))
def test_p_is_a_chance_and_more_unchanged_reads_make_it_higher(counted):
    seen = Seen(*counted)
    assert 0 < seen.p < 1
    assert Seen(seen.reads + 1, seen.unchanged + 1).p > seen.p > Seen(seen.reads + 1, seen.unchanged).p
    assert read_seen(seen_rows({"pay": seen})) == {"pay": seen}
    assert set(bystanders({"pay": seen}).values()) <= {seen.p}
