"""Near-duplicates among rows of chunk files, as pieces of work for any worker: measure, shuffle by band, compare.

A worker is told which chunk files to read and gives back columns or numbers; nothing here knows of an engine. Where
rows meet is a group: a band, and the first bits of the bucket key, so that a group is as large as a worker can bear.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.buckets import PART_BITS, part_pairs
from curate.digest import read_chunk
from curate.minhash import EMPTY, jaccards, shingle_sets
from curate.signature_store import band_rows, from_arrow

GROUP_ROWS = 1 << 18
"""Rows that are to meet in a group, about: their signatures lie in one worker's memory."""
_JOB_CHUNKS = 16

JOBS = pa.schema([("path", pa.string()), ("places", pa.list_(pa.int64())), ("indices", pa.list_(pa.int64()))])
"""Rows of a chunk file, and the numbers that they go by."""

_FOUND: list[pa.Field[Any]] = [pa.field("code", pa.uint64()), pa.field("crowded", pa.bool_())]
FOUND = pa.schema(_FOUND)
"""The code of a candidate pair; or, `crowded`, the number of a row that stood in a large bucket."""


@dataclass(frozen=True)
class ChunkRows:
    """Rows of chunk files: row i stands in file `paths[chunk[i]]` at `place[i]`; both ascend."""

    paths: Sequence[str]
    chunk: NDArray[np.int64]
    place: NDArray[np.int64]

    def by_chunk(self, rows: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
        """(path, places, positions in `rows`) of each file that holds some of the rows."""
        by_row = np.argsort(rows, kind="stable")
        chunks = self.chunk[rows[by_row]]
        edges = np.flatnonzero(np.diff(chunks)) + 1
        for positions in np.split(by_row, edges):
            if len(positions):
                yield self.paths[self.chunk[rows[positions[0]]]], self.place[rows[positions]], positions

    def jobs(self, rows: NDArray[np.int64]) -> Iterator[pa.Table]:
        """Tables of schema `JOBS`, a bounded number of files each; a row's number is its position in `rows`."""
        jobs: list[dict[str, Any]] = []
        for path, places, positions in self.by_chunk(rows):
            jobs.append({"path": path, "places": places.tolist(), "indices": positions.tolist()})
            if len(jobs) == _JOB_CHUNKS:
                yield pa.Table.from_pylist(jobs, JOBS)
                jobs = []
        if jobs:
            yield pa.Table.from_pylist(jobs, JOBS)


def measure(job: tuple[str, NDArray[np.int64]]) -> tuple[NDArray[np.int64], int]:
    """(bytes of each text, how many hold no word) of rows of a chunk file."""
    path, places = job
    table = read_chunk(path, ["text", "signature"]).take(pa.array(places, pa.int64()))
    sizes = pc.fill_null(pc.binary_length(table.column("text")), 0)
    empty = from_arrow(table.column("signature").combine_chunks())[:, 0] == EMPTY
    return sizes.to_numpy().astype(np.int64), int(empty.sum())


def part_bits(total: int) -> int:
    """First bits of a bucket key that tell groups apart."""
    return min(PART_BITS, max(0, (total - 1).bit_length() - GROUP_ROWS.bit_length() + 1))


@dataclass(frozen=True)
class GroupRows:
    """A batch function: `JOBS` into rows of `signature_store.BAND_ROWS` with the group and the signature."""

    bands: int
    rows: int
    bits: int

    def __call__(self, jobs: pa.Table) -> pa.Table:
        """One row for each band of each row of a text that holds words."""
        return pa.concat_tables(self._of(**job) for job in jobs.to_pylist())

    def _of(self, path: str, places: list[int], indices: list[int]) -> pa.Table:
        read = read_chunk(path, ["signature"]).column("signature").combine_chunks().take(pa.array(places))
        numbers = pa.array(np.arange(len(places)))
        met = band_rows(pa.record_batch([read, numbers], ["signature", "index"]), self.bands, self.rows)
        number, band = met.column("index"), met.column("band").to_numpy().astype(np.int64)
        part = met.column("bucket").to_numpy() >> np.uint64(64 - PART_BITS) >> np.uint64(PART_BITS - self.bits)
        group = pa.array(band << PART_BITS | part.astype(np.int64))
        columns = [group, pa.array(indices, pa.int64()).take(number), read.take(number)]
        return pa.Table.from_arrays(columns, names=["group", "index", "signature"])


@dataclass(frozen=True)
class GroupPairs:
    """A group function: all rows of one group into `FOUND`."""

    bands: int
    rows: int
    threshold: float
    total: int

    def __call__(self, group: pa.Table) -> pa.Table:
        """The group's candidate pairs, as `buckets.candidate_pairs` finds them among all rows."""
        band = int(group.column("group")[0].as_py()) >> PART_BITS
        index = group.column("index").to_numpy()
        by_index = np.argsort(index)
        values = from_arrow(group.column("signature").combine_chunks())[by_index]
        codes, crowded = part_pairs(values, index[by_index], self.total, band, self.bands, self.rows, self.threshold)
        columns = [
            np.concatenate([codes, crowded.astype(np.uint64)]),
            np.repeat([False, True], [len(codes), len(crowded)]),
        ]
        return pa.Table.from_arrays([pa.array(column) for column in columns], schema=FOUND)


@dataclass(frozen=True)
class Pairs:
    """Pairs to verify: numbers of the texts that `files` hold, one file after the other."""

    files: list[tuple[str, NDArray[np.int64]]]
    pairs: NDArray[np.int64]


def compare(job: Pairs) -> NDArray[np.float64]:
    """The exact Jaccard of each pair."""
    columns = ((read_chunk(path, ["text"]).column("text"), pa.array(places, pa.int64())) for path, places in job.files)
    texts = [column.combine_chunks().take(places) for column, places in columns]
    return jaccards(*shingle_sets(pa.chunked_array(texts), threads=1), job.pairs, threads=1)
