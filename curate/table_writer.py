"""Rows into numbered Parquet shards, in row groups bounded by rows and by bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.manifest import Shard, sha256_file

MAX_GROUP_ROWS = 1_000
MAX_GROUP_BYTES = 32 * 2**20
MAX_SHARD_BYTES = 512 * 2**20


class TableWriter:
    """Writes rows of one schema into numbered shards, in row groups of <= 1,000 rows and <= 32 MB."""

    def __init__(self, root: Path, name: str, schema: pa.Schema) -> None:
        self.name = name
        self.schema = schema
        self.shards: list[Shard] = []
        self._root = root
        self._pending: list[Mapping[str, Any]] = []
        self._pending_bytes = 0
        self._writer: pq.ParquetWriter | None = None
        self._written = 0
        self._rows = 0

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows; they are grouped here, so callers may pass as many or as few as they have."""
        for row in rows:
            size = _size(row)
            if self._pending and (len(self._pending) >= MAX_GROUP_ROWS or self._pending_bytes + size > MAX_GROUP_BYTES):
                self._flush()
            self._pending.append(row)
            self._pending_bytes += size

    def close(self) -> None:
        """Write what is pending; an empty table still gets one shard, so that its schema is known."""
        if self._pending or not self.shards:
            self._flush()
        self._roll()

    def _flush(self) -> None:
        if self._writer is not None and self._written + self._pending_bytes > MAX_SHARD_BYTES:
            self._roll()
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, self.schema, compression="zstd", write_page_index=True, store_schema=True
            )
        if self._pending:
            table = pa.Table.from_pylist(self._pending, schema=self.schema)
            self._writer.write_table(table, row_group_size=MAX_GROUP_ROWS)
        self._rows += len(self._pending)
        self._written += self._pending_bytes
        self._pending, self._pending_bytes = [], 0

    def _roll(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        path = self._path
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        self.shards.append(Shard(str(path.relative_to(self._root)), self._rows, path.stat().st_size, sha256_file(path)))
        self._writer, self._written, self._rows = None, 0, 0

    @property
    def _path(self) -> Path:
        return self._root / f"{self.name}-{len(self.shards):05d}.parquet"


def _size(value: Any) -> int:
    """Bytes of text and blobs below `value`, near enough to bound a row group."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value) if isinstance(value, bytes) else 8
