"""Texts of rows where near-duplicates are verified: fetched in bounded batches, from memory or from a spool on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.minhash import buffers_of

FetchTexts: TypeAlias = "Callable[[NDArray[np.int64]], pa.Array[Any]]"
"""Texts of rows by ascending row numbers, as a string array in the same order."""

BATCH_BYTES = 32 * 2**20
"""Texts fetched at a time to be verified; their shingle sets take about as much again."""
BATCH_PAIRS = 1 << 16


def batches_of_pairs(sizes: NDArray[np.int64]) -> Iterator[slice]:
    """Cut pairs into batches by the bytes of their texts; a pair above `BATCH_BYTES` is a batch of its own."""
    weight = np.cumsum(sizes / BATCH_BYTES + 1 / BATCH_PAIRS).astype(np.int64)
    edges = np.append(np.flatnonzero(np.diff(weight, prepend=-1)), len(sizes)).tolist()
    if len(sizes):
        edges[0] = 0
    yield from map(slice, edges[:-1], edges[1:])


class TextSpool:
    """Texts in a nameless temporary file; eight bytes of memory a text. A context manager: the file ends with it.

    Args:
        folder: where the file is made.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._ends: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
        self._offsets: NDArray[np.int64] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, texts: pa.Array[Any]) -> None:
        """Add texts; a null counts as an empty one."""
        offsets, data = buffers_of(texts)
        self._file.write(data[offsets[0] : offsets[-1]].data)
        self._ends.append(offsets[1:] - offsets[0] + self._ends[-1][-1])
        self._offsets = None

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each text."""
        return np.diff(self._finished())

    def fetch(self, rows: NDArray[np.int64]) -> pa.Array[Any]:
        """Texts of rows, read from disk."""
        offsets = self._finished()
        starts, ends = offsets[rows], offsets[rows + 1]
        places = np.cumsum(np.append(0, ends - starts))
        data = np.empty(places[-1], np.uint8)
        view, number = data.data, self._file.fileno()
        for start, first, last in zip(starts.tolist(), places[:-1].tolist(), places[1:].tolist(), strict=True):
            os.preadv(number, [view[first:last]], start)
        return pa.LargeStringArray.from_buffers(len(rows), pa.py_buffer(places.data), pa.py_buffer(data.data))

    def _finished(self) -> NDArray[np.int64]:
        if self._offsets is None:
            self._file.flush()
            self._offsets = np.concatenate(self._ends)
            self._ends = [self._offsets]
        return self._offsets
