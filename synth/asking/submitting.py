"""Batches made and found again: each is announced in the journal first, and made once."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from synth.asking.asker import RunStopped, no_money
from synth.asking.fetching import Fetcher, OpenBatch
from synth.asking.packing import Pack, Worst
from synth.money import dollars
from synth.teachers.asks import BatchError, Reply

if TYPE_CHECKING:
    from synth.journal.folder import Journal
    from synth.ledger import Ledger
    from synth.progress import RunProgress
    from synth.teachers.asks import BatchApi

TRIES = 10
"""Of one operation that fails in a way that may pass, in a row."""
REFUSALS = 40
"""Batches refused in a row, each for what it holds, until the run stops; halving down to one bad ask takes 17."""
LOOKS = 2
"""Waits of poll_s before a batch that cannot be found counts as never made."""


class Submitter:
    """Makes batches, and keeps those that are open.

    Args:
        api: the vendor's batches.
        journal: where they are announced.
        ledger: what may be spent.
        worst: what an ask may cost.
        fetcher: for asks that no batch may hold.
        poll_s: seconds between two looks.
        progress: what the person sees.

    Attributes:
        open: batches that the vendor has and that have not been taken in, by tag.
    """

    def __init__(
        self,
        api: BatchApi,
        journal: Journal,
        ledger: Ledger,
        worst: Worst,
        fetcher: Fetcher,
        poll_s: float,
        progress: RunProgress,
    ) -> None:
        self.open: dict[str, OpenBatch] = {}
        self._api = api
        self._journal = journal
        self._ledger = ledger
        self._worst = worst
        self._fetcher = fetcher
        self._poll_s = poll_s
        self._progress = progress
        self._refusals = 0
        self._numbers = itertools.count()
        self._run = f"b{time.time_ns():x}{os.getpid():x}"

    async def submit(self, pack: Pack) -> None:
        """Announce a batch and make it; one that is refused for what it holds is halved, down to the ask at fault."""
        tag = f"{self._run}-{next(self._numbers)}"
        since = time.time()
        if not self._ledger.reserve_batch(tag, pack.worst):
            raise no_money(self._ledger, pack.worst)
        keys = [ask.key for ask in pack.asks]
        await self._journal.write(
            {"t": "batch", "id": tag, "state": "intent", "batch_id": None, "keys": keys,
             "usd": dollars(pack.worst), "most": dollars(pack.most), "at": _iso(since)}
        )  # fmt: skip
        batch = OpenBatch(tag, "", len(keys), pack.most, resumed=False)
        try:
            batch.batch_id = await self._create(pack, batch, frozenset(keys), since)
        except BatchError as error:
            await self._refused(pack, batch, error.reply)
            return
        self._refusals = 0
        self._progress.sent(batch.total)
        await self._created(batch)

    async def _create(self, pack: Pack, batch: OpenBatch, keys: frozenset[str], since: float) -> str:
        """Make a batch; one whose answer is lost is searched for before it is made again.

        Raises:
            BatchError: if it was not made.
        """
        for attempt in itertools.count(1):
            try:
                return await self._api.create(pack.asks, batch.tag)
            except BatchError as error:
                reply = error.reply
                found = await self._find(batch, keys, since) if reply.billed != "nothing" else None
                if found is not None:
                    return found
                if reply.kind != "again" or attempt == TRIES:
                    raise
            self._progress.retried(reply.code)
            await asyncio.sleep(max(reply.wait or 0.0, self._poll_s * attempt))
        raise AssertionError

    async def _refused(self, pack: Pack, batch: OpenBatch, reply: Reply) -> None:
        """The vendor did not take a batch."""
        self._refusals += 1
        if reply.kind == "item" and self._refusals < REFUSALS:
            if len(pack.asks) == 1:
                await self._fetcher.note(batch, {pack.asks[0].key: reply})
                await self.end(batch, "ended")
                return
            await self.end(batch, "ended")
            for half in pack.halves(self._worst):
                await self.submit(half)
            return
        await self.end(batch, "ended")
        detail = f" ({reply.detail})" if reply.detail else ""
        raise RunStopped(f"the vendor takes no batch: {reply.code}{detail}; what is done is kept: mend that, and run "
                         "the same command again")  # fmt: skip

    async def _find(self, batch: OpenBatch, keys: frozenset[str], since: float) -> str | None:
        """Search for a batch until it is there, or has had the time to appear since it can have been made last."""
        until = time.time() + LOOKS * self._poll_s
        known = frozenset(other.batch_id for other in self.open.values())
        for failures in itertools.count(1):
            looked = time.time()
            try:
                found = await self._api.find(batch.tag, keys, since, known)
                if found is not None or looked >= until:
                    return found
            except BatchError as error:
                if error.reply.kind != "again" or failures >= TRIES:
                    raise unreachable(error.reply) from None
            await asyncio.sleep(self._poll_s)
        raise AssertionError

    async def _created(self, batch: OpenBatch) -> None:
        self.open[batch.tag] = batch
        await self._journal.write(_state(batch, "created"))

    async def search(self, batch: OpenBatch, record: dict[str, Any]) -> None:
        """A batch that was announced, and perhaps made."""
        since = datetime.fromisoformat(record["at"]).timestamp()
        found = await self._find(batch, frozenset(record["keys"]), since)
        if found is None:
            await self.end(batch, "ended")
        else:
            batch.batch_id = found
            await self._created(batch)

    async def end(self, batch: OpenBatch, state: str) -> None:
        """Note that no more will come of a batch; what is left of its money is free."""
        await self._journal.write(*self._fetcher.held(batch), _state(batch, state))
        self.open.pop(batch.tag, None)
        self._ledger.end_batch(batch.tag)
        self._progress.spent(dollars(self._ledger.total))


def unreachable(reply: Reply) -> RunStopped:
    """The vendor cannot be asked."""
    detail = f" ({reply.detail})" if reply.detail else ""
    return RunStopped(f"the vendor's batches cannot be reached: {reply.code}{detail}; run the same command again")


def _state(batch: OpenBatch, state: str) -> dict[str, Any]:
    return {"t": "batch", "id": batch.tag, "state": state, "batch_id": batch.batch_id or None, "at": _iso(time.time())}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
