"""Full-text search: which trajectories say a text, in their messages, thinking or arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.folder import DatasetFolder

_TEXTS = ("content", "reasoning_content")
_COLUMNS = [f"messages.list.element.{name}" for name in (*_TEXTS, "tool_calls.list.element.arguments")]

Progress = Callable[[float], None]


def search_folder(folder: DatasetFolder, frame: pl.DataFrame, text: str, progress: Progress | None = None) -> pl.Series:
    """Numbers of the rows of an index whose messages hold a text, letters' case aside; the text is no pattern.

    Args:
        folder: of the index.
        frame: rows of the index to be looked at, with their `row`, `table`, `shard`, `group` and `at`.
        text: what is looked for.
        progress: is told the share that is done.
    """
    groups = frame.group_by("table", "shard", "group", maintain_order=True).agg("row", "at")
    found: list[pl.Series] = []
    file: pq.ParquetFile | None = None
    opened = None
    for done, (table, shard, group, rows, places) in enumerate(groups.iter_rows()):
        if opened != (table, shard):
            opened = (table, shard)
            if file is not None:
                file.close()
            file = pq.ParquetFile(folder.path / folder.manifest.tables[str(table)][shard].path)
        assert file is not None, "opened above"
        held = np.flatnonzero(_holds(file.read_row_group(group, _COLUMNS), text))
        chosen = np.isin(np.asarray(places), held)
        found.append(pl.Series("row", np.asarray(rows)[chosen], pl.UInt32))
        if progress is not None:
            progress((done + 1) / len(groups))
    if file is not None:
        file.close()
    return pl.concat(found) if found else pl.Series("row", [], pl.UInt32)


def _holds(table: pa.Table, text: str) -> NDArray[np.bool_]:
    """Of each row, whether one of its messages holds the text."""
    holds = np.zeros(table.num_rows, bool)
    start = 0
    for chunk in table.column("messages").chunks:
        for places in _places(chunk, text):
            holds[start + places] = True
        start += len(chunk)
    return holds


def _places(lists: Any, text: str) -> Iterator[NDArray[np.int64]]:
    """Numbers of the lists in which a message's text or a call's arguments hold the text."""
    messages = lists.flatten()
    owner = pc.list_parent_indices(lists).to_numpy()
    for name in _TEXTS:
        yield owner[_matches(pc.struct_field(messages, name), text)]
    calls = pc.struct_field(messages, "tool_calls")
    caller = pc.list_parent_indices(calls).to_numpy()
    arguments = pc.struct_field(calls.flatten(), "arguments")
    yield owner[caller[_matches(arguments, text)]]


def _matches(texts: Any, text: str) -> NDArray[np.int64]:
    found = pc.match_substring(texts, text, ignore_case=True)
    return np.flatnonzero(pc.fill_null(found, False).to_numpy(zero_copy_only=False))


def spread(progress: Progress | None, done: int, whole: int, rows: Sequence[int]) -> Progress | None:
    """Progress over several folders, each counted by its rows."""
    if progress is None or not whole:
        return None
    before = sum(rows[:done])
    return lambda share: progress((before + share * rows[done]) / whole)
