"""How far a paid run is: turns, tokens, dollars, retries and rejects; a bar, log lines, or JSON lines on stderr."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Literal, Self, TextIO, TypeAlias

import orjson
from tqdm import tqdm

from curate.progress import LOG_SECONDS
from synth.teachers.asks import Usage

Mode: TypeAlias = Literal["bar", "json"]
Event: TypeAlias = Literal["progress", "pause", "end"]

BAR = "augment {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt}{postfix}"
BAR_SECONDS = 0.2
JSON_SECONDS = 5.0
WINDOW_SECONDS = 60.0
"""The rate is that of the last minute."""
TOP = 4
"""Codes that a line for people names."""


class _Bar(tqdm):  # type: ignore[type-arg]  # not to be subscripted when it runs
    monitor_interval = 0  # no thread of its own: whoever counts also draws


class RunProgress:
    """Counts what a run does and shows it now and then; use as a context manager, which ends with a final line.

    There is no thread: every call may draw, and `tick` does only that, for times in which nothing comes back.

    In mode "json" each line on stderr is one object. Its fields keep their names:
        event: "progress" every 5 seconds, "pause" when one begins, "end" once.
        outcome: on "end" alone: "done" (every turn is), "incomplete", or "stopped" (by an error or a signal).
        elapsed_s: since the start of this run.
        turns_total, turns_done: of those that need a model's thought; done = accepted + tombstones.
        accepted, tombstones: turns with a thought, and turns given up.
        from_journal: of the turns done, those that the journal held when the run began.
        requests, in_flight, concurrency: sent in this run; sent and not answered; most at once now.
        retries: requests repeated after a failure, by its code.
        rejects: thoughts that failed a check, by code; one thought may count under several.
        tokens_in, tokens_cached, tokens_out: of this run; cached ones are part of tokens_in.
        usd_spent, usd_run, usd_cap: the journal's whole spending; this run's; the cap, null without one.
        turns_per_s, eta_s: rate of the last minute; seconds to the end at that rate, null if unknown.
        paused_s, pauses: seconds that all requests waited, or will, and how often a pause was set.
        pause_left_s, pause_reason: of a pause that goes on; 0 and null otherwise.

    Attributes:
        outcomes: sum of the stamps of the turns done, which tells one set of outcomes from another.

    Args:
        mode: bar or json; a bar is a line every 10 seconds where the stream is no terminal.
        total_turns: turns that need a model's thought, those in the journal included.
        budget_usd: the cap.
        spent_usd: what the journal had spent before this run.
        stream: stderr unless given.
        clock: seconds.
    """

    def __init__(
        self,
        mode: Mode,
        total_turns: int,
        *,
        budget_usd: float | None = None,
        spent_usd: float = 0.0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total_turns = total_turns
        self.outcomes = 0
        self.retries: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self._cap, self._spent_before, self._spent = budget_usd, spent_usd, spent_usd
        self._accepted = self._tombstones = self._known = 0
        self._requests = self._in_flight = self._concurrency = 0
        self._tokens_in = self._tokens_cached = self._tokens_out = 0
        self._pauses, self._paused, self._pause_end = 0, 0.0, 0.0
        self._pause_reason = ""
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._mode = mode
        self._bar: _Bar | None = None
        self._every = JSON_SECONDS if mode == "json" else LOG_SECONDS
        self._started = clock()
        self._samples: deque[tuple[float, int]] = deque([(self._started, 0)])
        self._next = self._started + self._every

    def __enter__(self) -> Self:
        self._started = self._clock()
        self._samples = deque([(self._started, 0)])
        if self._mode == "bar" and self._stream.isatty():
            self._every = BAR_SECONDS
            self._bar = _Bar(total=self.total_turns, file=self._stream, leave=False, dynamic_ncols=True,
                             mininterval=0, bar_format=BAR)  # fmt: skip
        self._next = self._started + self._every
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now = self._clock()
        outcome = "stopped" if kind is not None else "done" if self.done >= self.total_turns else "incomplete"
        if self._bar is not None:
            self._bar.close()
        if self._mode == "json":
            self._write_json("end", now, outcome)
        else:
            self._print(f"{self.line(now)}; {outcome}")

    @property
    def done(self) -> int:
        """Turns with an accepted thought or a tombstone."""
        return self._accepted + self._tombstones

    def accepted(self, *, known: bool = False) -> None:
        """A turn has its thought; `known` if the journal held it."""
        self._accepted += 1
        self._known += known
        self.tick()

    def tombstone(self, *, known: bool = False) -> None:
        """A turn was given up; `known` if the journal held that."""
        self._tombstones += 1
        self._known += known
        self.tick()

    def rejected(self, codes: Iterable[str]) -> None:
        """A thought failed these checks."""
        self.rejects.update(codes)
        self.tick()

    def retried(self, code: str) -> None:
        """A request is to be repeated after this failure."""
        self.retries[code] += 1
        self.tick()

    def sent(self, count: int = 1) -> None:
        """Requests left."""
        self._requests += count
        self._in_flight += count
        self.tick()

    def settled(self, usage: Usage | None = None, spent_usd: float | None = None, count: int = 1) -> None:
        """Requests came to an end, answered or not.

        Args:
            usage: their tokens.
            spent_usd: the journal's whole spending as it stands now.
            count: how many.
        """
        self._in_flight -= count
        if usage is not None:
            self._tokens_in += usage.input
            self._tokens_cached += usage.cached
            self._tokens_out += usage.output
        if spent_usd is not None:
            self._spent = spent_usd
        self.tick()

    def spent(self, usd: float) -> None:
        """The journal's whole spending as it stands now."""
        self._spent = usd

    def concurrency(self, limit: float) -> None:
        """Most requests at once from now on."""
        self._concurrency = int(limit)

    def paused(self, seconds: float, reason: str) -> None:
        """No request leaves for so many seconds; one that a longer pause covers is not shown."""
        now = self._clock()
        end = now + seconds
        if end <= self._pause_end:
            return
        self._pauses += 1
        self._paused += end - max(now, self._pause_end)
        self._pause_end, self._pause_reason = end, reason
        if self._mode == "json":
            self._write_json("pause", now)
        elif self._bar is not None:
            self._draw(now)
        else:
            self._print(f"augment: {self._pause_text(now)}")

    def tick(self) -> None:
        """Show how far the run is if it is time to."""
        now = self._clock()
        if now >= self._next:
            self._next = now + self._every
            self._show(now)

    def counts(self) -> dict[str, Any]:
        """The figures as they stand, under the names of the JSON lines."""
        now = self._clock()
        rate, eta = self._rate(now)
        pausing = now < self._pause_end
        return {
            "elapsed_s": round(now - self._started, 1),
            "turns_total": self.total_turns,
            "turns_done": self.done,
            "accepted": self._accepted,
            "tombstones": self._tombstones,
            "from_journal": self._known,
            "requests": self._requests,
            "in_flight": self._in_flight,
            "concurrency": self._concurrency,
            "retries": dict(sorted(self.retries.items())),
            "rejects": dict(sorted(self.rejects.items())),
            "tokens_in": self._tokens_in,
            "tokens_cached": self._tokens_cached,
            "tokens_out": self._tokens_out,
            "usd_spent": round(self._spent, 6),
            "usd_run": round(self._spent - self._spent_before, 6),
            "usd_cap": self._cap,
            "turns_per_s": round(rate, 3),
            "eta_s": None if eta is None else round(eta),
            "paused_s": round(self._paused, 1),
            "pauses": self._pauses,
            "pause_left_s": round(self._pause_end - now, 1) if pausing else 0.0,
            "pause_reason": self._pause_reason if pausing else None,
        }

    def line(self, now: float | None = None) -> str:
        """Where the run stands, in one line for people."""
        share = self.done / self.total_turns if self.total_turns else 1.0
        return f"augment: {self.done:,}/{self.total_turns:,} turns ({share:.1%}), {self._figures(now, long=True)}"

    def _show(self, now: float) -> None:
        if self._mode == "json":
            self._write_json("progress", now)
        elif self._bar is not None:
            self._draw(now)
        else:
            self._print(self.line(now))
        self._sample(now)

    def _sample(self, now: float) -> None:
        """Remember how far this run is, once a second at most, for a minute."""
        if now - self._samples[-1][0] >= 1.0:
            self._samples.append((now, self.done - self._known))
        while len(self._samples) > 1 and now - self._samples[1][0] >= WINDOW_SECONDS:
            self._samples.popleft()

    def _rate(self, now: float) -> tuple[float, float | None]:
        """(turns a second, seconds to go)."""
        since, before = self._samples[0]
        made = self.done - self._known - before
        rate = made / (now - since) if now > since else 0.0
        left = max(self.total_turns - self.done, 0)
        return rate, left / rate if rate > 0 else (None if left else 0.0)

    def _figures(self, now: float | None, *, long: bool) -> str:
        now = self._clock() if now is None else now
        rate, eta = self._rate(now)
        cap = "" if self._cap is None else f" of ${self._cap:,.2f}"
        parts = [
            self._pause_text(now) if now < self._pause_end else "",
            f"${self._spent:,.2f}{cap}",
            f"{rate:.1f} turns/s",
            f"{_time(eta)} left" if eta else "",
            f"{self._in_flight:,}/{self._concurrency:,} in flight",
            f"{_tokens(self._tokens_in)} tokens in, {_tokens(self._tokens_out)} out" if long else "",
            f"{self._tombstones:,} given up" if self._tombstones else "",
            _codes("rejects", self.rejects, TOP if long else 1),
            _codes("retries", self.retries, TOP if long else 1),
        ]
        return ", ".join(part for part in parts if part)

    def _pause_text(self, now: float) -> str:
        return f"paused {self._pause_end - now:,.0f} s: {self._pause_reason}"

    def _draw(self, now: float) -> None:
        if self._bar is not None:
            self._bar.n = self.done
            self._bar.set_postfix_str(self._figures(now, long=False))

    def _print(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def _write_json(self, event: Event, now: float, outcome: str | None = None) -> None:
        named = {"event": event} if outcome is None else {"event": event, "outcome": outcome}
        self._print(orjson.dumps({**named, **self.counts()}).decode())


def _codes(label: str, counts: Counter[str], top: int) -> str:
    """E.g. "rejects 12 (future_entity 9, meta_talk 3)", the most common codes alone."""
    if not counts:
        return ""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    named = ", ".join(f"{code} {count:,}" for code, count in ranked[:top])
    return f"{label} {sum(counts.values()):,} ({named}{', ...' if len(ranked) > top else ''})"


def _tokens(count: int) -> str:
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def _time(seconds: float) -> str:
    minutes, hours = round(seconds / 60), seconds / 3600
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 120 else f"{hours:.1f} h"
