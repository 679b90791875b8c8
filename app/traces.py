"""One trace as it stands in its folder: found by the index, read from its row group alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import FolderError
from curate.trajectory import Trajectory

HELD_BYTES = 64 * 2**20
"""Of row groups that were read last: the neighbours of a trace are read at once."""


@dataclass(frozen=True)
class TraceKey:
    """Which trace: the short name of its folder, and its trajectory_id, or `row-N` of a reject without one."""

    folder: str
    trace: str


@dataclass(frozen=True)
class Trace:
    """A trajectory or reject; `table` says which, `kind` is that of the folder. A reject's row has reject_* too."""

    key: TraceKey
    kind: str
    table: str
    row: Trajectory


class RowGroups:
    """Reads rows of Parquet files; the row groups that were read last are held. Safe to use from several threads."""

    def __init__(self, held_bytes: int = HELD_BYTES) -> None:
        self._held: OrderedDict[tuple[Path, int], pa.Table] = OrderedDict()
        self._bytes = held_bytes
        self._lock = threading.Lock()

    def row(self, path: Path, group: int, at: int) -> Trajectory:
        """One row.

        Args:
            path: the Parquet file.
            group: number of the row group in it.
            at: number of the row in the group.
        """
        with self._lock:
            table = self._held.pop((path, group), None)
        if table is None:
            table = read_group(path, group)
        with self._lock:
            self._held[path, group] = table
            while len(self._held) > 1 and sum(each.nbytes for each in self._held.values()) > self._bytes:
                self._held.popitem(last=False)
        return row_of(table, at)


def row_of(table: pa.Table, at: int) -> Trajectory:
    """A row as the rest of the toolkit knows it: lists are never null."""
    row: dict[str, Any] = table.slice(at, 1).to_pylist()[0]
    for name in ("messages", "thinking", "evidence"):
        row[name] = row.get(name) or []
    for message in row["messages"]:
        message["tool_calls"] = message["tool_calls"] or []
    return cast(Trajectory, row)


def read_group(path: Path, group: int, columns: list[str] | None = None) -> pa.Table:
    """A row group of a shard, or some of its columns.

    Raises:
        FolderError: if the file is not what it was when the folder was opened.
    """
    try:
        with pq.ParquetFile(path, memory_map=True, read_dictionary=["tools"]) as file:  # a thousand times the same
            return file.read_row_group(group, columns, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise FolderError(f"{path} was taken away or changed since it was opened; start the reader again") from error
