"""The first pass of compile: the entries of a dataset folder as Parquet in a scratch folder, with keys of env scope.

The row groups of the folder are the jobs of an engine, a few at a time; each gives shards of table `entries` as they
will stand in the cache, unless the second pass finds that a tool's results hold within a task only.
"""

from __future__ import annotations

import gc
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cachebuild.calibration import Recorded
from cachebuild.entries import CALL_COLUMNS, Worlds, entries, entry_table
from cachebuild.rescope import rescoped
from cachebuild.schema import ENTRY
from cachebuild.sources import Chosen
from curate.engine import Engine
from curate.folder import DatasetFolder, read_batches
from curate.manifest import Shard
from curate.progress import track
from curate.table_writer import TableWriter

MOST_PARTS = 64
"""Jobs of a run at most, so that a large cache does not have thousands of shards."""
_GROUPS = 2
"""Row groups of a job at least; each is up to 1,000 rows or 32 MB."""
_ROWS_AT_ONCE = 128
_RESULT_HEAD = 8_192
"""Characters of a result that calibration compares; long results of one tool are alike in form."""


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
class Job:
    """Some row groups of one table, as (shard, row group)."""

    number: int
    table: str
    groups: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Part:
    """What came of a job: shards in a folder of their own, the (env, tool) in them, and calls left out, by reason."""

    folder: Path
    shards: list[Shard]
    tools: frozenset[tuple[str, str]] = frozenset()
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def paths(self) -> list[Path]:
        """Where the shards stand."""
        return [self.folder / shard.path for shard in self.shards]


class Spool:
    """The entries of the first pass, in parts in the order of the input."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts

    def scan(self) -> pl.LazyFrame:
        """All entries as a LazyFrame."""
        return pl.scan_parquet([path for part in self.parts for path in part.paths])

    def write(self, table: TableWriter, task_scoped: Set[tuple[str, str]], engine: Engine) -> None:
        """Second pass: give all shards to a table; those that hold task-scoped tools get their keys first."""
        done = engine.map(_Rescoping(task_scoped), self.parts)
        for part in track(done, "writing entries", total=len(self.parts), unit="part"):
            for path, shard in zip(part.paths, part.shards, strict=True):
                if shard.rows:
                    table.adopt(path, shard)

    def left_out(self) -> Counter[str]:
        """Calls that are no entries, by reason."""
        return sum((part.left_out for part in self.parts), Counter())

    def totals(self) -> dict[str, int]:
        """Entries, trajectories and tasks (an identity of env and task each)."""
        counted = self.scan().select(
            entries=pl.len(),
            trajectories=pl.col("trajectory_id").n_unique(),
            tasks=pl.struct("env_id", "task_id").n_unique(),
        )
        return {name: int(value) for name, value in counted.collect().row(0, named=True).items()}

    def distinct(self, task_scoped: Set[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], Iterator[Recorded]]]:
        """(env, tool) -> its distinct successful calls with their commonest result, in the order of their keys."""
        by = ["env_id", "tool", "key", "scope_value"]
        scoped = pl.concat_str("env_id", "tool", separator="\0").is_in(["\0".join(place) for place in task_scoped])
        found = (
            self.scan()
            .filter("success")
            .with_columns(scope_value=pl.when(scoped).then("task_id").otherwise("scope_value"))
            .group_by(by)
            .agg(
                pl.col("initial_state_id", "state_digest", "canonical_arguments").first(),
                pl.col("result_hash").mode().min(),
            )
            .sort(by)
            .collect()
        )
        heads = self.scan().select("result_hash", result=pl.col("result").str.head(_RESULT_HEAD)).unique("result_hash")
        rows = found.join(heads.collect(), on="result_hash", how="left", maintain_order="left").iter_rows(named=True)
        for place, calls in groupby(rows, key=lambda row: (row["env_id"], row["tool"])):
            yield place, map(_recorded, calls)


def _recorded(row: dict[str, Any]) -> Recorded:
    group = (repr(row["initial_state_id"]), row["scope_value"], row["state_digest"])
    return Recorded(group, json.loads(row["canonical_arguments"]), row["result_hash"], row["result"])


def spool(folder: DatasetFolder, chosen: Chosen, worlds: Worlds, scratch: Path, engine: Engine) -> Spool:
    """First pass: declared tools, then entries into `scratch`."""
    _declare(folder, chosen, worlds)
    jobs = list(_jobs(folder, chosen))
    done = engine.map(_Spooling(chosen, worlds, scratch), jobs)
    return Spool(list(track(done, "reading calls", total=len(jobs), unit="part")))


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


def _jobs(folder: DatasetFolder, chosen: Chosen) -> Iterator[Job]:
    """The row groups of the folder in runs, the same for any number of workers."""
    number = 0
    for table in chosen.tables:
        paths = [str(folder.path / shard.path) for shard in folder.manifest.tables[table]]
        groups = [(path, group) for path in paths for group in range(pq.read_metadata(path).num_row_groups)]
        size = max(_GROUPS, -(-len(groups) // MOST_PARTS))
        for start in range(0, len(groups), size):
            yield Job(number, table, tuple(groups[start : start + size]))
            number += 1
    if not number:
        yield Job(0, chosen.tables[0], ())


@dataclass(frozen=True)
class _Spooling:
    """Writes the entries of a job's rows."""

    chosen: Chosen
    worlds: Worlds
    scratch: Path

    def __call__(self, job: Job) -> Part:
        part = Part(self.scratch / f"{job.number:06d}", [])
        part.folder.mkdir()
        table = TableWriter(part.folder, "entries", ENTRY)
        tools: set[tuple[str, str]] = set()
        columns = self.chosen.columns(job.table, CALL_COLUMNS)
        for path, group in job.groups:
            with pq.ParquetFile(path) as file, _collector_at_rest():
                for batch in file.iter_batches(_ROWS_AT_ONCE, [group], columns):
                    rows = self.chosen.rows(job.table, batch.to_pylist())
                    found = [entry for row in rows for entry in entries(row, self.worlds, part.left_out)]
                    written = entry_table(found)
                    table.write_table(written)
                    tools |= _places(written)
        table.close()
        return replace(part, shards=table.shards, tools=frozenset(tools))


def _places(entries: pa.Table) -> set[tuple[str, str]]:
    """The (env, tool) of some entries."""
    envs, tools = (cast(list[str], entries[name].to_pylist()) for name in ("env_id", "tool"))
    return set(zip(envs, tools, strict=True))


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Rows hold no cycles, and looking for some among their dicts takes as long as making them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class _Rescoping:
    """Brings the keys of a part to the scopes that were found for its tools."""

    task_scoped: Set[tuple[str, str]]

    def __call__(self, part: Part) -> Part:
        if part.tools.isdisjoint(self.task_scoped):
            return part
        folder = part.folder.with_suffix(".scoped")
        folder.mkdir()
        table = TableWriter(folder, "entries", ENTRY)
        for path in part.paths:
            for batch in read_batches(path):
                table.write_table(rescoped(batch, self.task_scoped))
        table.close()
        return Part(folder, table.shards, part.tools, part.left_out)
