"""What an augment run did, counted row by row; the counts of parts add up to those of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.trajectory import Trajectory
from synth.turn_rule import NOT_TRAINED, Written

KINDS = ("final", "announce", "silent", "analysis")
ORIGINS = ("recorded", "wrapped", "rule", "teacher", "none")
WRITTEN = ("rule", "teacher")


@dataclass
class Tally:
    """Counts over rows.

    Attributes:
        trajectories: rows.
        turns: by "kind origin".
        reasons: why turns have no thought.
        sources: of the arguments of explained calls.
        lengths: "origin characters" -> thoughts.
        attempts: turns by number of attempts that were judged.
        judged: thoughts that were judged, attempts included.
        failed: by check, of those.
        floor: by check, thoughts that fail it by the later messages of another trajectory.
        floor_of: thoughts that were compared so.
        asked: turns that a model was asked about, by model and day: "model day".
        tokens_in: of all attempts.
        tokens_out: of all attempts.
        nano_usd: of all attempts, in nano-dollars.
    """

    trajectories: int = 0
    turns: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    lengths: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    floor: Counter[str] = field(default_factory=Counter)
    floor_of: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    tokens_in: int = 0
    tokens_out: int = 0
    nano_usd: int = 0

    def add(self, row: Trajectory, written: Mapping[int, Written]) -> None:
        """Count one finished row; `written` is what came of asking a teacher about it."""
        self.trajectories += 1
        latest = {entry["message_index"]: entry for entry in row["thinking"]}
        for entry in latest.values():
            origin = entry["origin"]
            self.turns[f"{entry['kind']} {origin}"] += 1
            text = row["messages"][entry["message_index"]]["reasoning_content"]
            if text is None:
                self.reasons.update(code for code in entry["checks_failed"] if code != NOT_TRAINED)
            else:
                self.lengths[f"{origin} {len(text)}"] += 1
        for item in written.values():
            self._add_written(item)

    def _add_written(self, item: Written) -> None:
        self.sources.update(item.sources)
        self.attempts[str(len(item.tried))] += bool(item.tried)
        self.judged += len(item.tried)
        for codes in item.tried:
            self.failed.update(codes)
        if item.at is not None:
            self.asked[f"{item.model or '(unnamed)'} {item.at}"] += 1
        self.tokens_in += item.tokens[0]
        self.tokens_out += item.tokens[1]
        self.nano_usd += round(item.usd * 1e9)

    def add_floor(self, codes: tuple[str, ...]) -> None:
        """Count a thought that was held against another trajectory."""
        self.floor_of += 1
        self.floor.update(codes)

    def merge(self, other: Tally) -> None:
        """Add the counts of another part."""
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            else:
                setattr(self, name, getattr(self, name) + value)

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Tally:
        """What `dump` gave."""
        tally = cls()
        for name, value in dumped.items():
            setattr(tally, name, Counter(value) if isinstance(value, dict) else value)
        return tally

    def by_origin(self) -> dict[str, dict[str, int]]:
        """Turns by kind, then origin."""
        return {
            kind: {origin: count for origin in ORIGINS if (count := self.turns[f"{kind} {origin}"])} for kind in KINDS
        }

    def count(self, *origins: str) -> int:
        """Turns whose thought is of one of these origins."""
        return sum(self.turns[f"{kind} {origin}"] for kind in KINDS for origin in origins)
