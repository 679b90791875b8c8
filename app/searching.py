"""Full-text search: the texts of row groups are read, looked through with Arrow's and Polars' kernels, and let go.

The text is literal. Upper and lower case are alike: of ASCII letters, and of all letters where the text has others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from app.flat_messages import taken_apart
from app.folders import OpenFolder
from app.traces import read_group
from curate.errors import UsageError
from curate.manifest import Shard

TEXTS = ("content", "content_json", "reasoning_content")
COLUMNS = [
    *(f"messages.list.element.{name}" for name in TEXTS),
    "messages.list.element.tool_calls.list.element.arguments",
]
"""What is looked through; nothing else of a row group is read."""
LONGEST = 10_000
"""Characters of a text that is searched for."""
SHORT = 100
"""Characters up to which automata are quick on any text; longer ones take an algorithm that is linear in both."""
PLACE = ("folder", "table", "shard", "group")
Bools = npt.NDArray[np.bool_]


def search(
    folders: Mapping[str, OpenFolder], rows: pl.DataFrame, text: str, progress: Callable[[float], None] | None = None
) -> pl.Series:
    """Numbers of the rows whose messages hold a text, u32, in their order.

    Args:
        folders: by name.
        rows: where to look: row, folder, table, shard, group and at, in the order of `row`.
        text: what to look for.
        progress: told the share that is done; what it raises ends the search.

    Raises:
        UsageError: if the text is too long.
        FolderError: if a shard was taken away or changed.
    """
    if len(text) > LONGEST:
        raise UsageError(f"a text of {len(text):,} characters cannot be searched for; give at most {LONGEST:,}")
    if not text:
        return rows["row"]
    groups = rows.group_by(PLACE, maintain_order=True).agg("row", "at")
    found, done = [pl.Series("row", [], pl.UInt32)], 0
    for some in _side_by_side(groups, lambda group: _found(_shard(folders, group), group, text)):
        found.append(some[0])
        done += some[1]
        if progress is not None:
            progress(done / len(rows))
    pa.default_memory_pool().release_unused()
    return pl.concat(found)


def holding(messages: pa.ChunkedArray[Any], text: str) -> Bools:
    """Which trajectories hold a text, shape (trajectories,), of a column of messages."""
    rows, fields = taken_apart(messages)
    hits = np.zeros(int(rows[-1]), bool)
    for name in TEXTS:
        hits |= _hits(fields[name], text)
    calls, called = taken_apart(fields["tool_calls"])
    hits |= _any_between(_hits(called["arguments"], text), calls)
    return _any_between(hits, rows)


def _side_by_side(
    groups: pl.DataFrame, look: Callable[[dict[str, Any]], tuple[pl.Series, int]]
) -> Iterator[tuple[pl.Series, int]]:
    """Look at row groups on all cores, in their order; only as many are held as there are cores."""
    workers = min(4, os.cpu_count() or 1)
    waiting = groups.iter_rows(named=True)
    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(look, group) for group in islice(waiting, workers)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(look, group) for group in islice(waiting, 1)]


def _shard(folders: Mapping[str, OpenFolder], group: Mapping[str, Any]) -> Path:
    folder = folders[group["folder"]]
    assert folder.manifest is not None
    shard: Shard = folder.manifest.tables[group["table"]][group["shard"]]
    return folder.path / shard.path


def _found(path: Path, group: Mapping[str, Any], text: str) -> tuple[pl.Series, int]:
    """Rows of a group that hold the text, and how many were looked at."""
    holds = holding(read_group(path, group["group"], COLUMNS)["messages"], text)[np.asarray(group["at"])]
    return pl.Series("row", np.asarray(group["row"], np.uint32)[holds], pl.UInt32), len(holds)


def _hits(texts: Any, text: str) -> Bools:
    if texts.null_count == len(texts):
        return np.zeros(len(texts), bool)
    if text.isascii() and len(text) <= SHORT:
        return pl.Series(texts).str.contains_any([text], ascii_case_insensitive=True).fill_null(False).to_numpy()
    if len(text) <= SHORT:
        found: Any = pc.match_substring(texts, text, ignore_case=True)
    else:
        found = pc.match_substring(pc.utf8_lower(texts), pc.utf8_lower(pa.scalar(text)).as_py())
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False), bool)


def _any_between(hits: Bools, begins: Any) -> Bools:
    """Whether any hit lies in each part of `hits`; `begins` says where the parts begin, and the end."""
    total = np.concatenate([[0], np.cumsum(hits)])
    return np.asarray(np.diff(total[begins]) > 0)
