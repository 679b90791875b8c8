"""Rows get their thoughts, some at a time, in this process or any other: an Arrow file each, and its counts in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from curate.env import EnvRules
from curate.folder import DatasetFolder
from curate.schema import TRAJECTORY
from curate.trajectory import Trajectory
from synth.checks.row import RowChecks
from synth.checks.settings import CheckSettings
from synth.tally import Tally
from synth.thoughts import Thoughts, rules_of
from synth.turn_rule import Recorded, Written, plan_turns, with_thoughts

PART_ROWS = 128
FLOOR_EVERY = 4
"""The floor is taken on the first part of the set, and of every so many parts after it."""
_TALLY = b"tally"


@dataclass(frozen=True)
class Part:
    """Some rows of a table's row group, and the file that their augmented form goes to."""

    shard: str
    group: int
    start: int
    number: int
    path: str


def parts(folder: DatasetFolder, journal: Path, name: str) -> Iterator[Part]:
    """The rows of a folder in parts, the same for any number of workers.

    Args:
        folder: whose trajectories are meant.
        journal: where the parts' files go.
        name: of the run: parts of other settings or inputs have other names.
    """
    number = 0
    for shard in folder.manifest.tables["trajectories"]:
        path = folder.path / shard.path
        with pq.ParquetFile(path) as file:
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        for group, rows in enumerate(sizes):
            for start in range(0, rows, PART_ROWS):
                yield Part(str(path), group, start, number, str(journal / f"{name}-{number:06d}.arrow"))
                number += 1


def part_rows(part: Part, columns: Sequence[str] | None = None) -> list[Trajectory]:
    """The rows of a part."""
    table = _row_group(part.shard, part.group, tuple(columns) if columns else None)
    return cast(list[Trajectory], table.slice(part.start, PART_ROWS).to_pylist())


@lru_cache(maxsize=1)
def _row_group(shard: str, group: int, columns: tuple[str, ...] | None) -> pa.Table:
    with pq.ParquetFile(shard) as file:
        return file.read_row_group(group, columns=list(columns) if columns else None)


@dataclass(frozen=True)
class Augmenter:
    """Adds the thoughts to a part's rows; picklable if `thoughts` is."""

    thoughts: Thoughts
    rules: Mapping[str, EnvRules]
    recorded: Recorded
    checks: CheckSettings

    def __call__(self, part: Part) -> str:
        """Write the part's file, unless it stands; returns its path."""
        if not os.path.exists(part.path):
            rows, tally = self.augmented(part_rows(part), floor=part.number % FLOOR_EVERY == 0)
            _write(rows, tally, part.path)
        return part.path

    def augmented(self, rows: list[Trajectory], *, floor: bool) -> tuple[list[Trajectory], Tally]:
        """The rows with their thoughts, changed in place, and what was done.

        Args:
            rows: as recorded.
            floor: whether their thoughts are held against other rows' later messages too.
        """
        tally = Tally()
        written = []
        for row in rows:
            turns = plan_turns(row, self.recorded)
            written.append((turns, self.thoughts.of(row, turns, rules_of(self.rules, row))))
        if floor:
            self._floor(rows, [given for _, given in written], tally)
        for row, (turns, given) in zip(rows, written, strict=True):
            with_thoughts(row, turns, given, (self.thoughts.name, self.thoughts.origin))
            tally.add(row, given)
        return rows, tally

    def _floor(self, rows: list[Trajectory], written: list[dict[int, Written]], tally: Tally) -> None:
        """Hold each row's thoughts against the next row of another task, as if that were their future."""
        checks = [RowChecks(row, self.checks, rules_of(self.rules, row)) for row in rows]
        for at, row in enumerate(rows):
            swapped = next((n for n in _after(at, len(rows)) if rows[n]["task_group"] != row["task_group"]), None)
            for index, given in written[at].items() if swapped is not None else ():
                if given.text is not None:
                    tally.add_floor(checks[at].floor(index, given.text, checks[cast(int, swapped)]))


def _after(at: int, count: int) -> Iterator[int]:
    return iter((*range(at + 1, count), *range(at)))


def _write(rows: list[Trajectory], tally: Tally, path: str) -> None:
    table = pa.Table.from_pylist(cast(list[Mapping[str, Any]], rows), schema=TRAJECTORY)
    table = table.replace_schema_metadata({_TALLY: orjson.dumps(tally.dump())})
    partial = f"{path}.{os.getpid()}.partial"
    with pa.OSFile(partial, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    os.replace(partial, path)


def read_part(path: str) -> tuple[pa.Table, Tally]:
    """The rows of a part's file, and its counts."""
    with pa.memory_map(path) as source:
        table = pa.ipc.open_file(source).read_all()
    tally = Tally.load(orjson.loads((table.schema.metadata or {})[_TALLY]))
    return table.replace_schema_metadata(None).cast(TRAJECTORY), tally
