"""Whether a judge model answers at all, and what the person is told while it does not."""

from __future__ import annotations

import time
from collections.abc import Callable

from curate.cli import say
from synth.teachers.asks import Ask, Reply, Sender, Usage

PATIENCE_S = 2.0
"""A shorter outage is not worth a line."""
LINES_S = (10.0, 60.0)
"""Seconds between two lines, at first and at most; they double."""


class Waiting:
    """Says when there are no answers for a while; `AskProgress` of a judge.

    Args:
        name: of the judge.
        waits: who waits, as "training waits".
        most_s: how long at most.
        tell: takes a line.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        name: str,
        waits: str,
        most_s: float,
        tell: Callable[[str], None] = say,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._waits, self._most = name, waits, most_s
        self._tell, self._clock = tell, clock
        self._down_since: float | None = None
        self._told_at: float | None = None
        self._every = LINES_S[0]

    def answered(self) -> None:
        """The model gave an answer, of whatever kind."""
        if self._told_at is not None and self._down_since is not None:
            self._tell(f"judge {self._name} answers again after {self._clock() - self._down_since:,.0f} s")
        self._down_since = self._told_at = None

    def sent(self) -> None:
        """A request left."""

    def settled(self, usage: Usage | None, spent_usd: float) -> None:
        """A request came to an end."""

    def concurrency(self, limit: float) -> None:
        """Most requests at once from now on."""

    def retried(self, code: str) -> None:
        """A request failed in a way that may pass."""
        self._failed(code, 0.0)

    def paused(self, seconds: float, reason: str) -> None:
        """No request leaves for so many seconds."""
        self._failed(reason, seconds)

    def _failed(self, code: str, ahead: float) -> None:
        now = self._clock()
        if self._down_since is None:
            self._down_since, self._every = now, LINES_S[0]
        if self._told_at is None:
            due = now + ahead - self._down_since >= PATIENCE_S
        else:
            due = now - self._told_at >= self._every
            self._every = min(LINES_S[1], 2 * self._every) if due else self._every
        if due:
            self._told_at = now
            pause = f", and asks for {ahead:,.0f} s" if ahead >= 1 else ""
            self._tell(
                f"judge {self._name} gives no answer ({code}) for {now - self._down_since:,.0f} s{pause}; "
                f"{self._waits}, {self._most:,.0f} s at most"
            )


class WatchedApi:
    """An API whose answers are counted.

    Args:
        api: who is asked.
        waiting: is told of answers.

    Attributes:
        answers: so far.
    """

    def __init__(self, api: Sender, waiting: Waiting) -> None:
        self.name = api.name
        self.answers = 0
        self._api = api
        self._waiting = waiting

    async def call(self, ask: Ask) -> Reply:
        """Send one ask, once."""
        reply = await self._api.call(ask)
        if reply.kind in ("ok", "poor", "item"):
            self.answers += 1
            self._waiting.answered()
        return reply
