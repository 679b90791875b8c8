"""From the entries of a cache folder to its index file.

Entries are grouped by key: in memory if they are few, else in parts by the first digits of the key, spilled beside the
index. Held in memory are one part and about 120 bytes a distinct call.
"""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa

from cachebuild.hash_file import HashFileWriter
from cachebuild.index_records import Record, group_key, halves, pack_call, pack_heads, pack_names
from cachebuild.key import Place, calls_key
from cachebuild.served import served_batches

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

COLUMNS = (
    "trajectory_id",
    "message_index",
    "env_id",
    "initial_state_id",
    "task_group",
    "scope_value",
    "tool",
    "canonical_arguments",
    "state_digest",
    "key",
    "normalised_key",
    "result",
    "success",
)
"""What the index holds of an entry."""

MEMORY_BYTES = 128 * 2**20
"""Entries beyond this are spilled and grouped in parts."""
SPILL_BYTES = 64 * 2**20
PARTS = 64

_PLACE = ["env_id", "initial_state_id", "scope_value", "tool"]


def folder_entries(folder: DatasetFolder) -> Iterator[pl.DataFrame]:
    """The served entries, of which the index is made, with `COLUMNS`, in their order."""
    for batch in served_batches(folder, COLUMNS):
        frame = pl.from_arrow(batch)
        if isinstance(frame, pl.DataFrame):
            yield frame


def write_index(entries: Iterable[pl.DataFrame], handle: BinaryIO, scratch: Path, info: dict[str, Any]) -> None:
    """Write the index of entries.

    Args:
        entries: frames with `COLUMNS`.
        handle: an empty file, open for writing.
        scratch: a folder that may be made and is removed again.
        info: what the file says of itself; the number of entries is added.
    """
    building = _Building(HashFileWriter(handle))
    try:
        for part in _parts(building.follow(entries), scratch):
            building.add(part)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    building.finish(info)


def _parts(entries: Iterable[pl.DataFrame], scratch: Path) -> Iterator[pl.DataFrame]:
    """The entries, cut so that those of a key are in one part."""
    held: list[pl.DataFrame] = []
    size = spills = 0
    for frame in entries:
        held.append(frame)
        size += int(frame.estimated_size())
        if size >= (SPILL_BYTES if spills else MEMORY_BYTES):
            _spill(pl.concat(held), scratch, spills)
            held, size, spills = [], 0, spills + 1
    if not spills:
        if held:
            yield pl.concat(held)
        return
    if held:
        _spill(pl.concat(held), scratch, spills)
    for part in range(PARTS):
        paths = sorted(scratch.glob(f"{part:02d}-*.arrow"))
        if paths:
            yield pl.concat([pl.read_ipc(path) for path in paths])
            for path in paths:
                path.unlink()


def _spill(frame: pl.DataFrame, scratch: Path, number: int) -> None:
    scratch.mkdir(exist_ok=True)
    digits = pl.col("key").str.slice(0, 2).str.to_integer(base=16)
    cut = frame.with_columns(part=digits * PARTS // 256).partition_by("part", as_dict=True, include_key=False)
    for (part,), rows in cut.items():
        rows.write_ipc(scratch / f"{part:02d}-{number:06d}.arrow")


class _Building:
    """What is gathered over the parts: the distinct calls, to be listed by normalised key and by place and tool."""

    def __init__(self, file: HashFileWriter) -> None:
        self._file = file
        self._entries = 0
        self._calls = array("Q")  # key, normalised key, first row, list: 6 words each
        self._lists: dict[tuple[Any, ...], int] = {}
        self._trajectories: list[pl.DataFrame] = []

    def follow(self, entries: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The entries with their numbers as `row`, while the trajectories of each task group are noted."""
        for frame in entries:
            numbers = pl.int_range(self._entries, self._entries + len(frame), dtype=pl.Int64, eager=True).alias("row")
            self._entries += len(frame)
            self._trajectories.append(frame.select("task_group", "trajectory_id").unique(maintain_order=True))
            yield frame.with_columns(numbers)

    def add(self, entries: pl.DataFrame) -> None:
        """Take in all entries of some keys."""
        entries = entries.sort("key", "row")
        keys = entries["key"]
        firsts = (keys != keys.shift(1)).fill_null(True).arg_true().to_numpy()
        counts = np.diff(firsts, append=len(entries))
        distinct = entries[firsts]
        high, low = _halves(distinct["key"])
        self._add_calls(distinct, high, low)
        one = counts == 1
        texts = [distinct[name] for name in ("canonical_arguments", "state_digest", "result", "trajectory_id")]
        sizes = [text.str.len_bytes().to_numpy() for text in texts]
        heads = pack_heads(sizes, distinct["message_index"].to_numpy(), distinct["success"].to_numpy())
        for position, packed in _several(entries, distinct, firsts, counts):
            heads[position] = packed
        arguments, digest, result, name = (_texts_where(one, text) for text in texts)
        self._file.add_all(high, low, pa.array(heads, pa.large_binary()), arguments, digest, name, result)

    def _add_calls(self, distinct: pl.DataFrame, high: Any, low: Any) -> None:
        places = distinct.select(_PLACE).unique(maintain_order=True)
        numbers = [self._lists.setdefault(place, len(self._lists)) for place in places.iter_rows()]
        numbered = places.with_columns(list=pl.Series(numbers, dtype=pl.UInt64))
        lists = distinct.select(_PLACE).join(numbered, on=_PLACE, how="left", nulls_equal=True, maintain_order="left")
        columns = (
            high,
            low,
            *_halves(distinct["normalised_key"]),
            distinct["row"].to_numpy(),
            lists["list"].to_numpy(),
        )
        self._calls.frombytes(np.column_stack([column.astype(np.uint64) for column in columns]).tobytes())

    def finish(self, info: dict[str, Any]) -> None:
        """Write the lists and the header."""
        calls = np.frombuffer(self._calls, dtype=np.uint64).reshape(-1, 6)
        if len(calls):
            firsts, keys = _listed(calls, [2, 3])
            self._file.add_all(firsts[:, 2].copy(), firsts[:, 3].copy(), keys)
            names = list(self._lists)
            firsts, keys = _listed(calls, [5])
            called = [names[number] for number in firsts[:, 5].tolist()]
            hashes = pl.Series([calls_key(Place(*place), tool) for *place, tool in called])
            self._file.add_all(*_halves(hashes), keys)
        self._add_groups()
        self._file.close(info | {"entries": self._entries})

    def _add_groups(self) -> None:
        if not self._trajectories:
            return
        found = pl.concat(self._trajectories).unique(maintain_order=True)
        self._trajectories = []
        grouped = found.group_by("task_group", maintain_order=True).agg("trajectory_id").sort("task_group")
        for group, trajectories in grouped.iter_rows():
            self._file.add(*halves(group_key(group)), pack_names(trajectories))


def _several(entries: pl.DataFrame, distinct: pl.DataFrame, firsts: Any, counts: Any) -> Iterator[tuple[int, bytes]]:
    """(position among the distinct calls, packed) of the calls with several records."""
    several = np.flatnonzero(counts > 1)
    repeated = entries.select(Record._fields)[np.flatnonzero(np.repeat(counts > 1, counts))]
    records = list(map(Record, *(repeated[name].to_list() for name in Record._fields)))
    calls = distinct.select("canonical_arguments", "state_digest")[several].iter_rows()
    start = 0
    for position, (text, digest), count in zip(several.tolist(), calls, counts[several].tolist(), strict=True):
        yield position, pack_call(text.encode(), digest.encode(), records[start : start + count])
        start += count


def _texts_where(wanted: Any, texts: pl.Series) -> Any:
    """UTF-8 of some texts as Arrow, and nothing in place of the others."""
    kept = pl.select(pl.when(pl.lit(pl.Series(wanted))).then(pl.lit(texts)).otherwise(pl.lit(""))).to_series()
    return kept.to_arrow().cast(pa.large_string()).cast(pa.large_binary())


def _halves(keys: pl.Series) -> tuple[Any, Any]:
    """Keys of 32 hex digits as two arrays of uint64, shape (keys,)."""
    high, low = (keys.str.slice(start, 16).str.to_integer(base=16, dtype=pl.UInt64).to_numpy() for start in (0, 16))
    return high, low


def _listed(calls: Any, by: list[int]) -> tuple[Any, Any]:
    """(the first of the calls that are equal in columns `by`, the keys of these in the order they were recorded)."""
    order = np.lexsort([calls[:, 4], *(calls[:, column] for column in reversed(by))])
    groups = calls[order][:, by]
    firsts = np.flatnonzero(np.append(True, (groups[1:] != groups[:-1]).any(axis=1)))
    keys = np.ascontiguousarray(calls[order, :2]).tobytes()
    offsets = (np.append(firsts, len(calls)).astype(np.int64) * 16).tobytes()
    lists = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(firsts), [None, pa.py_buffer(offsets), pa.py_buffer(keys)]
    )
    return calls[order[firsts]], lists
