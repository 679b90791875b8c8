"""Which turns of a set a teacher is asked about: all that need one, or a pilot's sample of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import xxhash

from curate.folder import DatasetFolder
from curate.trajectory import Trajectory
from synth.thoughts import asked
from synth.turn_rule import Recorded, plan_turns


@dataclass(frozen=True)
class Plan:
    """The turns of a run.

    Attributes:
        folder: whose trajectories are meant.
        recorded: what becomes of recorded thinking.
        turns: how many there are.
        chosen: (trajectory_id, message_index) of a pilot's turns; None for all.
    """

    folder: DatasetFolder
    recorded: Recorded
    turns: int
    chosen: frozenset[tuple[str, int]] | None = None
    seed: int = 0

    def place(self, trajectory_id: str, message_index: int) -> int:
        """Where the seed has drawn a turn: the least come first."""
        return _drawn(self.seed, trajectory_id, message_index)

    def rows(self) -> Iterator[tuple[Trajectory, list[int]]]:
        """Each row with the message indices to ask about; rows without any are left out."""
        for read in self.folder.rows("trajectories"):
            row = cast(Trajectory, read)
            indices = asked(plan_turns(row, self.recorded))
            if self.chosen is not None:
                indices = [index for index in indices if (row["trajectory_id"], index) in self.chosen]
            if indices:
                yield row, indices


def plan_all(folder: DatasetFolder, recorded: Recorded) -> Plan:
    """Every turn that needs a teacher."""
    return Plan(folder, recorded, sum(len(indices) for _, indices in _turns(folder, recorded)))


def plan_pilot(folder: DatasetFolder, recorded: Recorded, limit: int, seed: int, *, whole: bool) -> Plan:
    """A sample of the turns; those of a smaller limit are among those of a larger one.

    Args:
        folder: whose trajectories are meant.
        recorded: what becomes of recorded thinking.
        limit: turns.
        seed: of the sample.
        whole: take trajectories with all their turns, until there are `limit` turns.
    """
    if whole:
        return _whole_trajectories(folder, recorded, limit, seed)
    each = ((name, index) for name, indices in _turns(folder, recorded) for index in indices)
    least = heapq.nsmallest(limit, each, key=lambda turn: _drawn(seed, *turn))
    return Plan(folder, recorded, len(least), frozenset(least), seed)


def _whole_trajectories(folder: DatasetFolder, recorded: Recorded, limit: int, seed: int) -> Plan:
    drawn = sorted(_turns(folder, recorded), key=lambda entry: _drawn(seed, entry[0], 0))
    chosen: set[tuple[str, int]] = set()
    for name, indices in drawn:
        if len(chosen) >= limit:
            break
        chosen.update((name, index) for index in indices)
    return Plan(folder, recorded, len(chosen), frozenset(chosen), seed)


def _turns(folder: DatasetFolder, recorded: Recorded) -> Iterator[tuple[str, list[int]]]:
    for read in folder.rows("trajectories", ("trajectory_id", "messages")):
        row = cast(Trajectory, read)
        yield row["trajectory_id"], asked(plan_turns(row, recorded))


def _drawn(seed: int, name: str, index: int) -> int:
    return xxhash.xxh3_64_intdigest(f"{seed}\0{name}\0{index}".encode())
