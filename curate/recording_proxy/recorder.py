"""The thread behind the proxy: exchanges in, a durable journal and finished trajectories out; no reply waits for it."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from curate.cli import say
from curate.errors import RecordError
from curate.recording_proxy.exchange import Exchange, Scope, decoded, dump, read_request
from curate.recording_proxy.journal import Event, Journal
from curate.recording_proxy.lines import Lines
from curate.recording_proxy.record_form import trajectory
from curate.recording_proxy.replies import read_reply
from curate.recording_proxy.sessions import Session, Sessions

T = TypeVar("T")
TICK_SECONDS = 0.25
"""Between two looks for idle sessions."""
PROGRESS_SECONDS = 10.0
"""Between two lines on stderr, if anything changed."""
COMPACT_BYTES = 64 << 20
"""A journal above this is rewritten once it has grown fourfold."""


@dataclass(slots=True)
class Counts:
    """What passed so far; `errors` by status or kind of failure, `skipped` by why an exchange was not recorded."""

    requests: int = 0
    unrecorded_paths: int = 0
    recorded: int = 0
    incomplete: int = 0
    written: int = 0
    open: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        """One line."""
        parts = [f"requests {self.requests}", f"recorded {self.recorded}", f"open trajectories {self.open}"]
        parts.append(f"written {self.written}")
        others = {"incomplete replies": self.incomplete, "other paths": self.unrecorded_paths}
        parts.extend(f"{name} {count}" for name, count in others.items() if count)
        for name, counter in (("errors", self.errors), ("not recorded", self.skipped)):
            listed = ", ".join(f"{key} {count}" for key, count in sorted(dict(counter).items()))
            parts.append(f"{name} {counter.total()}" + (f" ({listed})" if listed else ""))
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Reward:
    """The outcome of a task's trajectories, which end with it; None only ends them."""

    task_id: str
    trial: int | None
    reward: float | None
    answer: Future[int]
    """How many trajectories took it."""


class Recorder:
    """Owns the output, its journal and the growing sessions; all of it lives in one thread.

    Args:
        out: the JSONL file; its lock must be held.
        upstream: host to name in the records.
        idle_seconds: after so long without a request a trajectory is finished.
    """

    def __init__(self, out: Path, upstream: str, idle_seconds: float) -> None:
        self.counts = Counts()
        self.running: dict[int, tuple[float, Scope]] = {}
        """Requests under way, since when (monotonic): a slow reply must not make its trajectory idle."""
        self._upstream, self._idle_seconds = upstream, idle_seconds
        self._queue: queue.SimpleQueue[Exchange | Reward] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._sessions = Sessions()
        self._seen: dict[str, float] = {}
        self._compacted = 0
        self._last_line = (time.monotonic(), self.counts.text())
        self._journal = Journal(out.with_name(f"{out.name}.journal"))
        try:
            self._lines = Lines(out, mend=bool(self._journal.events))
            self._go_on()
        except BaseException:
            self._journal.close()
            if not self._journal.events:
                self._journal.path.unlink()
            raise
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to take exchanges."""
        self._thread.start()

    def put(self, item: Exchange | Reward) -> None:
        """Hand over an exchange or a reward; returns at once."""
        self._queue.put(item)

    @property
    def backlog(self) -> int:
        """How many wait; grows where the disk cannot follow."""
        return self._queue.qsize()

    def stop(self) -> None:
        """Write what is open and let go of the files; the journal stays only if something could not be written."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            for item in batch:
                self._guarded(item)
            self._between()
        if self._finish(list(self._sessions.open.values())):
            self._journal.remove()
        else:
            say(f"not everything could be written; the rest stands in {self._journal.path}: start again to go on")
            self._journal.close()
        self._lines.close()

    def _next_batch(self) -> list[Exchange | Reward]:
        """All that waits; empty only after `stop`."""
        batch: list[Exchange | Reward] = []
        while not batch:
            try:
                batch.append(self._queue.get(timeout=TICK_SECONDS))
                while True:
                    batch.append(self._queue.get_nowait())
            except queue.Empty:
                if not batch and self._stop.is_set():
                    break
                if not batch:
                    self._between()
        return batch

    def _guarded(self, item: Exchange | Reward) -> None:
        """No exchange, however strange, stops the recording of others; nothing of its text is shown."""
        try:
            if isinstance(item, Reward):
                item.answer.set_result(self._reward(item))
            else:
                self._take(item)
        except RecordError as error:
            self.counts.skipped[error.reason] += 1
        except Exception as error:
            self.counts.skipped[f"failed: {type(error).__name__}"] += 1
        finally:
            _settle(item)

    def _take(self, exchange: Exchange) -> None:
        asked = read_request(exchange)
        reply = read_reply(decoded(exchange.reply, exchange.reply_encoding))
        times = exchange.started, exchange.finished
        turn, ended = self._sessions.turn(asked, reply, exchange.scope, *times, retry=exchange.retry)
        if ended is not None:
            self._finish([self._sessions.open[ended]])
        if not self._patiently(partial(self._journal.add, turn)):
            raise RecordError("not_written", "the disk was full to the end")
        _settle(exchange)
        session = self._sessions.apply(turn)
        self._seen[session.id] = time.monotonic()
        self.counts.recorded += 1
        self.counts.incomplete += not reply.complete
        if exchange.ends:
            self._finish([session])
        self.counts.open = len(self._sessions.open)

    def _reward(self, reward: Reward) -> int:
        found = self._sessions.named(reward.task_id, reward.trial)
        for session in found:
            event = {"kind": "reward", "session": session.id, "reward": reward.reward}
            self._patiently(partial(self._journal.add, event))
            session.reward = reward.reward
        self._finish(found)
        return len(found)

    def _finish(self, sessions: Iterable[Session]) -> bool:
        """Write trajectories; the journal then says so, up to which byte of the output."""
        done = [session for session in sessions if session.messages]
        lines = [dump(trajectory(session, self._upstream)) for session in done]
        if lines and not self._patiently(partial(self._lines.add, lines)):
            return False
        for session in done:
            closed: Event = {"kind": "closed", "session": session.id, "end": self._lines.size}
            self._patiently(partial(self._journal.add, closed))
            self._sessions.close(session.id)
            self._seen.pop(session.id, None)
        self.counts.written += len(done)
        self.counts.open = len(self._sessions.open)
        return True

    def _between(self) -> None:
        now = time.monotonic()
        oldest = min([now, *(since for since, _ in list(self.running.values()))]) - self._idle_seconds
        idle = [session for name, session in self._sessions.open.items() if self._seen.get(name, now) < oldest]
        if idle and self._queue.empty():  # what waits may go on from them
            self._finish(idle)
        if self._journal.size > max(COMPACT_BYTES, 4 * self._compacted):
            self._compact()
        text = self.counts.text()
        if now - self._last_line[0] >= PROGRESS_SECONDS and text != self._last_line[1]:
            say(text)
            self._last_line = now, text

    def _patiently(self, write: Callable[[], None]) -> bool:
        """Write, again and again while the disk is full; False if it still is when the recorder must stop."""
        told = False
        while True:
            try:
                write()
                return True
            except OSError as error:
                if not told:
                    say(f"cannot write to {self._lines.path.parent}: {error.strerror}; trying again, nothing is lost")
                told = True
                if self._stop.wait(1.0):
                    return False

    def _go_on(self) -> None:
        """Take back what a recorder that was killed had not yet written."""
        end = 0
        for event in self._journal.events:
            try:
                end = max(end, self._replay(event))
            except (KeyError, TypeError, IndexError, ValueError):
                self._journal.damaged += 1
        for name in self._lines.recording_ids(end) if self._sessions.open else ():
            self._sessions.close(name)
        now = time.monotonic()
        self._seen = dict.fromkeys(self._sessions.open, now)
        self.counts.open = len(self._sessions.open)
        if self._journal.damaged:
            say(f"{self._journal.path}: {self._journal.damaged} damaged events were left out")
        if self._journal.events:
            say(f"going on with {len(self._sessions.open)} open trajectories from {self._journal.path}")
        self._journal.events = []
        self._compact()

    def _replay(self, event: Event) -> int:
        """Redo one event; returns the output's size that it states, else 0."""
        kind = event["kind"]
        if kind == "turn":
            self._sessions.apply(event)
        elif kind == "session":
            self._sessions.restore(event["state"])
        elif kind == "reward":
            self._sessions.open[event["session"]].reward = event["reward"]
        elif kind == "closed":
            self._sessions.close(event["session"])
            return int(event["end"])
        elif kind == "start":
            return int(event["end"])
        return 0

    def _compact(self) -> None:
        states = ({"kind": "session", "state": state} for state in self._sessions.snapshot())
        self._patiently(lambda: self._journal.rewrite([{"kind": "start", "end": self._lines.size}, *states]))
        self._compacted = self._journal.size


def _settle(item: Exchange | Reward) -> None:
    """Whoever waits for this need not wait any longer."""
    if isinstance(item, Reward):
        if not item.answer.done():
            item.answer.set_result(0)
    elif item.journaled is not None and not item.journaled.done():
        item.journaled.set_result(None)
