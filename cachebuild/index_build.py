"""From the entries of a cache folder to its index file.

Entries are grouped by key: in memory if they are few, else in parts by the first digits of the key, spilled beside the
index. Held in memory are one part and about 120 bytes a distinct call.
"""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import polars as pl

from cachebuild.hash_file import HashFileWriter
from cachebuild.index_records import Record, group_key, halves, pack_call, pack_names
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

MEMORY_BYTES = 512 * 2**20
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
        for part in _parts(entries, scratch):
            building.add(part)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    building.finish(info)


def _parts(entries: Iterable[pl.DataFrame], scratch: Path) -> Iterator[pl.DataFrame]:
    """The entries with their numbers as `row`, cut so that the entries of a key are in one part."""
    held: list[pl.DataFrame] = []
    size = rows = spills = 0
    for frame in entries:
        numbers = pl.int_range(rows, rows + len(frame), dtype=pl.Int64, eager=True).alias("row")
        held.append(frame.with_columns(numbers))
        rows += len(frame)
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
        self._groups: dict[str, dict[str, int]] = {}

    def add(self, entries: pl.DataFrame) -> None:
        """Take in all entries of some keys."""
        entries = entries.sort("key", "row")
        self._entries += len(entries)
        self._add_groups(entries)
        keys = entries["key"]
        firsts = (keys != keys.shift(1)).fill_null(True).arg_true().to_list()
        distinct = entries.select(*_PLACE, "key", "normalised_key", "row", "canonical_arguments", "state_digest")[
            firsts
        ]
        self._add_calls(distinct)
        records = list(map(Record, *(entries[name].to_list() for name in Record._fields)))
        arguments, digests = (distinct[name].to_list() for name in ("canonical_arguments", "state_digest"))
        file = self._file
        ends = pairwise([*firsts, len(entries)])
        for (begin, end), key, text, digest in zip(ends, distinct["key"], arguments, digests, strict=True):
            file.add(*halves(key), pack_call(text.encode(), digest.encode(), records[begin:end]))

    def _add_groups(self, entries: pl.DataFrame) -> None:
        found = entries.group_by("task_group", "trajectory_id").agg(pl.col("row").min())
        for group, trajectory_id, row in found.iter_rows():
            rows = self._groups.setdefault(group, {})
            rows[trajectory_id] = min(row, rows.get(trajectory_id, row))

    def _add_calls(self, distinct: pl.DataFrame) -> None:
        places = zip(*(distinct[name].to_list() for name in _PLACE), strict=True)
        lists = [self._lists.setdefault(place, len(self._lists)) for place in places]
        words = np.empty((len(distinct), 6), dtype=np.uint64)
        for at, name in (0, "key"), (2, "normalised_key"):
            words[:, at] = _number(distinct[name], 0)
            words[:, at + 1] = _number(distinct[name], 16)
        words[:, 4] = distinct["row"].to_numpy()
        words[:, 5] = lists
        self._calls.frombytes(words.tobytes())

    def finish(self, info: dict[str, Any]) -> None:
        """Write the lists and the header."""
        calls = np.frombuffer(self._calls, dtype=np.uint64).reshape(-1, 6)
        for first, keys in _listed(calls, [2, 3]):
            self._file.add(int(first[2]), int(first[3]), keys)
        names = list(self._lists)
        for first, keys in _listed(calls, [5]):
            env_id, initial_state_id, scope_value, tool = names[int(first[5])]
            self._file.add(*halves(calls_key(Place(env_id, initial_state_id, scope_value), tool)), keys)
        for group in sorted(self._groups):
            rows = self._groups[group]
            self._file.add(*halves(group_key(group)), pack_names(sorted(rows, key=rows.__getitem__)))
        self._file.close(info | {"entries": self._entries})


def _number(keys: pl.Series, start: int) -> Any:
    """Sixteen of a key's hex digits as uint64, shape (keys,)."""
    digits = np.frombuffer("".join(keys).encode(), dtype=np.uint8).reshape(-1, 32)[:, start : start + 16]
    values = np.where(digits >= ord("a"), digits - (ord("a") - 10), digits - ord("0")).astype(np.uint64)
    shifts = np.arange(60, -4, -4, dtype=np.uint64)
    return np.bitwise_or.reduce(values << shifts, axis=1)


def _listed(calls: Any, by: list[int]) -> Iterator[tuple[Any, bytes]]:
    """(a call, the keys of all calls that are equal to it in columns `by`, in the order they were recorded)."""
    if not len(calls):
        return
    columns = [calls[:, 4], *(calls[:, column] for column in reversed(by))]
    order = np.lexsort(columns)
    keys = np.ascontiguousarray(calls[order, :2]).tobytes()
    groups = calls[order][:, by]
    firsts = np.flatnonzero(np.append(True, (groups[1:] != groups[:-1]).any(axis=1))).tolist()
    for begin, end in pairwise([*firsts, len(calls)]):
        yield calls[order[begin]], keys[16 * begin : 16 * end]
