"""Batches in rounds: each pass over the rows decides what can be decided and gives the asks that are still open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from synth.asking.batches import BatchRun
from synth.asking.online import count
from synth.asking.turns import RowAsks
from synth.journal import Journal
from synth.progress import RunProgress
from synth.teachers.asks import Ask


class Rounds:
    """The rounds of a run.

    Args:
        rows: gives all trajectories anew, ready to be asked about.
        journal: where outcomes are noted.
        progress: what the person sees.
    """

    def __init__(self, rows: Callable[[], Iterable[RowAsks]], journal: Journal, progress: RunProgress) -> None:
        self._rows = rows
        self._journal = journal
        self._progress = progress
        self._first = True
        self._left = 0

    async def ask(self, run: BatchRun) -> None:
        """Ask until every turn is decided: the first answers, then those to what was asked again.

        Raises:
            RunStopped: if the run cannot go on now.
            KeyboardInterrupt: when a signal has stopped it; the batches go on.
        """
        await run.settle_open()
        while True:
            self._left = 0
            await run.round(self._open())
            if not self._left:
                return

    def _open(self) -> Iterator[Ask]:
        """The asks without an answer; turns that are decided are noted on the way."""
        for asks in self._rows():
            for index in asks.indices:
                turn = asks.open(index)
                if records := turn.pending():
                    self._journal.write_now(*records)
                if turn.ask is not None:
                    self._left += 1
                    self._progress.rejected(turn.last_codes)
                    yield turn.ask
                elif self._first or not turn.known:
                    if turn.last_codes:
                        self._progress.rejected(turn.last_codes)
                    count(turn, self._progress)
        self._first = False
