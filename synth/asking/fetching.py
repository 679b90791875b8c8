"""What an ended batch did, into the journal: each answer once, however often the results are read."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from synth.asking.asker import RunStopped, charged, reply_record
from synth.journal.records import ANSWERED
from synth.money import dollars, nano
from synth.teachers.asks import BatchError, Reply
from synth.teachers.batching import BrokenLines

if TYPE_CHECKING:
    from synth.journal.folder import Journal
    from synth.ledger import Ledger
    from synth.prices import Price
    from synth.progress import RunProgress
    from synth.teachers.asks import BatchApi

GROUP = 256
"""Answers that become durable together."""
TRIES = 5
GONE = frozenset({"not_found", "results_gone"})


@dataclass
class OpenBatch:
    """A batch that has not ended.

    Attributes:
        tag: its name in the journal.
        batch_id: the vendor's; empty until it is known.
        total: asks in it.
        most: nano-dollars that one of them may cost.
        resumed: whether an earlier run made it.
    """

    tag: str
    batch_id: str
    total: int
    most: int
    resumed: bool

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> OpenBatch:
        """The batch of a journal's records."""
        return cls(record["id"], record.get("batch_id") or "", len(record["keys"]), nano(record["most"]), resumed=True)


class Fetcher:
    """Reads results into the journal.

    Args:
        api: the vendor's batches.
        journal: where answers go.
        ledger: what they cost goes here.
        price: of the teacher.
        progress: what the person sees.
        wait_s: before results are read again after a failure.

    Attributes:
        standing: answers that were journaled and stand.
        failed: the others, by code.
        refusal: an answer that says that no request can succeed.
    """

    def __init__(
        self, api: BatchApi, journal: Journal, ledger: Ledger, price: Price, progress: RunProgress, wait_s: float
    ) -> None:
        self.standing = 0
        self.failed: Counter[str] = Counter()
        self.refusal: Reply | None = None
        self._api = api
        self._journal = journal
        self._ledger = ledger
        self._price = price
        self._progress = progress
        self._wait_s = wait_s
        self._held: dict[str, dict[str, Any]] = {}
        self._noted = 0

    async def fetch(self, batch: OpenBatch) -> None:
        """Journal everything that an ended batch did.

        Raises:
            RunStopped: if its results cannot be read now; the batch stays open in the journal.
        """
        self._noted = 0
        codes: Counter[str] = Counter()
        for attempt in itertools.count(1):
            codes.clear()
            self._held.clear()
            try:
                await self._read(batch, codes)
                break
            except BrokenLines as error:
                if attempt >= TRIES:
                    self._charge(batch, "broken_lines", error.count * batch.most)
                    break
            except BatchError as error:
                if error.reply.code in GONE and attempt >= TRIES:
                    self._charge(batch, "results_gone", None)
                    break
                if (error.reply.kind == "run" and error.reply.code not in GONE) or attempt >= TRIES:
                    raise RunStopped(
                        f"the results of a batch cannot be read: {error}; run the same command again"
                    ) from None
                self._progress.retried(error.reply.code)
            await asyncio.sleep(self._wait_s)
        self.failed.update(codes)
        if not batch.resumed:
            self._progress.settled(count=batch.total - self._noted)

    async def _read(self, batch: OpenBatch, codes: Counter[str]) -> None:
        """Read the results once."""
        group: dict[str, Reply] = {}
        try:
            async for key, reply in self._api.results(batch.batch_id):
                group.setdefault(key, reply)
                if reply.kind not in ANSWERED:
                    codes[reply.code] += 1
                if len(group) >= GROUP:
                    await self.note(batch, group)
                    group = {}
        finally:
            await self.note(batch, group)

    async def note(self, batch: OpenBatch, replies: Mapping[str, Reply]) -> None:
        """Journal answers that are not in the journal yet, and settle what they cost."""
        records = []
        for key, reply in replies.items():
            if reply.kind == "run":
                self.refusal = reply
            before = self._journal.reply(key)
            if before is not None and before["id"] == batch.tag:
                continue
            if before is not None:  # the answer that stands stays; this one is paid for all the same
                reply = replace(reply, kind="again", code="answered_before")
            cost = charged(self._price, reply, batch.most, batch=True)
            record = reply_record(batch.tag, key, reply, cost)
            if reply.kind not in ANSWERED:
                self._held[key] = record
                continue
            records.append(record)
            self._ledger.settle_batch(batch.tag, cost)
            self.standing += 1
            self._noted += 1
            spent = dollars(self._ledger.total)
            self._progress.settled(reply.usage, spent, count=0 if batch.resumed else 1)
        if records:
            await self._journal.write(*records)

    def held(self, batch: OpenBatch) -> list[dict[str, Any]]:
        """Records of answers that do not stand, to be written with the end of the batch.

        Nothing in the journal would show that they had been noted before, so they must not be written twice.
        """
        records = list(self._held.values())
        self._held.clear()
        for record in records:
            self._ledger.settle_batch(batch.tag, nano(record["usd"]))
        return records

    def _charge(self, batch: OpenBatch, code: str, amount: int | None) -> None:
        """Count what cannot be read as paid for: an amount, or all that is left of the batch's money."""
        left = self._journal.account.batches[batch.tag].left - sum(nano(r["usd"]) for r in self._held.values())
        cost = max(0, left if amount is None else min(left, amount))
        reply = Reply("again", code, billed="unknown", detail="counted at the most that they may have cost")
        self._held[batch.tag] = reply_record(batch.tag, batch.tag, reply, cost)
