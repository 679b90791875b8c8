from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from synth.journal.folder import Journal
from synth.ledger import Ledger
from synth.money import dollars, nano

AMOUNTS = st.integers(0, 400_000_000)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), AMOUNTS),
        st.tuples(st.just("answer"), st.integers(0, 1_000)),
        st.tuples(st.just("batch"), AMOUNTS),
        st.tuples(st.just("batch answer"), st.integers(0, 1_000)),
        st.tuples(st.just("batch end"), st.just(0)),
        st.tuples(st.just("crash"), st.just(0)),
    ),
    max_size=30,
)


@given(st.integers(0, 10**15))
def test_a_figure_in_a_record_reads_back_alike(amount: int) -> None:
    assert nano(dollars(amount)) == amount


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_the_total_never_exceeds_the_cap_whatever_dies_when(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, cap, number = Path(name) / "j", 1_000_000_000, 0
        while True:
            with Journal.open(folder) as journal:
                ledger = Ledger(1.0, journal.account)
                assert ledger.total == ledger.spent + ledger.reserved + ledger.orphaned <= cap
                on_their_way: list[tuple[str, int]] = []
                batches = {tag: batch.left for tag, batch in journal.account.batches.items()}
                while steps:
                    (step, amount), steps = steps[0], steps[1:]
                    number += 1
                    key = f"k{number}"
                    if step == "crash":
                        break
                    if step == "send" and ledger.reserve(amount):
                        journal.write_now({"t": "sent", "id": key, "key": key, "usd": dollars(amount)})
                        on_their_way.append((key, amount))
                    elif step == "answer" and on_their_way:
                        sent, reserved = on_their_way.pop(amount % len(on_their_way))
                        cost = reserved * amount // 1_000
                        record = {"t": "reply", "id": sent, "key": sent, "kind": "ok", "usd": dollars(cost)}
                        journal.write_now(record)
                        ledger.settle(reserved, cost)
                    elif step == "batch" and ledger.reserve_batch(key, amount):
                        usd = dollars(amount)
                        journal.write_now({"t": "batch", "id": key, "state": "intent", "keys": [], "usd": usd})
                        batches[key] = amount
                    elif step == "batch answer" and batches:
                        tag = min(batches)
                        cost = batches[tag] * amount // 1_000
                        batches[tag] -= cost
                        record = {"t": "reply", "id": tag, "key": key, "kind": "ok", "usd": dollars(cost)}
                        journal.write_now(record)
                        ledger.settle_batch(tag, cost)
                    elif step == "batch end" and batches:
                        tag = min(batches)
                        del batches[tag]
                        journal.write_now({"t": "batch", "id": tag, "state": "ended"})
                        ledger.end_batch(tag)
                    assert ledger.total <= cap and ledger.overruns == 0
                account = journal.account
                assert ledger.total == account.spent + account.orphaned + account.reserved
            if not steps:
                return


def test_what_does_not_fit_now_is_told_from_what_never_will() -> None:
    ledger = Ledger(1.0)
    assert ledger.reserve(nano(0.7))
    assert not ledger.reserve(nano(0.4)) and ledger.can_fit(nano(0.4))
    assert not ledger.can_fit(nano(1.1))
    ledger.settle(nano(0.7), nano(0.65))
    assert not ledger.reserve(nano(0.4)) and not ledger.can_fit(nano(0.4))
    assert ledger.reserve(nano(0.35))


def test_an_overrun_is_counted_and_stops_the_next_request() -> None:
    ledger = Ledger(1.0)
    assert ledger.reserve(nano(0.5))
    ledger.settle(nano(0.5), nano(1.2))
    assert (ledger.overruns, ledger.overrun) == (1, nano(0.7))
    assert not ledger.reserve(1) and not ledger.can_fit(1)


def test_without_a_cap_everything_fits() -> None:
    ledger = Ledger()
    assert ledger.reserve(10**30) and ledger.can_fit(10**30)


def test_sums_do_not_depend_on_the_order() -> None:
    forward, backward = Ledger(), Ledger()
    amounts = [nano(0.1), nano(1e-9), nano(0.2), nano(123_456.789)]
    for ledger, order in ((forward, amounts), (backward, amounts[::-1])):
        for amount in order:
            ledger.reserve(amount)
            ledger.settle(amount, amount)
    assert forward.spent == backward.spent == 123_457_089_000_001
