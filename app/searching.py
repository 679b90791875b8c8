"""Full-text search over the messages of row groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.flat_messages import taken_apart
from app.folders import OpenFolder

COLUMNS = [
    "messages.list.element.content",
    "messages.list.element.reasoning_content",
    "messages.list.element.tool_calls.list.element.arguments",
]


def search(
    folders: Mapping[str, OpenFolder], rows: pl.DataFrame, text: str, progress: Callable[[float], None] | None = None
) -> pl.Series:
    """Numbers of the rows that hold a text."""
    found: list[int] = []
    done = 0
    for (name, table, number, group), some in rows.group_by("folder", "table", "shard", "group", maintain_order=True):
        folder: Any = folders[str(name)]
        path = folder.path / folder.manifest.tables[table][number].path
        with pq.ParquetFile(path, memory_map=True) as file:
            read = file.read_row_group(group, COLUMNS, use_threads=False)
        holds = holding(read["messages"], text)
        found += some.filter(holds[some["at"].to_numpy()])["row"].to_list()
        done += len(some)
        if progress is not None:
            progress(done / len(rows))
    return pl.Series("row", found, pl.UInt32)


def holding(messages: pa.ChunkedArray[Any], text: str) -> np.ndarray[Any, Any]:
    """Which trajectories hold a text."""
    rows, fields = taken_apart(messages)
    nested = fields.pop("tool_calls")
    calls, called = taken_apart(nested)
    hits = np.zeros(rows[-1], bool)
    for column in fields.values():
        hits |= _hits(column, text)
    inside = np.concatenate([[0], np.cumsum(_hits(called["arguments"], text))])
    hits |= np.diff(inside[calls]) > 0
    total = np.concatenate([[0], np.cumsum(hits)])
    return np.asarray(np.diff(total[rows]) > 0)


def _hits(texts: pa.Array[Any], text: str) -> np.ndarray[Any, Any]:
    found = pc.match_substring(texts, text, ignore_case=True).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)
