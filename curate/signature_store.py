"""Signatures beside the shards: the table `signatures` of a dataset folder, row by row as its trajectories.

Later runs find what stands in published sets from it without reading their texts. The same columns serve Arrow
engines: `signature_batch` and `band_rows` map batches to batches and know of no engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.buckets import band_keys
from curate.errors import FolderError
from curate.folder import DatasetFolder
from curate.minhash import EMPTY, PERMUTATIONS, SIGNATURE_VERSION, Signatures, signatures

TABLE = "signatures"

BAND_ROWS = pa.schema([("band", pa.int32()), ("bucket", pa.uint64()), ("index", pa.int64())])
"""Rows of `band_rows`: shuffle by (band, bucket), and what may be alike comes together."""

_BATCH_ROWS = 65_536


def signature_schema(count: int = PERMUTATIONS, **facts: str) -> pa.Schema:
    """The schema of the table: the id, and K uint32 values, lowest byte first, as bytes.

    Args:
        count: K.
        facts: more of what the signatures rest on and must be equal to be compared, e.g. `view="whole"`.
    """
    fields: list[pa.Field[Any]] = [pa.field("trajectory_id", pa.string()), pa.field("signature", pa.binary(4 * count))]
    metadata: dict[bytes | str, bytes | str] = {"signature_version": SIGNATURE_VERSION}
    metadata.update(facts.items())
    return pa.schema(fields, metadata)


def to_arrow(values: Signatures) -> pa.Array[Any]:
    """Signatures as fixed-size binary, 4 * K bytes each."""
    data = np.ascontiguousarray(values, dtype="<u4")
    kind = pa.binary(4 * values.shape[1])
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(data.data)])


def from_arrow(array: pa.Array[Any]) -> Signatures:
    """The reverse of `to_arrow`, without a copy."""
    width = array.type.byte_width
    buffer = array.buffers()[1]
    data = np.frombuffer(memoryview(buffer), np.uint8) if buffer is not None else np.empty(0, np.uint8)
    part = data[array.offset * width : (array.offset + len(array)) * width]
    return part.view("<u4").reshape(len(array), width // 4)


def signature_batch(batch: pa.RecordBatch, count: int = PERMUTATIONS) -> pa.RecordBatch:
    """The batch with its column `text` replaced by `signature`."""
    column = to_arrow(signatures(batch.column("text"), count, threads=1))
    return batch.drop_columns(["text"]).append_column("signature", column)


def band_rows(batch: pa.RecordBatch, bands: int, rows: int) -> pa.RecordBatch:
    """Where the rows of a batch of columns `signature` and `index` (int64) are to meet others.

    Returns:
        Of schema `BAND_ROWS`, one row a band and row; none for empty texts.
    """
    values, index = from_arrow(batch.column("signature")), batch.column("index").to_numpy()
    worded = values[:, 0] != EMPTY
    buckets = band_keys(values[worded], bands, rows)
    numbers = np.tile(np.arange(bands, dtype=np.int32), len(buckets))
    columns = [pa.array(numbers), pa.array(buckets.ravel()), pa.array(np.repeat(index[worded], bands))]
    return pa.record_batch(columns, schema=BAND_ROWS)


class SignatureStore:
    """The signatures of published sets, as one long list of rows that stays on disk.

    Args:
        folders: the shards of each set, in order.
        count: K that the new rows have.
        facts: as given to `signature_schema`.

    Raises:
        FolderError: if the signatures cannot be compared with ones made now.
    """

    def __init__(self, folders: Sequence[Sequence[Path]], count: int = PERMUTATIONS, **facts: str) -> None:
        self._shards = [shard for shards in folders for shard in shards]
        wanted = signature_schema(count, **facts)
        for shard in self._shards:
            _check(shard, wanted)
        sizes = [sum(pq.read_metadata(shard).num_rows for shard in shards) for shards in folders]
        self._starts = np.cumsum([0, *sizes])

    @classmethod
    def of(cls, folders: Sequence[DatasetFolder], count: int = PERMUTATIONS, **facts: str) -> SignatureStore:
        """The store of dataset folders that hold a table `signatures`.

        Raises:
            FolderError: if one holds none, or others than are made now.
        """
        for folder in folders:
            if TABLE not in folder.manifest.tables:
                raise FolderError(f"{folder.path} holds no signatures; curate it anew with near-duplicates on")
        shards = [[folder.path / shard.path for shard in folder.manifest.tables[TABLE]] for folder in folders]
        return cls(shards, count, **facts)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def batches(self) -> Iterator[tuple[int, Signatures]]:
        """(number of the first row, signatures), a few tens of MB at a time."""
        first = 0
        for shard in self._shards:
            with pq.ParquetFile(shard) as file:
                for batch in file.iter_batches(_BATCH_ROWS, columns=["signature"]):
                    yield first, from_arrow(batch.column(0))
                    first += len(batch)

    def locate(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(number of the folder, row in its table) of rows of the store."""
        folders = np.searchsorted(self._starts, rows, side="right") - 1
        return folders, rows - self._starts[folders]

    def trajectory_ids(self, rows: Sequence[int]) -> list[str]:
        """The ids of rows of the store, in the order given."""
        wanted, found, first = np.unique(np.array(rows, np.int64)), dict[int, Any](), 0
        for shard in self._shards:
            with pq.ParquetFile(shard) as file:
                for group in range(file.num_row_groups):
                    last = first + file.metadata.row_group(group).num_rows
                    here = wanted[(wanted >= first) & (wanted < last)]
                    if len(here):
                        ids = file.read_row_group(group, columns=["trajectory_id"]).column(0)
                        found.update(zip(here.tolist(), ids.take(here - first).to_pylist(), strict=True))
                    first = last
        return [found[row] for row in rows]


def _check(shard: Path, wanted: pa.Schema) -> None:
    schema = pq.read_schema(shard)
    metadata = schema.metadata or {}
    for key, value in (wanted.metadata or {}).items():
        if metadata.get(key) != value:
            found = metadata.get(key, b"none").decode()
            raise FolderError(f"{shard}: {key.decode()} is {found}, not {value.decode()}; curate the set anew")
    if schema.field("signature").type != wanted.field("signature").type:
        raise FolderError(f"{shard}: its signatures have another number of permutations; curate the set anew")
