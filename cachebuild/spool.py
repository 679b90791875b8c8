"""The first pass of compile: the entries of a dataset folder as Parquet in a scratch folder, with keys of env scope."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from cachebuild.calibration import Recorded
from cachebuild.entries import ROW_COLUMNS, Worlds, entries
from cachebuild.schema import ENTRY
from cachebuild.settings import CompileSettings, words
from cachebuild.sources import chosen_rows
from curate.folder import DatasetFolder, read_batches
from curate.progress import track
from curate.table_writer import TableWriter

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


class Spool:
    """The entries of the first pass, as Parquet in a scratch folder."""

    def __init__(self, root: Path) -> None:
        self.paths = sorted(root.glob("*.parquet"))

    def scan(self) -> pl.LazyFrame:
        """All entries as a LazyFrame."""
        return pl.scan_parquet(self.paths)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The entries in the order of the input."""
        for path in self.paths:
            yield from read_batches(path)

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


def spool(
    folder: DatasetFolder,
    splits: frozenset[str],
    settings: CompileSettings,
    worlds: Worlds,
    scratch: Path,
    known: frozenset[str] = frozenset(),
) -> tuple[Spool, Counter[str]]:
    """First pass: declared tools, then entries into `scratch`; with what was left out, by reason.

    Trajectories whose id is `known` give no entries.
    """
    rejects = words(settings.include_rejects)
    for row in chosen_rows(folder, splits, ("env_id", "split", "tools"), rejects):
        worlds.declare(row["env_id"], row["tools"])
    left_out: Counter[str] = Counter()
    table = TableWriter(scratch, "spool", ENTRY)
    rows = chosen_rows(folder, splits, ROW_COLUMNS, rejects)
    followed = track(rows, "reading calls", total=folder.manifest.rows("trajectories"))
    table.write(
        chain.from_iterable(entries(row, worlds, left_out) for row in followed if row["trajectory_id"] not in known)
    )
    table.close()
    return Spool(scratch), left_out
