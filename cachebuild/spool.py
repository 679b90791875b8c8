"""The first pass of compile: the entries of a dataset folder as Parquet in a scratch folder, with keys of env scope.

The row groups of the folder are the jobs of an engine, a few at a time; each gives shards of table `entries` as they
will stand in the cache, unless the second pass finds that a tool's results hold within a task only.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cachebuild.entries import CALL_COLUMNS, Worlds, entries, entry_table
from cachebuild.rescope import Tool, rescoped
from cachebuild.schema import ENTRY
from cachebuild.settings import CompileSettings, words
from cachebuild.sources import Chosen
from curate.collector import collector_at_rest
from curate.engine import Engine
from curate.folder import DatasetFolder, read_batches
from curate.manifest import Shard
from curate.progress import track
from curate.table_writer import TableWriter
from curate.trajectory import Trajectory

MOST_PARTS = 64
"""Jobs of a run at most, so that a large cache does not have thousands of shards."""
_GROUPS = 2
"""Row groups of a job at least; each is up to 1,000 rows or 32 MB."""
_ROWS_AT_ONCE = 128
_ENV, _TOOL = ENTRY.get_field_index("env_id"), ENTRY.get_field_index("tool")


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """An empty folder for the time of the block; what a killed run left there goes first."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path)


@dataclass(frozen=True)
class Part:
    """A shard of the spool, and the (env, tool) whose entries it holds."""

    path: Path
    shard: Shard
    tools: frozenset[Tool]


class Spool:
    """Entries with keys of env scope, as Parquet in a scratch folder.

    Args:
        root: the folder; the order of the shards' names is the order of the entries.
        parts: what is known of the shards that a first pass wrote.
    """

    def __init__(self, root: Path, parts: Sequence[Part] = ()) -> None:
        self.root = root
        self.paths = sorted(root.glob("*.parquet"))
        self.parts = parts

    def scan(self) -> pl.LazyFrame:
        """All entries as a LazyFrame."""
        return pl.scan_parquet(self.paths)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The entries in the order of the input."""
        for path in self.paths:
            yield from read_batches(path)

    def write(self, table: TableWriter, task_scoped: Set[Tool], engine: Engine) -> None:
        """Second pass: all shards of the first one go into a table, with new keys where a tool is task-scoped."""
        moved = [part for part in self.parts if not part.tools.isdisjoint(task_scoped)]
        rescoping = _Rescoping(task_scoped, self.root / "rescoped")
        rescoping.folder.mkdir()
        done = track(engine.map(rescoping, moved), "writing entries", total=len(moved), unit="part")
        for part in self.parts:
            for path, shard in next(done) if part in moved else [(part.path, part.shard)]:
                if shard.rows:
                    table.adopt(path, shard)

    def totals(self) -> dict[str, int]:
        """Entries, trajectories and tasks (an identity of env and task each)."""
        counted = self.scan().select(
            entries=pl.len(),
            trajectories=pl.col("trajectory_id").n_unique(),
            tasks=pl.struct("env_id", "task_id").n_unique(),
        )
        return {name: int(value) for name, value in counted.collect().row(0, named=True).items()}


def spool(
    folder: DatasetFolder,
    splits: frozenset[str],
    settings: CompileSettings,
    worlds: Worlds,
    scratch: Path,
    engine: Engine,
    known: frozenset[str] = frozenset(),
) -> tuple[Spool, Counter[str]]:
    """First pass: declared tools, then entries into `scratch`; with what was left out, by reason.

    Trajectories whose id is `known` give no entries.
    """
    chosen = Chosen.of(folder, splits, words(settings.include_rejects))
    _declare(folder, chosen, worlds)
    jobs = list(_jobs(folder, chosen))
    done = engine.map(_Spooling(chosen, worlds, scratch, known), jobs)
    parts: list[Part] = []
    left_out: Counter[str] = Counter()
    for found, reasons in track(done, "reading calls", total=len(jobs), unit="part"):
        parts += found
        left_out += reasons
    return Spool(scratch, parts), left_out


def _declare(folder: DatasetFolder, chosen: Chosen, worlds: Worlds) -> None:
    """Read the declared tools of all rows that are taken."""
    for table in chosen.tables:
        for shard in folder.manifest.tables[table]:
            with pq.ParquetFile(folder.path / shard.path, read_dictionary=["tools"]) as file:
                for batch in file.iter_batches(columns=chosen.columns(table, ("env_id", "tools"))):
                    for env_id, tools in _declared(table, batch, chosen):
                        worlds.declare(env_id, tools)


def _declared(table: str, batch: pa.RecordBatch, chosen: Chosen) -> Iterator[tuple[str, str | None]]:
    """(env, tools) of the rows of a batch that are taken, each once; few texts of tools stand for many rows."""
    tools: Any = batch["tools"]
    numbered = batch.set_column(batch.schema.get_field_index("tools"), "tools", tools.indices)
    found = dict.fromkeys((row["env_id"], row["tools"]) for row in chosen.rows(table, numbered.to_pylist()))
    for env_id, number in found:
        yield env_id, None if number is None else tools.dictionary[number].as_py()


@dataclass(frozen=True)
class _Job:
    """Some row groups of one table, as (shard, row group)."""

    number: int
    table: str
    groups: tuple[tuple[str, int], ...]


def _jobs(folder: DatasetFolder, chosen: Chosen) -> Iterator[_Job]:
    """The row groups of the folder in runs, the same for any number of workers."""
    number = 0
    for table in chosen.tables:
        paths = [str(folder.path / shard.path) for shard in folder.manifest.tables[table]]
        groups = [(path, group) for path in paths for group in range(pq.read_metadata(path).num_row_groups)]
        size = max(_GROUPS, -(-len(groups) // MOST_PARTS))
        for start in range(0, max(1, len(groups)), size):
            yield _Job(number, table, tuple(groups[start : start + size]))
            number += 1


@dataclass(frozen=True)
class _Spooling:
    """Writes the entries of a job's rows."""

    chosen: Chosen
    worlds: Worlds
    scratch: Path
    known: frozenset[str]

    def __call__(self, job: _Job) -> tuple[list[Part], Counter[str]]:
        """The shards, and the calls that were left out, by reason."""
        table = TableWriter(self.scratch, f"spool-{job.number:05d}", ENTRY)
        tools: set[Tool] = set()
        left_out: Counter[str] = Counter()
        with collector_at_rest():
            for rows in self._rows(job):
                found = [entry for row in rows for entry in entries(row, self.worlds, left_out)]
                tools.update((entry[_ENV], entry[_TOOL]) for entry in found)
                table.write_table(entry_table(found))
        table.close()
        parts = [Part(self.scratch / shard.path, shard, frozenset(tools)) for shard in table.shards]
        return parts, left_out

    def _rows(self, job: _Job) -> Iterator[list[Trajectory]]:
        columns = self.chosen.columns(job.table, CALL_COLUMNS)
        for path, group in job.groups:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_ROWS_AT_ONCE, [group], columns):
                    rows = self.chosen.rows(job.table, batch.to_pylist())
                    yield [row for row in rows if row["trajectory_id"] not in self.known]


@dataclass(frozen=True)
class _Rescoping:
    """Brings the keys of a shard to the scopes that were found for its tools."""

    task_scoped: Set[Tool]
    folder: Path

    def __call__(self, part: Part) -> list[tuple[Path, Shard]]:
        table = TableWriter(self.folder, part.path.stem, ENTRY)
        for batch in read_batches(part.path):
            table.write_table(rescoped(batch, self.task_scoped))
        table.close()
        return [(self.folder / shard.path, shard) for shard in table.shards]
