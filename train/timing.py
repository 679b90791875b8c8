"""How long the cache took to answer."""

from __future__ import annotations

import time
from collections.abc import Sequence

from cachebuild.answer import Answer
from curate.trajectory import Message
from train.rollout import Episode, Sessions


class TimedSessions:
    """Sessions whose time is counted.

    Attributes:
        seconds: spent in beginning sessions and in their answers so far.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.seconds = 0.0

    def session(
        self, env_id: str, initial_state_id: str | None, task_id: str | None, *, history: Sequence[Message], seed: int
    ) -> Episode:
        """A session of those within."""
        begin = time.perf_counter()
        try:
            return _Timed(self._sessions.session(env_id, initial_state_id, task_id, history=history, seed=seed), self)
        finally:
            self.seconds += time.perf_counter() - begin


class _Timed:
    def __init__(self, episode: Episode, clock: TimedSessions) -> None:
        self._episode = episode
        self._clock = clock

    def turn(self, calls: Sequence[tuple[str, str]]) -> list[Answer]:
        """The answers of the episode within."""
        begin = time.perf_counter()
        try:
            return self._episode.turn(calls)
        finally:
            self._clock.seconds += time.perf_counter() - begin
