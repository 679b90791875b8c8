"""A read-only file from 128-bit hashes to byte records, memory-mapped: nothing is read at open but its header.

Layout: prefix; records (checksum, length, bytes); slots (hash, place of the record) in the order of the hashes; for
each bucket of equal first bits where its slots begin, and a checksum of them; header. A record's checksum guards what
is found, a bucket's what is not found, so that a flipped byte anywhere is `Damaged` and never another answer.
"""

from __future__ import annotations

import io
import json
import mmap
import os
from array import array
from bisect import bisect_left
from itertools import pairwise
from pathlib import Path
from struct import Struct
from struct import error as StructError
from typing import Any, BinaryIO

from xxhash import xxh3_64_intdigest

LAYOUT_VERSION = 1
_MAGIC = b"crlindex"
_PREFIX = Struct("<8sQQQQ")  # magic, version, size of the file, where the header begins, its checksum
_RECORD = Struct("<QI")  # checksum, length
_RECORD_HEAD = _RECORD.size
_unpack_record = _RECORD.unpack_from
_ALIGN = 64
_SLOTS_A_BUCKET = 4
_SLOT_WORDS = 3  # first half of the hash, second half, place
_BUFFER = 8 * 2**20


class Damaged(Exception):
    """The file is cut off, was changed, or is of another layout."""


class HashFile:
    """An open file; a lookup costs two or three pages of it, and processes that read one file share them."""

    __slots__ = ("_checks", "_count", "_hashes", "_map", "_shift", "_starts", "_words", "info", "inode", "path")

    def __init__(self, path: Path) -> None:
        with path.open("rb") as handle:
            status = os.fstat(handle.fileno())
            if status.st_size < _PREFIX.size:
                raise Damaged(f"{path} is cut off")
            self._map = mmap.mmap(handle.fileno(), 0, prot=mmap.PROT_READ)
        self.path = path
        self.inode = status.st_ino
        header = _header(self._map, path)
        self.info: dict[str, Any] = header["info"]
        self._count: int = header["slots"]
        bits: int = header["bits"]
        self._shift = 64 - bits
        view = memoryview(self._map)
        self._words = self._section(view, header["slots_at"], _SLOT_WORDS * self._count)
        self._starts = self._section(view, header["starts_at"], (1 << bits) + 1)
        self._checks = self._section(view, header["checks_at"], 1 << bits)
        self._hashes = self._words[::_SLOT_WORDS]

    @staticmethod
    def _section(view: memoryview, at: int, words: int) -> memoryview:
        return view[at : at + 8 * words].cast("Q")

    def __len__(self) -> int:
        return self._count

    def get(self, high: int, low: int) -> bytes | None:
        """The record of a hash, given as two 64-bit halves; None if there is none.

        Raises:
            Damaged: if what was read is not what was written.
        """
        bucket = high >> self._shift
        begin, end = self._starts[bucket], self._starts[bucket + 1]
        if begin > end or end > self._count:
            raise Damaged(f"{self.path}: bucket {bucket} is damaged")
        at = bisect_left(self._hashes, high, begin, end)
        words = self._words
        while at < end and words[3 * at] == high:
            if words[3 * at + 1] == low:
                # Here and not in a method of its own: it is most of what a look-up does.
                place = words[3 * at + 2]
                try:
                    check, length = _unpack_record(self._map, place)
                    start = place + _RECORD_HEAD
                    record = self._map[start : start + length]
                    if xxh3_64_intdigest(record, low) == check:
                        return record
                except (StructError, OverflowError):
                    pass  # a place beyond the file
                raise Damaged(f"{self.path}: the record at byte {place:,} is damaged")
            at += 1
        if xxh3_64_intdigest(words[3 * begin : 3 * end], _seed(bucket, begin)) != self._checks[bucket]:
            raise Damaged(f"{self.path}: bucket {bucket} is damaged")
        return None


def _header(content: mmap.mmap, path: Path) -> dict[str, Any]:
    magic, version, size, at, check = _PREFIX.unpack(content[: _PREFIX.size])
    if magic != _MAGIC or version != LAYOUT_VERSION:
        raise Damaged(f"{path} is of another layout")
    if size != len(content):
        raise Damaged(f"{path} has {len(content):,} bytes and should have {size:,}")
    text = content[at:]
    if xxh3_64_intdigest(text, at) != check:
        raise Damaged(f"{path}: the header is damaged")
    header: dict[str, Any] = json.loads(text)
    return header


def _seed(bucket: int, begin: int) -> int:
    return bucket << 32 | begin


class HashFileWriter:
    """Writes a `HashFile` in one pass over the records; 24 bytes a record are held in memory.

    Args:
        handle: an empty file, open for writing; the caller makes it durable and gives it its name.
    """

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._slots = array("Q")
        self._pending = io.BytesIO(bytes(_ALIGN))
        self._pending.seek(_ALIGN)
        self._written = 0

    def add(self, high: int, low: int, record: bytes) -> None:
        """Take in the record of a hash; each hash comes once, in any order."""
        pending = self._pending
        self._slots.extend((high, low, self._written + pending.tell()))
        pending.write(_RECORD.pack(xxh3_64_intdigest(record, low), len(record)))
        pending.write(record)
        if pending.tell() >= _BUFFER:
            self._flush()

    def add_all(self, high: Any, low: Any, *pieces: Any) -> None:
        """Take in many records at once, as `add` would one by one.

        Args:
            high: first halves of the hashes, shape (records,) uint64.
            low: second halves.
            pieces: what each record is joined of: Arrow arrays of large_binary, of as many values.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if not len(high):
            return
        self._flush()
        space = pa.scalar(bytes(_RECORD.size), pa.large_binary())
        joined: Any = pc.binary_join_element_wise(space, *pieces, pa.scalar(b"", pa.large_binary()))
        _, offsets, content = joined.buffers()
        bounds = np.frombuffer(offsets, dtype=np.int64)[joined.offset : joined.offset + len(joined) + 1]
        written = bytearray(memoryview(content)[bounds[0] : bounds[-1]])
        data, starts = np.frombuffer(written, dtype=np.uint8), bounds - bounds[0]
        view, begins = memoryview(written), (starts[:-1] + _RECORD.size).tolist()
        checks = map(
            xxh3_64_intdigest, (view[a:b] for a, b in zip(begins, starts[1:].tolist(), strict=True)), low.tolist()
        )
        heads = np.empty(len(high), dtype="<u8,<u4")
        heads["f0"] = np.fromiter(checks, dtype=np.uint64, count=len(high))
        heads["f1"] = np.diff(starts) - _RECORD.size
        places = starts[:-1, None] + np.arange(_RECORD.size)
        data[places] = heads.view(np.uint8).reshape(len(high), _RECORD.size)
        slots = np.column_stack([high, low, self._written + starts[:-1].astype(np.uint64)])
        self._slots.frombytes(slots.astype(np.uint64).tobytes())
        self._handle.write(written)
        self._written += len(written)

    def close(self, info: dict[str, Any]) -> None:
        """Write slots, buckets and header; `info` is what the reader finds as `HashFile.info`.

        Raises:
            ValueError: if a hash came twice.
        """
        self._align()
        slots, starts, checks, bits = _directory(self._slots)
        header: dict[str, Any] = {"info": info, "slots": len(slots), "bits": bits}
        for name, section in ("slots_at", slots), ("starts_at", starts), ("checks_at", checks):
            header[name] = self._written
            self._handle.write(section.tobytes())
            self._written += section.nbytes
        text = json.dumps(header).encode()
        self._handle.write(text)
        prefix = (_MAGIC, LAYOUT_VERSION, self._written + len(text), self._written)
        self._handle.seek(0)
        self._handle.write(_PREFIX.pack(*prefix, xxh3_64_intdigest(text, self._written)))
        self._handle.flush()

    def _flush(self) -> None:
        data = self._pending.getvalue()
        self._handle.write(data)
        self._written += len(data)
        self._pending = io.BytesIO()

    def _align(self) -> None:
        self._pending.write(bytes(-(self._written + self._pending.tell()) % _ALIGN))
        self._flush()


def _directory(words: array[int]) -> tuple[Any, Any, Any, int]:
    """(slots in order, shape (n, 3); where each bucket begins, (2**bits + 1,); checksums, (2**bits,); bits), uint64."""
    import numpy as np

    slots = np.frombuffer(words, dtype=np.uint64).reshape(-1, _SLOT_WORDS)
    slots = slots[np.lexsort((slots[:, 1], slots[:, 0]))]
    if len(slots) >= 2**32:
        raise ValueError(f"{len(slots):,} records are more than one file can hold")
    if len(slots) > 1 and bool((slots[1:, :2] == slots[:-1, :2]).all(axis=1).any()):
        raise ValueError("a hash came twice")
    bits = max(1, (len(slots) // _SLOTS_A_BUCKET).bit_length())
    firsts = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    starts = np.append(np.searchsorted(slots[:, 0], firsts), len(slots)).astype(np.uint64)
    data, begins = memoryview(slots.tobytes()), starts.tolist()
    width = 8 * _SLOT_WORDS
    checks = (
        xxh3_64_intdigest(data[width * begin : width * end], _seed(bucket, begin))
        for bucket, (begin, end) in enumerate(pairwise(begins))
    )
    return slots, starts, np.fromiter(checks, dtype=np.uint64, count=1 << bits), bits
