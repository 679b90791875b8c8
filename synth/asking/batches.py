"""Asking in batches: rounds of asks that are submitted, waited for and journaled, each paid for once.

A batch is announced in the journal before it is made, so whatever kills a run, the next one finds the batch at the
vendor by its tag or its keys. Until it has ended, its worst case counts as spent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from curate.cli import say
from curate.signals import arrived
from synth.asking.asker import RunStopped, no_money, refused
from synth.asking.fetching import Fetcher, OpenBatch
from synth.asking.online import signals_to, ticking
from synth.asking.packing import Packer, Worst
from synth.asking.submitting import TRIES, Submitter, unreachable
from synth.teachers.asks import Ask, BatchError, BatchState

if TYPE_CHECKING:
    from synth.journal.folder import Journal
    from synth.ledger import Ledger
    from synth.prices import Price
    from synth.progress import RunProgress
    from synth.settings import BatchSettings
    from synth.teachers.asks import BatchApi

TOO_FULL = frozenset({"token_limit_exceeded"})
"""The vendor's queue holds as much of ours as it may."""
WORTHWHILE = 1000
"""A smaller batch is not sent for want of money while others are open, whose ends will make room."""
Result = TypeVar("Result")


class BatchRun:
    """Rounds of batches.

    Args:
        batch_api: the vendor's batches.
        journal: where everything is noted.
        ledger: what may be spent.
        price: of the teacher.
        max_tokens: of one answer, where an ask's body does not say.
        settings: how often to look, and how many at once.
        progress: what the person sees.
    """

    def __init__(
        self,
        batch_api: BatchApi,
        journal: Journal,
        ledger: Ledger,
        price: Price,
        max_tokens: int,
        settings: BatchSettings,
        progress: RunProgress,
    ) -> None:
        self._api = batch_api
        self._journal = journal
        self._ledger = ledger
        self._worst = Worst(price, max_tokens)
        self._settings = settings
        self._progress = progress
        self._fetcher = Fetcher(batch_api, journal, ledger, price, progress, settings.poll_s)
        self._submitter = Submitter(batch_api, journal, ledger, self._worst, self._fetcher, settings.poll_s, progress)
        self._failures = 0
        self._most_asks = batch_api.max_asks
        self._most_open = settings.max_open
        self._crowded = False
        self._narrowed = False

    async def settle_open(self) -> None:
        """Bring the batches of earlier runs to their end and journal what they did.

        One that was announced is searched for; if the vendor does not have it, its asks come again.

        Raises:
            RunStopped: if the vendor cannot be asked.
            KeyboardInterrupt: when a signal has stopped it; the batches go on.
        """
        await self._stoppable(self._settle(cancelling=False))

    async def round(self, asks: Iterable[Ask]) -> int:
        """Submit asks and wait until their batches have ended; returns how many have an answer that stands.

        An ask without one (its batch expired, the vendor's queue was full) is to come again in the next round.

        Args:
            asks: that have no answer in the journal.

        Raises:
            RunStopped: if not even one ask fits under the budget, the vendor refuses, or no ask got an answer.
            KeyboardInterrupt: when a signal has stopped it; the batches go on.
        """
        return await self._stoppable(self._round(asks))

    async def cancel(self) -> int:
        """Cancel all open batches and journal what they did; returns how many batches there were.

        Raises:
            RunStopped: if the vendor cannot be asked.
            KeyboardInterrupt: when a signal has stopped it.
        """
        return await self._stoppable(self._settle(cancelling=True))

    async def _stoppable(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do the work until a signal comes; what is open then is left to go on."""
        task = asyncio.ensure_future(work)
        came: list[int] = []

        def stop(number: int) -> None:
            came.append(number)
            task.cancel()

        try:
            async with ticking(self._progress):
                with signals_to(stop):
                    return await task
        except RunStopped as stopped:
            raise RunStopped(f"{stopped}{self._left_open('; ')}") from stopped.__cause__
        except asyncio.CancelledError:
            if not came:
                raise
            if left := self._left_open():
                say(left)
            raise arrived(came[0]) from None

    def _left_open(self, before: str = "") -> str:
        count = len(self._journal.account.batches)
        if not count:
            return ""
        noun = "batch goes" if count == 1 else "batches go"
        return (
            f"{before}{count:,} {noun} on at the vendor; run the same command again to fetch what comes, or with "
            "--cancel-batches"
        )

    async def _round(self, asks: Iterable[Ask]) -> int:
        packer = Packer(asks, self._api, self._worst)
        sent, before = 0, self._fetcher.standing
        self._crowded = self._narrowed = False
        self._fetcher.failed.clear()
        while True:
            sent += await self._fill(packer)
            if not self._submitter.open:
                if (least := packer.least()) is not None:
                    raise no_money(self._ledger, least)
                break
            await asyncio.sleep(self._settings.poll_s)
            await self._look()
        standing = self._fetcher.standing - before
        if sent and not standing and not self._narrowed:
            raise RunStopped(
                f"none of {sent:,} requests in batches was answered ({_counted(self._fetcher.failed)}); what is done "
                "is kept: run the same command again"
            )
        return standing

    async def _fill(self, packer: Packer) -> int:
        """Submit batches while there is room for them; returns how many asks went."""
        sent = 0
        while len(self._submitter.open) < self._most_open and not (self._crowded and self._submitter.open):
            self._crowded = False
            room = None if self._ledger.cap is None else max(0, self._ledger.cap - self._ledger.total)
            pack = await packer.pack(self._most_asks, room)
            if pack.money and self._submitter.open and len(pack.asks) < WORTHWHILE:
                packer.put_back(pack)
                break
            if not pack.asks:
                break
            sent += len(pack.asks)
            await self._submitter.submit(pack)
        return sent

    async def _settle(self, *, cancelling: bool) -> int:
        """Bring what the journal has open to its end; returns how many batches there were."""
        records = self._journal.open_batches()
        for record in records:
            if record.get("batch_id"):
                self._submitter.open[record["id"]] = OpenBatch.of(record)
        asked: set[str] = set()
        if cancelling:
            await self._cancel_others(asked)
        unnamed = [record for record in records if not record.get("batch_id")]
        if cancelling and unnamed and not self._api.finds_at_once:
            say(
                f"{len(unnamed):,} more may have been made, which the vendor names only when they have ended: cancel "
                "them in its console, or run again without --cancel-batches to fetch them"
            )
            unnamed = []
        for record in unnamed:
            await self._submitter.search(OpenBatch.of(record), record)
        records.clear()
        count = len(self._submitter.open)
        while self._submitter.open:
            if cancelling:
                await self._cancel_others(asked)
            await self._look(cancelled=cancelling)
            if self._submitter.open:
                await asyncio.sleep(self._settings.poll_s)
        return count

    async def _cancel_others(self, asked: set[str]) -> None:
        """Cancel the open batches that have not been asked to stop yet."""
        for batch in self._submitter.open.values():
            if batch.tag not in asked and await self._try(self._api.cancel(batch.batch_id)) is not _FAILED:
                asked.add(batch.tag)

    async def _look(self, *, cancelled: bool = False) -> None:
        """Look once at each open batch, and take in those that have ended."""
        for batch in list(self._submitter.open.values()):
            state = await self._try(self._api.state(batch.batch_id))
            if isinstance(state, BatchState) and state.ended:
                await self._fetcher.fetch(batch)
                await self._submitter.end(batch, "cancelled" if cancelled else "ended")
                self._after(batch, state)

    async def _try(self, operation: Coroutine[Any, Any, Result]) -> Result | object:
        """What an operation gives; a failure that may pass is let pass a number of times.

        Raises:
            RunStopped: if it will not pass.
        """
        try:
            result = await operation
        except BatchError as error:
            self._failures += 1
            if error.reply.code == "not_found":
                raise RunStopped(
                    "the vendor knows no such batch as the journal has open; if it was made with another account's "
                    "key, use that one"
                ) from None
            if error.reply.kind == "run" or self._failures > TRIES:
                raise unreachable(error.reply) from None
            self._progress.retried(error.reply.code)
            return _FAILED
        self._failures = 0
        return result

    def _after(self, batch: OpenBatch, state: BatchState) -> None:
        """What the end of a batch means for the run.

        Raises:
            RunStopped: if it cannot go on.
        """
        if (refusal := self._fetcher.refusal) is not None:
            self._fetcher.refusal = None
            raise refused("the vendor", refusal)
        if state.problem is None:
            return
        if state.problem in TOO_FULL and (batch.total > 1 or self._submitter.open):
            self._narrow(batch)
            self._progress.retried(state.problem)
            return
        raise RunStopped(f"the vendor refused a batch of {batch.total:,} requests: {state.problem}; what is done is "
                         "kept: mend that, and run the same command again")  # fmt: skip

    def _narrow(self, batch: OpenBatch) -> None:
        """The vendor's queue was too full for a batch: fewer at once, or smaller ones if it was alone."""
        self._crowded = self._narrowed = True
        if self._submitter.open:
            self._most_open = len(self._submitter.open)
        else:
            self._most_asks = batch.total // 2


_FAILED = object()


def _counted(codes: Counter[str]) -> str:
    return ", ".join(f"{code} {count:,}" for code, count in sorted(codes.items())) or "no results"
