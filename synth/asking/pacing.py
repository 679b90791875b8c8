"""How hard a server is pressed: a limit that falls and grows again, one pause for all, and an end to vain tries.

The limit follows AIMD (additive increase, multiplicative decrease; Chiu and Jain 1989): it falls to three quarters
when the server says that it is too much, at most once for the requests that were under way together, and grows by one
for as many successes as it allows.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from synth.settings import PaceSettings
from synth.teachers.asks import Reply

TOO_MUCH = frozenset({"rate_limited", "overloaded", "unavailable", "timeout"})
"""Codes by which a server says that it is pressed too hard."""
FALL = 0.75
SHORTEST, LONGEST = 0.5, 60.0
"""Bounds in seconds of a pause whose length the server does not say."""


class TeacherDown(Exception):
    """Nothing has succeeded for too long."""


class Pacer:
    """Hands out slots for requests; everything runs in one event loop.

    Args:
        settings: bounds.
        clock: seconds that only grow.
        seed: of the jitter on pauses, which keeps runs on several machines from coming back at the same moment.
    """

    def __init__(self, settings: PaceSettings, clock: Callable[[], float] = time.monotonic, seed: int = 0) -> None:
        self.limit = float(settings.concurrency)
        self.in_flight = 0
        self.paused_until = 0.0
        self._settings = settings
        self._clock = clock
        self._random = random.Random(seed)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._last_success = clock()
        self._begun = False
        self._fell_at = -1.0
        self._pushed = 0

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return max(1, int(self.limit))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place among the requests under way, and hold it for the block."""
        await self._enter()
        try:
            yield
        finally:
            self._leave()

    async def pause_over(self) -> None:
        """Wait until no pause holds."""
        while (left := self.paused_until - self._clock()) > 0:
            await asyncio.sleep(left)

    def succeeded(self) -> None:
        """A request got an answer of the API."""
        self._last_success = self._clock()
        self._pushed = 0
        self.limit = min(float(self._settings.concurrency), self.limit + 1.0 / self.limit)
        self._wake()

    def rested(self) -> None:
        """Nobody has asked for a while, which was no failure: the time to give up begins with the next request."""
        self._begun = False

    def failed(self, reply: Reply, sent_at: float) -> None:
        """A request failed in a way that may pass.

        Args:
            reply: of kind "again".
            sent_at: when it was sent, by this pacer's clock.

        Raises:
            TeacherDown: if nothing has succeeded for `give_up_s`.
        """
        now = self._clock()
        if reply.code in TOO_MUCH:
            if sent_at > self._fell_at:
                self.limit, self._fell_at = max(1.0, self.limit * FALL), now
                self._pushed += 1
            self._pause(now, reply)
        if now - self._last_success >= self._settings.give_up_s:
            raise TeacherDown(
                f"no request has succeeded for {now - self._last_success:,.0f} s; the last failed with "
                f"{reply.code}{f' ({reply.detail})' if reply.detail else ''}"
            )

    def backoff(self, tries: int) -> float:
        """Seconds until one request is tried again after so many failures of its own."""
        return self._jittered(min(LONGEST / 2, SHORTEST * 2.0**tries))

    def now(self) -> float:
        """The pacer's clock."""
        return self._clock()

    def _pause(self, now: float, reply: Reply) -> None:
        if reply.wait is not None:
            wait = min(max(0.0, reply.wait), self._settings.max_wait_s)
        elif reply.code == "timeout":
            return  # the server has had its time already
        else:
            wait = min(LONGEST, SHORTEST * 2.0 ** max(0, self._pushed - 1))
        self.paused_until = max(self.paused_until, now + self._jittered(wait))

    def _jittered(self, seconds: float) -> float:
        return seconds * (1.0 + 0.1 * self._random.random())

    async def _enter(self) -> None:
        """Take a place, in the order of arrival, and wait for the end of a pause with it."""
        if not self._begun:  # a run may have read for long what its journal holds before it asks
            self._begun, self._last_success = True, self._clock()
        if self._waiting or self.in_flight >= self.allowed:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except BaseException:
                if turn.done() and not turn.cancelled():
                    self._leave()  # the place was handed over already
                raise
        else:
            self.in_flight += 1
        try:
            await self.pause_over()
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        """Hand free places to those who wait."""
        while self._waiting and self.in_flight < self.allowed:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
