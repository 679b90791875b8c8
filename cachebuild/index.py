"""The recorded calls of a cache, found by key and by tool: in memory, built from the Parquet shards at open.

Everything that look-up asks of the recorded calls goes through `EntryIndex`, so that it can be replaced.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachebuild.answer import Outcome
from cachebuild.key import Place

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

_COLUMNS = (
    "trajectory_id",
    "message_index",
    "env_id",
    "initial_state_id",
    "task_group",
    "scope_value",
    "tool",
    "canonical_arguments",
    "state_digest",
    "key",
    "normalised_key",
    "result",
    "success",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One distinct recorded call; `state_digest` is that of the state it was made in."""

    key: str
    arguments: str
    state_digest: str

    def values(self) -> dict[str, Any]:
        """The arguments, parsed."""
        values: dict[str, Any] = json.loads(self.arguments)
        return values


@dataclass(frozen=True, slots=True)
class _Record:
    trajectory_id: str
    message_index: int
    result: str
    success: bool


class EntryIndex:
    """Entries by exact key, by normalised key, and distinct calls by (place, tool)."""

    def __init__(self) -> None:
        self._exact: dict[str, list[_Record]] = {}
        self._normalised: dict[str, dict[str, Candidate]] = {}
        self._distinct: dict[tuple[Place, str], list[Candidate]] = {}
        self._trajectories: dict[str, set[str]] = {}
        self.entries = 0

    @classmethod
    def load(cls, folder: DatasetFolder) -> EntryIndex:
        """Read table `entries` of a cache folder."""
        index = cls()
        texts: dict[str, str] = {}
        for row in folder.rows("entries", _COLUMNS):
            row["result"] = texts.setdefault(row["result"], row["result"])
            for name in ("trajectory_id", "env_id", "task_group", "scope_value", "tool", "state_digest"):
                row[name] = sys.intern(row[name])
            index.add(row)
        return index

    def add(self, row: dict[str, Any]) -> None:
        """Take in one entry row."""
        self.entries += 1
        key, place = row["key"], Place(row["env_id"], row["initial_state_id"], row["scope_value"])
        if key not in self._exact:
            call = Candidate(key, row["canonical_arguments"], row["state_digest"])
            self._distinct.setdefault((place, row["tool"]), []).append(call)
            self._normalised.setdefault(row["normalised_key"], {})[key] = call
        record = _Record(row["trajectory_id"], row["message_index"], row["result"], row["success"])
        self._exact.setdefault(key, []).append(record)
        self._trajectories.setdefault(row["task_group"], set()).add(row["trajectory_id"])

    def outcomes(self, key: str, exclude: str | None = None) -> tuple[Outcome, ...]:
        """The recorded results of a key, commonest first; those of trajectory `exclude` are not seen."""
        counts: dict[str, int] = {}
        first: dict[str, _Record] = {}
        for record in self._exact.get(key, ()):
            if record.trajectory_id != exclude:
                counts[record.result] = counts.get(record.result, 0) + 1
                first.setdefault(record.result, record)
        outcomes = [
            Outcome(result, count, first[result].success, first[result].trajectory_id, first[result].message_index)
            for result, count in counts.items()
        ]
        return tuple(sorted(outcomes, key=lambda outcome: (-outcome.count, outcome.result)))

    def normalised(self, normalised_key: str) -> list[Candidate]:
        """The distinct calls that share a normalised key."""
        return list(self._normalised.get(normalised_key, {}).values())

    def distinct(self, place: Place, tool: str) -> list[Candidate]:
        """The distinct calls of a tool at a place, in any state."""
        return self._distinct.get((place, tool), [])

    def trajectories(self, task_group: str) -> frozenset[str]:
        """The trajectories of a task group that the cache holds calls of."""
        return frozenset(self._trajectories.get(task_group, ()))
