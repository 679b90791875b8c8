"""Rows into numbered Parquet shards, in row groups bounded by rows and by bytes."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curate.atomic import fsync_file
from curate.errors import FolderError
from curate.manifest import Shard, sha256_file

MAX_GROUP_ROWS = 1_000
MAX_GROUP_BYTES = 32 * 2**20
MAX_SHARD_BYTES = 512 * 2**20
_ROWS_AT_ONCE = 64


class TableWriter:
    """Writes rows of one schema into numbered shards, in row groups of <= 1,000 rows and <= 32 MB."""

    def __init__(self, root: Path, name: str, schema: pa.Schema) -> None:
        self.name = name
        self.schema = schema
        self.shards: list[Shard] = []
        self._root = root
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._pending_bytes = 0
        self._writer: pq.ParquetWriter | None = None
        self._encoder = ThreadPoolExecutor(1)  # one group is encoded while the next is gathered
        self._encoding: Future[None] | None = None
        self._written = 0
        self._rows = 0

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows; they are grouped here, so callers may pass as many or as few as they have."""
        iterator = iter(rows)
        while some := list(itertools.islice(iterator, _ROWS_AT_ONCE)):
            self.write_table(pa.Table.from_pylist(some, schema=self.schema))

    def write_table(self, table: pa.Table) -> None:
        """Append the rows of a table of the same schema; the files do not depend on how rows were cut into tables."""
        start = 0
        for end, size in enumerate(row_bytes(table).tolist()):
            full = self._pending_rows >= MAX_GROUP_ROWS or self._pending_bytes + size > MAX_GROUP_BYTES
            if full and self._pending_rows:
                self._take(table.slice(start, end - start))
                start = end
                self._flush()
            self._pending_rows += 1
            self._pending_bytes += size
        self._take(table.slice(start))

    def adopt(self, path: Path, shard: Shard) -> None:
        """Take in a finished shard of the same schema under the next number: as a link, or a copy where that fails.

        Args:
            path: where it stands; the caller has compared it with its hash.
            shard: what its manifest says of it.

        Raises:
            FolderError: if a copy is not what the manifest says.
        """
        self.cut()
        target = self._path
        try:
            os.link(os.path.realpath(path), target)
        except OSError:
            shutil.copyfile(path, target)
            fsync_file(target)
            if sha256_file(target) != shard.sha256:
                raise FolderError(f"{path} was changed after it was written; write its folder again") from None
        self.shards.append(replace(shard, path=target.name))

    def cut(self) -> None:
        """End the shard here; the rows that follow stand in the next one."""
        if self._pending_rows:
            self._flush()
        self._roll()

    def close(self) -> None:
        """Write what is pending; an empty table still gets one shard, so that its schema is known."""
        if self._pending_rows or not self.shards:
            self._flush()
        self._roll()
        self._encoder.shutdown()

    def _take(self, table: pa.Table) -> None:
        if table.num_rows:
            self._pending.append(table)

    def _flush(self) -> None:
        if self._writer is not None and self._written + self._pending_bytes > MAX_SHARD_BYTES:
            self._roll()
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, self.schema, compression="zstd", write_page_index=True, store_schema=True
            )
        if self._pending:
            self._settle()
            self._encoding = self._encoder.submit(_write_group, self._writer, self._pending)
        self._rows += self._pending_rows
        self._written += self._pending_bytes
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0

    def _settle(self) -> None:
        """Wait until the row group that is being encoded stands in the file."""
        if self._encoding is not None:
            self._encoding.result()
            self._encoding = None

    def _roll(self) -> None:
        if self._writer is None:
            return
        self._settle()
        self._writer.close()
        path = self._path
        fsync_file(path)
        self.shards.append(Shard(str(path.relative_to(self._root)), self._rows, path.stat().st_size, sha256_file(path)))
        self._writer, self._written, self._rows = None, 0, 0

    @property
    def _path(self) -> Path:
        return self._root / f"{self.name}-{len(self.shards):05d}.parquet"


def _write_group(writer: pq.ParquetWriter, tables: list[pa.Table]) -> None:
    writer.write_table(pa.concat_tables(tables).combine_chunks(), row_group_size=MAX_GROUP_ROWS)


def row_bytes(table: pa.Table) -> npt.NDArray[np.int64]:
    """Bytes of text, blobs and numbers of each row, shape (rows,) int64; near enough to bound a row group."""
    total = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        parts = [_value_bytes(chunk) for chunk in column.chunks]
        if parts:
            total += np.concatenate(parts)
    return total


def _value_bytes(array: pa.Array[Any]) -> npt.NDArray[np.int64]:
    kind = array.type
    if pa.types.is_struct(kind):
        fields: list[pa.Array[Any]] = array.flatten()  # type: ignore[attr-defined]
        return np.asarray(np.sum([_value_bytes(item) for item in fields], axis=0, dtype=np.int64))
    offsets = _offsets(array)
    if offsets is None:
        return np.full(len(array), 8, dtype=np.int64)
    if not pa.types.is_list(kind):
        return np.diff(offsets)
    values: pa.Array[Any] = array.values  # type: ignore[attr-defined]
    inside = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(_value_bytes(values), out=inside[1:])
    return np.asarray(inside[offsets[1:]] - inside[offsets[:-1]])


def _offsets(array: pa.Array[Any]) -> npt.NDArray[np.int64] | None:
    """Where each value of a list, text or blob begins and ends in its buffer; None for other types."""
    kind = array.type
    if not (pa.types.is_list(kind) or pa.types.is_string(kind) or pa.types.is_binary(kind)):
        return None
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return np.zeros(len(array) + 1, dtype=np.int64)
    found = np.frombuffer(memoryview(buffer), dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
    return np.asarray(found, dtype=np.int64)
