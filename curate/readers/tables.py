"""Tables as records: Parquet and Arrow files, saved `datasets` folders, Hub datasets; memory bounded by one batch."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from curate.errors import InputError
from curate.readers.expand import saved_shards
from curate.readers.json_texts import SKIP_REMEDY
from curate.readers.paths import kind_of
from curate.readers.raw import RawRecord

BATCH_ROWS = 64
"""Rows turned into Python values at a time; a row can be a megabyte, and values take many times their bytes."""


def table_records(path: Path) -> Iterator[RawRecord]:
    """The rows of a table, in order, without raw bytes.

    Raises:
        UsageError: for a path that is no table.
        InputError: where the table cannot be read on, naming the last whole record.
    """
    kind, row = kind_of(path), 0
    try:
        for value in _values(path, kind):
            yield RawRecord(row, json_value(value))
            row += 1
    except (pa.ArrowException, OSError, ValueError) as error:
        place = f"after record {row - 1}" if row else "at all"
        name = {"parquet": "the Parquet file", "arrow": "the Arrow file"}.get(kind, "the dataset")
        raise InputError(f"{path}: {name} cannot be read {place} ({error})", SKIP_REMEDY) from error


def _values(path: Path, kind: str) -> Iterator[Any]:
    if kind == "hub":
        from curate.readers.hub import hub_rows  # imports `datasets`, which takes a second

        yield from hub_rows(str(path))
    elif kind == "parquet":
        with pq.ParquetFile(path) as file:
            yield from _rows(file.iter_batches(batch_size=BATCH_ROWS))
    else:
        for shard in saved_shards(path) if kind == "saved" else [path]:
            yield from _rows(_arrow_batches(shard))


def _arrow_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of an Arrow stream (as `datasets` writes) or Arrow file, mapped into memory, not read at once."""
    with pa.memory_map(str(path)) as source:
        if bytes(source.read(6)) == b"ARROW1":
            file = ipc.open_file(source)
            yield from (file.get_batch(index) for index in range(file.num_record_batches))
        else:
            source.seek(0)
            yield from ipc.open_stream(source)


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[Any]:
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield from batch.slice(start, BATCH_ROWS).to_pylist()


def json_value(value: Any) -> Any:
    """A cell as JSON would hold it: times as ISO 8601, bytes as base64, decimals as text, NaN as null."""
    if isinstance(value, dict):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
