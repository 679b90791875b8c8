"""The spool in numbers, and its distinct calls tool by tool: what the tables of tools are counted from.

A hash goes by its first 64 bits here and a text by its hash: held in memory are 41 bytes an entry, and the texts of
some distinct calls at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from cachebuild.calibration import CalibrationSettings, FieldCounts, Recorded, calibrate
from cachebuild.rescope import Tool
from cachebuild.spool import Spool
from curate.canonical import parse_object
from curate.collector import collector_at_rest
from curate.engine import Engine
from curate.progress import track

MOST_CALLS = 50_000
"""Distinct calls of one tool that calibration looks at, the first in the order of their keys: a draw of chance."""
_RESULT_HEAD = 8_192
"""Characters of a result that calibration compares; long results of one tool are alike in form."""
_TEXTS = ["initial_state_id", "task_id", "state_digest", "canonical_arguments", "result_hash"]


@dataclass(frozen=True)
class EntryNumbers:
    """Every entry of a spool as numbers.

    Attributes:
        tools: (env, tool) in their order; `place` is the place in it.
        entries: columns row, place, task, key, result (UInt64), success.
    """

    tools: list[Tool]
    entries: pl.DataFrame

    @classmethod
    def of(cls, spool: Spool) -> EntryNumbers:
        """Read the spool once."""
        found = (
            spool.scan()
            .select(
                pl.col("env_id", "tool").cast(pl.Categorical),
                "success",
                task=pl.col("task_id").hash(),
                key=_number("key"),
                result=_number("result_hash"),
            )
            .collect()
        )
        names = found.select("env_id", "tool").unique()
        tools = sorted(names.with_columns(pl.all().cast(pl.String)).rows())
        schema = {"env_id": pl.Categorical, "tool": pl.Categorical}
        places = pl.DataFrame(tools, schema, orient="row").with_row_index("place")
        entries = found.join(places, on=["env_id", "tool"], maintain_order="left").drop("env_id", "tool")
        return cls(tools, entries.with_row_index("row"))

    def distinct(self, task_scoped: Set[Tool]) -> pl.DataFrame:
        """Distinct successful calls, at most `MOST_CALLS` a tool: place, key, and a row with the commonest result."""
        scoped = [place for place, tool in enumerate(self.tools) if tool in task_scoped]
        call = ["place", "key", "scope"]
        return (
            self.entries.lazy()
            .filter("success")
            .with_columns(scope=pl.when(pl.col("place").is_in(scoped)).then("task").otherwise(0))
            .group_by(*call, "result")
            .agg(pl.len(), pl.col("row").min())
            .sort(*call, "len", "result", descending=[False, False, False, True, False])
            .unique(call, keep="first", maintain_order=True)
            .group_by("place", maintain_order=True)
            .head(MOST_CALLS)
            .select("place", "key", "row")
            .collect()
        )


def _number(name: str) -> pl.Expr:
    """The first half of a hash of 32 hex digits."""
    return pl.col(name).str.slice(0, 16).str.to_integer(base=16, dtype=pl.UInt64)


def calibrated(
    spool: Spool,
    numbers: EntryNumbers,
    task_scoped: Set[Tool],
    settings: CalibrationSettings,
    id_fields: Mapping[str, tuple[str, ...]],
    engine: Engine,
) -> Iterator[tuple[Tool, dict[str, FieldCounts]]]:
    """(env, tool) -> what its distinct calls say of each argument field.

    Args:
        spool: the entries, with keys of env scope.
        numbers: the same in numbers.
        task_scoped: the tools whose results hold within one task.
        settings: how many values are compared.
        id_fields: env -> further names of id fields.
        engine: where the work is done.
    """
    folder = spool.root / "distinct"
    folder.mkdir()
    calls = numbers.distinct(task_scoped)
    sizes = calls.group_by("place", maintain_order=True).len()
    bins = (sizes["len"].cum_sum() - 1) // MOST_CALLS  # tools that are read together
    calls = calls.join(sizes.select("place", bin=bins), on="place", maintain_order="left").sort("row")
    for _ in engine.map(_Picking(folder), list(_picked(spool, calls))):
        pass
    task = _Calibrating(folder, numbers.tools, task_scoped, settings, id_fields)
    jobs = sorted(set(bins))
    for found in track(engine.map(task, jobs), "calibrating", total=len(jobs), unit="part"):
        yield from found


@dataclass(frozen=True)
class _Pick:
    """Rows of one shard of the spool, with the place, the key and the bin of each."""

    path: Path
    rows: npt.NDArray[np.uint32]
    calls: pl.DataFrame


def _picked(spool: Spool, calls: pl.DataFrame) -> Iterator[_Pick]:
    rows, start = calls["row"].to_numpy(), 0
    for path in spool.paths:
        end = start + pq.read_metadata(path).num_rows
        first, last = np.searchsorted(rows, (start, end)).tolist()
        if first < last:
            yield _Pick(path, rows[first:last] - np.uint32(start), calls[first:last].drop("row"))
        start = end


@dataclass(frozen=True)
class _Picking:
    """Writes the texts of some calls of a shard, a file a bin."""

    folder: Path

    def __call__(self, pick: _Pick) -> None:
        head = pl.col("result").str.head(_RESULT_HEAD)
        texts = pl.scan_parquet(pick.path).select(*_TEXTS, head).collect()[pick.rows]
        for (number,), calls in texts.hstack(pick.calls).partition_by("bin", as_dict=True).items():
            calls.write_ipc(self.folder / f"{number:05d}-{pick.path.stem}.arrow")


@dataclass(frozen=True)
class _Calibrating:
    """Calibrates the tools of a bin."""

    folder: Path
    tools: list[Tool]
    task_scoped: Set[Tool]
    settings: CalibrationSettings
    id_fields: Mapping[str, tuple[str, ...]]

    def __call__(self, number: int) -> list[tuple[Tool, dict[str, FieldCounts]]]:
        paths = sorted(self.folder.glob(f"{number:05d}-*.arrow"))
        calls = pl.concat([pl.read_ipc(path) for path in paths]).sort("place", "key", "task_id")
        found = []
        with collector_at_rest():
            for place, rows in groupby(zip(*(calls[name] for name in _COLUMNS), strict=True), key=itemgetter(0)):
                tool = self.tools[place]
                recorded = (_recorded(row, tool in self.task_scoped) for row in rows)
                found.append((tool, calibrate(recorded, self.settings, self.id_fields.get(tool[0], ()))))
        return found


_COLUMNS = ("place", *_TEXTS, "result")


def _recorded(row: tuple[Any, ...], scoped: bool) -> Recorded:
    _, start, task_id, digest, arguments, result_hash, result = row
    read = parse_object(arguments)
    values = json.loads(arguments) if read is None else read[0]
    return Recorded((repr(start), task_id if scoped else "", digest), values, result_hash, result)
