"""A trajectory as steps: each call with its result and evidence, and which of them are drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.reading.turns import WINDOW, step_at, steps_of, window_around
from tests.app.reading.rows import TIERS, hostile, long, result, rollout, row, shop, turn


def test_a_result_stands_with_its_call() -> None:
    steps = steps_of(shop())
    assert [step.index for step in steps] == [0, 1, 2, 4, 6, 7]
    assert [step.kind for step in steps] == [None, None, "silent", "silent", "final", None]
    call = steps[2].calls[0]
    assert (call.call["name"], call.result_index, call.paired_by, call.failed) == ("get_user", 3, "id", False)
    assert steps[3].calls[0].failed


def test_thinking_comes_with_the_checks_it_failed() -> None:
    steps = steps_of(shop())
    assert steps[2].thinking[0]["original"] == "I must look."
    assert steps[3].flags == ("parroting",)


def test_evidence_stands_with_its_call() -> None:
    told = [call.evidence for step in steps_of(rollout()) for call in step.calls]
    assert [entry["tier"] for entry in told if entry] == list(TIERS)


def test_a_result_without_a_call_is_a_step_of_its_own() -> None:
    last = steps_of(hostile())[-1]
    assert (last.role, last.index, last.calls) == ("tool", 6, ())


def test_a_call_may_have_no_result_and_a_reject_no_messages() -> None:
    (step,) = steps_of(row("x", [turn(None, ("f", {}))]))
    assert (step.calls[0].result, step.last_index) == (None, 0)
    assert steps_of({**shop(), "messages": None, "thinking": None, "evidence": None}) == []  # type: ignore[typeddict-item]


def test_calls_side_by_side_have_their_own_results() -> None:
    steps = steps_of(row("x", [turn(None, ("f", {}), ("g", {})), result("of g", "c1"), result("of f", "c0")]))
    assert [call.result and call.result["content"] for call in steps[0].calls] == ["of f", "of g"]
    assert steps[0].last_index == 2


def test_a_message_is_found_in_the_step_that_shows_it() -> None:
    steps = steps_of(shop())
    assert [step_at(steps, index) for index in range(8)] == [0, 1, 2, 2, 3, 3, 4, 5]
    assert step_at(steps, 10**9) == 5
    assert step_at([], 3) == 0


def test_only_a_window_of_a_long_trace_is_drawn() -> None:
    total = len(steps_of(long(1_000)))
    assert total == 1_001
    assert window_around(0, total) == range(0, WINDOW)
    assert window_around(1_000, total) == range(1_000, 1_001)
    assert window_around(0, 0) == range(0)


@given(st.integers(-5, 500), st.integers(1, 300))
def test_the_window_holds_the_step(step: int, total: int) -> None:
    window = window_around(step, total)
    assert min(max(step, 0), total - 1) in window
    assert 0 < len(window) <= WINDOW
