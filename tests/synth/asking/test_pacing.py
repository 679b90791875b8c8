from __future__ import annotations

import asyncio

import pytest

from synth.asking.pacing import Pacer, TeacherDown
from synth.settings import PaceSettings
from synth.teachers.asks import Reply


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def too_many(wait: float | None = None) -> Reply:
    return Reply("again", "rate_limited", billed="nothing", wait=wait)


def test_the_limit_falls_once_for_what_was_under_way_together_and_grows_again() -> None:
    clock = Clock()
    pacer = Pacer(PaceSettings(concurrency=64), clock)
    sent = pacer.now()
    for _ in range(40):
        clock.now += 0.001
        pacer.failed(too_many(0.0), sent)
    assert pacer.allowed == 48
    clock.now += 1
    pacer.failed(too_many(0.0), clock.now)
    assert pacer.allowed == 36
    for _ in range(36):
        pacer.succeeded()
    assert pacer.allowed == 36 or pacer.allowed == 37
    for _ in range(5000):
        pacer.succeeded()
    assert pacer.allowed == 64


@pytest.mark.parametrize(("wait", "least", "most"), [(3.0, 3.0, 3.3), (7200.0, 600.0, 660.0), (-5.0, 0.0, 0.0)])
def test_a_servers_wait_is_obeyed_up_to_the_ceiling(wait: float, least: float, most: float) -> None:
    clock = Clock()
    pacer = Pacer(PaceSettings(), clock)
    pacer.failed(too_many(wait), clock.now)
    assert least <= max(0.0, pacer.paused_until - clock.now) <= most


def test_pauses_without_a_wait_grow_and_end() -> None:
    clock = Clock()
    pacer = Pacer(PaceSettings(give_up_s=1e9), clock)
    pauses = []
    for _ in range(10):
        clock.now = max(clock.now, pacer.paused_until) + 1
        pacer.failed(too_many(), clock.now)
        pauses.append(pacer.paused_until - clock.now)
    assert pauses[0] < 1 and 60 <= pauses[-1] <= 66
    pacer.succeeded()
    clock.now = pacer.paused_until + 1
    pacer.failed(too_many(), clock.now)
    assert pacer.paused_until - clock.now < 1


def test_it_gives_up_when_nothing_succeeds() -> None:
    clock = Clock()
    pacer = Pacer(PaceSettings(give_up_s=60), clock)
    clock.now += 59
    pacer.failed(Reply("again", "server_error"), clock.now)
    clock.now += 2
    with pytest.raises(TeacherDown, match=r"61 s.*server_error"):
        pacer.failed(Reply("again", "server_error"), clock.now)


async def holding(pacer: Pacer, release: asyncio.Event, most: list[int]) -> None:
    async with pacer.slot():
        most.append(pacer.in_flight)
        await release.wait()


def test_slots_are_bounded_and_handed_on_when_a_waiter_is_cancelled() -> None:
    async def scene() -> list[int]:
        pacer, release, most = Pacer(PaceSettings(concurrency=3)), asyncio.Event(), list[int]()
        tasks = [asyncio.ensure_future(holding(pacer, release, most)) for _ in range(9)]
        await asyncio.sleep(0.01)
        assert pacer.in_flight == 3
        tasks[4].cancel()
        release.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert pacer.in_flight == 0
        return most

    most = asyncio.run(scene())
    assert len(most) == 8 and max(most) == 3


def test_nobody_enters_during_a_pause() -> None:
    async def scene() -> float:
        pacer = Pacer(PaceSettings())
        pacer.failed(too_many(0.1), pacer.now())
        before = pacer.now()
        async with pacer.slot():
            return pacer.now() - before

    assert asyncio.run(scene()) >= 0.1
