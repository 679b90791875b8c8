"""One trace made ready for reading: its turns, where values came from, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from app.reading.sources import ValueSources
from app.reading.turns import Step, step_numbers, steps_of
from app.traces import Trace


@dataclass(frozen=True, eq=False)
class ReadTrace:
    """A trace with its turns; made once for a visitor and kept while the trace is read."""

    trace: Trace
    steps: tuple[Step, ...]
    sources: ValueSources
    numbers: dict[int, int]
    """Message index -> number of its turn."""

    @classmethod
    def of(cls, trace: Trace) -> ReadTrace:
        """Read a trace; values are traced later, as turns are looked at."""
        steps = tuple(steps_of(trace.row))
        return cls(trace, steps, ValueSources(trace.row, steps), step_numbers(steps))

    @cached_property
    def uid(self) -> str:
        """A name for keys of widgets: no text of the trace stands in it."""
        return blake2b(f"{self.trace.key.folder}\0{self.trace.key.trace}".encode(), digest_size=6).hexdigest()

    @cached_property
    def counts(self) -> str:
        """Its size in words."""
        calls = [call for step in self.steps for call in step.calls]
        turns = sum(step.role == "assistant" for step in self.steps)
        failed = sum(call.failed for call in calls)
        messages = len(self.trace.row["messages"] or [])
        told = f"{messages:,} messages, {turns:,} turns, {len(calls):,} calls"
        return f"{told}, {failed:,} failed" if failed else told
