"""Ask for all open turns of a set, many trajectories at once, each trajectory's turns in their order.

A worker takes one trajectory after the other, so memory holds as many as there are workers, and a server that caches
prefixes sees the next turn of a dialogue right after the last.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from curate.signals import arrived
from synth.asking.asker import Asker, RunStopped
from synth.asking.turns import OpenTurn, RowAsks
from synth.progress import RunProgress

SPARE_WORKERS = 8
"""Workers beyond the concurrency, which prepare requests while the others wait for answers."""
TICK_SECONDS = 1.0


async def ask_online(rows: Iterable[RowAsks], asker: Asker, progress: RunProgress, concurrency: int) -> None:
    """Ask until every turn is decided. SIGINT and SIGTERM stop it: answers on their way are noted first.

    Raises:
        RunStopped: if the run cannot go on now: money, key, quota, server.
        KeyboardInterrupt: when a signal has stopped it.
    """
    left = iter(rows)

    async def worker() -> None:
        for asks in left:
            if asker.stopped is not None:
                return
            await _ask_row(asks, asker, progress)
            await asyncio.sleep(0)  # a row that stood in the journal has let nobody else run

    async with ticking(progress):
        await run_workers(asker, [worker] * (concurrency + SPARE_WORKERS))


async def run_workers(asker: Asker, workers: Sequence[Callable[[], Any]]) -> None:
    """Run workers until all are done. SIGINT and SIGTERM stop it: answers on their way are noted first.

    Raises:
        RunStopped: if the run cannot go on now: money, key, quota, server.
        KeyboardInterrupt: when a signal has stopped it.
    """
    came: list[int] = []

    def stop(number: int) -> None:
        came.append(number)
        asker.stop(RunStopped("stopped by a signal"))
        if len(came) > 1:
            asker.abandon()

    try:
        with signals_to(stop):
            await asker.run(workers)
    except RunStopped:
        if came:
            raise arrived(came[0]) from None
        raise


async def _ask_row(asks: RowAsks, asker: Asker, progress: RunProgress) -> None:
    for index in asks.indices:
        turn = asks.open(index)
        await asker.note(turn.pending())
        while turn.ask is not None:
            await _ask_turn(turn, asker, progress)
            if turn.missed:
                turn = asks.open(index)
                await asker.note(turn.pending())
        count(turn, progress)


async def _ask_turn(turn: OpenTurn, asker: Asker, progress: RunProgress) -> None:
    """Send what the turn asks next; sets `missed` if another turn's equal ask was answered instead."""
    assert turn.ask is not None
    answered, before = False, turn.judged

    def decide(reply: dict[str, Any]) -> list[dict[str, Any]]:
        nonlocal answered
        answered = True
        records = turn.take(reply)
        if turn.judged > before:
            progress.rejected(turn.last_codes)
        return records

    await asker.ask(turn.ask, turn.answers, decide)
    turn.missed = not answered


def count(turn: OpenTurn, progress: RunProgress) -> None:
    """Count a decided turn."""
    assert turn.outcome is not None
    progress.outcomes = (progress.outcomes + turn.stamp) % 2**128
    if turn.outcome.text is None:
        progress.tombstone(known=turn.known)
    else:
        progress.accepted(known=turn.known)


@asynccontextmanager
async def ticking(progress: RunProgress) -> AsyncIterator[None]:
    """Let the progress show itself during the block, also while nothing comes back."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            progress.tick()

    task = asyncio.ensure_future(tick())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@contextmanager
def signals_to(stop: Callable[[int], None]) -> Iterator[None]:
    """Give SIGINT and SIGTERM to a callback of the running loop; handlers that a program has set itself stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        loop.add_signal_handler(number, stop, int(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
