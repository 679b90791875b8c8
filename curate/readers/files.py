"""One input file as a stream of records: JSON, JSONL and Parquet, plain, .gz or .zst; memory bounded by one record.

A record that is no JSON is yielded as such, to become a counted reject; a file that cannot be read to its end raises
`InputError` after the whole records before the damage were yielded.
"""

from __future__ import annotations

import base64
import gzip
import io
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from curate.canonical import MAX_DEPTH, TOO_DEEP, compact_json, deeper_than, parse_json
from curate.errors import InputError
from curate.readers.paths import kind_of

CHUNK = 1 << 20
SKIP_REMEDY = "fetch the file again, or keep its whole records with --skip-bad-files"
"""What to do about a damaged file."""

# A JSON text is cut into strings and structure; the last branch catches a string that the chunk cuts in half.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},]|"', re.DOTALL)
_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)
# orjson would round such an integer to a float; a number that long is an id, and every digit counts.
_BIG_INTEGER = re.compile(rb"[\[:,]\s*-?\d{19,}")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record: its row in the file, its value or the reason it has none, and its bytes (none in Parquet)."""

    row: int
    value: Any = None
    problem: str | None = None
    detail: str = ""
    raw: bytes | None = None


def read_records(path: Path) -> Iterator[RawRecord]:
    """The records of one file, in order.

    Raises:
        UsageError: for a path that is no readable kind of file.
        InputError: where the file ends early or is damaged, naming the file and the record.
    """
    if kind_of(path) == "parquet":
        yield from _parquet(path)
        return
    for row, raw in enumerate(record_texts(path)):
        yield parse_record(row, raw)


def record_texts(path: Path) -> Iterator[bytes]:
    """The texts of the records of a JSON file, not yet parsed, in order.

    Raises:
        InputError: as `read_records`.
    """
    row = -1
    try:
        with _open(path) as stream:
            for text in _json_texts(stream, path):
                row += 1
                yield text
    except _DAMAGE as error:
        place = f"after record {row}" if row >= 0 else "before its first record ends"
        raise InputError(
            f"{path}: the compressed stream is damaged or cut off {place} ({error})", SKIP_REMEDY
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read after record {row} ({error.strerror or error})") from error


def parse_record(row: int, raw: bytes) -> RawRecord:
    """One record's JSON text as a value, or as a reject with its reason."""
    if _BIG_INTEGER.search(raw):
        return _second_look(row, raw, "a number beyond 64 bits")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return _second_look(row, raw, str(error))
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and deeper_than(value, MAX_DEPTH):
        return RawRecord(row, problem="nested_too_deep", detail=TOO_DEEP, raw=raw)
    return RawRecord(row, value, raw=raw)


def _second_look(row: int, raw: bytes, error: str) -> RawRecord:
    """What the fast parser refuses or rounds: surrogates, deep nesting, long numbers, or plainly no JSON."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as bad:
        return RawRecord(row, problem="not_utf8", detail=str(bad), raw=raw)
    try:
        value = parse_json(text)
    except ValueError as bad:
        if str(bad) == TOO_DEEP:
            return RawRecord(row, problem="nested_too_deep", detail=TOO_DEEP, raw=raw)
        return RawRecord(row, problem="not_json", detail=error, raw=raw)
    try:
        compact_json(value).encode()
    except UnicodeEncodeError:
        return RawRecord(row, problem="lone_surrogate", detail="half of a UTF-16 pair cannot be stored", raw=raw)
    return RawRecord(row, value, raw=raw)


def _open(path: Path) -> io.BufferedReader[Any]:
    if path.name.endswith(".gz"):
        return io.BufferedReader(_Gzip(path), CHUNK)
    if path.name.endswith(".zst"):
        return io.BufferedReader(_Zstd(path), CHUNK)
    return io.BufferedReader(path.open("rb", buffering=0), CHUNK)


class _Gzip(io.RawIOBase):
    """A .gz file that hands on all it could unpack before it raises; the library's reader would drop the last MB."""

    def __init__(self, path: Path) -> None:
        self._file = gzip.GzipFile(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Zstd(io.RawIOBase):
    """A .zst file that raises where its last frame is cut off; the library's reader would just end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._decoder = zstandard.ZstdDecompressor().decompressobj()
        self._ready = b""
        self._ended = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = self._decoder.unused_data if self._decoder.eof else b""
            if self._decoder.eof:
                self._decoder = zstandard.ZstdDecompressor().decompressobj()
            chunk = chunk or self._file.read(CHUNK)
            if not chunk:
                if not self._ended:
                    raise EOFError("the last frame is not complete")
                return 0
            self._ready = self._decoder.decompress(chunk)
            self._ended = self._decoder.eof
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _json_texts(stream: io.BufferedReader[Any], path: Path) -> Iterator[bytes]:
    """The texts of a JSON list's elements, of JSON lines, or of one JSON object."""
    if stream.peek(3).startswith(b"\xef\xbb\xbf"):
        stream.read(3)
    while (head := stream.peek(1)) and not head.strip():
        stream.read(len(head))
    first = head.lstrip()[:1]
    if first == b"[":
        stream.read(head.index(b"[") + 1)
        yield from _list_elements(stream, path)
        if stream.read().strip():
            raise InputError(f"{path} goes on after the end of its list", SKIP_REMEDY)
    elif first:
        yield from _lines_or_object(stream, path)
    else:
        raise InputError(f"{path} is empty", SKIP_REMEDY)


def _lines_or_object(stream: io.BufferedReader[Any], path: Path) -> Iterator[bytes]:
    """JSON lines; a file whose first line opens brackets that a later line closes is one object."""
    first, second = _next_line(stream), _next_line(stream)
    if first.startswith(b"{") and second and not _balanced(first) and not _is_json(second):
        whole = first + second + stream.read()
        if not _balanced(whole):
            raise InputError(f"{path}: its only record is cut off", "fetch the file again")
        yield whole
        return
    line, following = first, second
    while line:
        if not following and not line.endswith(b"\n") and not _balanced(line):
            raise InputError(f"{path}: the last line is cut off", SKIP_REMEDY)
        yield line
        line, following = following, _next_line(stream)


def _next_line(stream: io.BufferedReader[Any]) -> bytes:
    """The next line that is not blank, b"" at the end."""
    while line := stream.readline():
        if line.strip():
            return line
    return b""


def _list_elements(stream: io.BufferedReader[Any], path: Path) -> Iterator[bytes]:
    """The elements of a list whose `[` was read, found by their brackets, so that one bad element spoils no other."""
    pieces: list[bytes] = []
    depth, rest = 0, b""
    while True:
        more = _read(stream, max(CHUNK, len(rest)))
        if not more:
            raise InputError(f"{path}: the list is not closed: the file is cut off", SKIP_REMEDY)
        chunk = rest + more
        start, end = 0, len(chunk)
        for token in _TOKEN.finditer(chunk):
            mark = token.group()
            if mark == b'"':  # a string that goes on in the next chunk
                end = token.start()
                break
            if mark in (b"{", b"["):
                depth += 1
            elif depth and mark in (b"}", b"]"):
                depth -= 1
            elif not depth and mark in (b",", b"]"):
                element = b"".join([*pieces, chunk[start : token.start()]]).strip()
                pieces, start = [], token.end()
                if element:
                    yield element
                if mark == b"]":
                    if chunk[start:].strip():
                        raise InputError(f"{path} goes on after the end of its list", SKIP_REMEDY)
                    return
        pieces.append(chunk[start:end])
        rest = chunk[end:]


def _read(stream: io.BufferedReader[Any], size: int) -> bytes:
    """`size` bytes, fewer at the end; damage is raised only when nothing whole stands before it any more."""
    pieces: list[bytes] = []
    while size > 0:
        try:
            piece = stream.read1(size)
        except _DAMAGE:
            if pieces:
                break
            raise
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _balanced(text: bytes) -> bool:
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token.group()
        depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
        if mark == b'"':
            return False
    return depth == 0


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _parquet(path: Path) -> Iterator[RawRecord]:
    row = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                for value in batch.to_pylist():
                    yield RawRecord(row, _json_value(value))
                    row += 1
    except (pa.ArrowException, OSError, ValueError) as error:
        place = f"after record {row - 1}" if row else "at all"
        raise InputError(f"{path}: the Parquet file cannot be read {place} ({error})", SKIP_REMEDY) from error


def _json_value(value: Any) -> Any:
    """A cell as JSON would hold it: times as ISO 8601, bytes as base64, decimals as text, NaN as null."""
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
