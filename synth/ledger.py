"""A hard cap on what a journal's teachers may cost: money is set aside before a request leaves."""

from __future__ import annotations

from synth.journal.account import Account
from synth.money import nano


class Ledger:
    """What was spent, what may still be, and whether there is room for more. All amounts are whole nano-dollars.

    The total never exceeds the cap as long as no request costs more than was set aside for it. If one does (a server
    may count more tokens than the worst case), that is an overrun: it is counted, and nothing more is set aside once
    the cap is reached.

    Args:
        cap_usd: dollars that the journal may cost over all its runs; None sets no bound.
        account: sums of the journal as it was opened. What was sent and never answered counts at its worst case for
            good, an open batch until `end_batch`.

    Attributes:
        cap: the bound, or None.
        spent: what replies cost.
        orphaned: worst case of requests that earlier runs died with.
        overruns: replies that cost more than was set aside.
        overrun: by how much, together.
    """

    def __init__(self, cap_usd: float | None = None, account: Account | None = None) -> None:
        account = account or Account()
        self.cap = None if cap_usd is None else nano(cap_usd)
        self.spent = account.spent
        self.orphaned = account.orphaned
        self.overruns = 0
        self.overrun = 0
        self._requests = 0
        self._batches = {tag: batch.left for tag, batch in account.batches.items()}

    @property
    def reserved(self) -> int:
        """What requests on their way and open batches may cost."""
        return self._requests + sum(self._batches.values())

    @property
    def total(self) -> int:
        """The most that everything so far may have cost."""
        return self.spent + self.reserved + self.orphaned

    def reserve(self, amount: int) -> bool:
        """Set the worst case of a request aside; False if that does not fit under the cap now.

        See `can_fit` for whether to wait for others to settle, or to stop.
        """
        if not self._fits(self.total, amount):
            return False
        self._requests += amount
        return True

    def can_fit(self, amount: int) -> bool:
        """Whether it fits if everything that is set aside turns out to cost nothing; if not, it never will."""
        return self._fits(self.spent + self.orphaned, amount)

    def settle(self, reserved: int, actual: int) -> None:
        """A request is answered: what was set aside for it makes room for what it cost.

        An answer that was lost and may have been charged costs all that was set aside.
        """
        self._requests -= reserved
        self._spend(reserved, actual)

    def reserve_batch(self, tag: str, amount: int) -> bool:
        """Set the worst case of a batch aside; False if that does not fit now."""
        if not self._fits(self.total, amount):
            return False
        self._batches[tag] = amount
        return True

    def settle_batch(self, tag: str, actual: int) -> None:
        """One of a batch's requests is answered: what it cost comes out of the batch's reservation."""
        left = self._batches.get(tag, 0)
        self._batches[tag] = max(0, left - actual)
        self._spend(left, actual)

    def end_batch(self, tag: str) -> None:
        """No more answers will come of a batch: what is left of its reservation is free."""
        self._batches.pop(tag, None)

    def _spend(self, reserved: int, actual: int) -> None:
        self.spent += actual
        if actual > reserved:
            self.overruns += 1
            self.overrun += actual - reserved

    def _fits(self, before: int, amount: int) -> bool:
        return self.cap is None or before + amount <= self.cap
