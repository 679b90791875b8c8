"""A stream of JSON cut into the texts of its records: a list's elements, lines, or one object; no record is parsed.

Memory is bounded by one record (a pretty-printed object is one) and one chunk; every byte is looked at once.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from curate.errors import InputError
from curate.readers import streams

SKIP_REMEDY = "fetch the file again, or keep its whole records with --skip-bad-files"
"""What to do about a damaged file."""

_OPENING, _QUOTE = 1, 4
_KINDS = bytes({"{": 1, "[": 1, "}": 2, "]": 2, ",": 3, '"': 4}.get(chr(code), 0) for code in range(256))
_STEPS = np.array([0, 1, -1, 0, 0], np.int8)


def json_texts(stream: io.BufferedReader[Any], path: Path) -> Iterator[bytes]:
    """The texts of a JSON list's elements, of JSON lines, or of one JSON object.

    Args:
        stream: of the file's unpacked bytes.
        path: for messages.

    Raises:
        InputError: if the text is empty, cut off, or goes on after its list.
    """
    if stream.peek(3).startswith(b"\xef\xbb\xbf"):
        stream.read(3)
    while (head := stream.peek(1)) and not head.strip():
        stream.read(len(head))
    first = head.lstrip()[:1]
    if first == b"[":
        stream.read(head.index(b"[") + 1)
        yield from _list_elements(stream, path)
        if stream.read(streams.CHUNK).strip():
            raise InputError(_goes_on(path), SKIP_REMEDY)
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
    while (line := stream.readline()) and line.isspace():
        pass
    return line


class _Structure:
    """Follows JSON text from chunk to chunk: how deep the brackets stand, and whether a string is open.

    Brackets are counted without regard to their kind, and one that closes nothing is passed over: a bad record must
    not take its neighbours with it.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False

    def marks(self, chunk: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Where brackets and commas outside strings stand in `chunk`, their kinds, and the depth before each.

        The chunk must not end within an escape (see `_whole_escapes`).
        """
        # Pairs first, so that an escaped backslash before a quote does not escape the quote; lengths stay equal.
        plain = chunk.replace(b"\\\\", b"__").replace(b'\\"', b"__") if b"\\" in chunk else chunk
        codes = np.frombuffer(plain.translate(_KINDS), np.uint8)
        places = np.flatnonzero(codes != 0)
        kinds = codes[places]
        quotes = np.cumsum(kinds == _QUOTE) + self.in_string
        self.in_string = bool(quotes[-1] % 2) if len(quotes) else self.in_string
        outside = (kinds != _QUOTE) & (quotes % 2 == 0)
        places, kinds = places[outside], kinds[outside]
        if not len(places):
            return places, kinds, places
        level = np.cumsum(_STEPS[kinds], dtype=np.int64) + self.depth
        level -= np.minimum(np.minimum.accumulate(level), 0)
        before = np.concatenate(([self.depth], level[:-1]))
        self.depth = int(level[-1])
        return places, kinds, before


def _list_elements(stream: io.BufferedReader[Any], path: Path) -> Iterator[bytes]:
    """The elements of a list whose `[` was read, found by their brackets, so that one bad element spoils no other."""
    pieces: list[bytes] = []
    structure, held = _Structure(), b""
    count = 0
    while True:
        more = _read(stream, streams.CHUNK)
        if not more:
            last = b"".join(pieces).strip()
            if last and not structure.depth and not structure.in_string and not held:  # whole, only the `]` is missing
                yield last
                count += 1
            where = f"after {count:,} whole records" if count else "in its first record"
            raise InputError(f"{path}: the list is not closed: the file is cut off {where}", SKIP_REMEDY)
        chunk, held = _whole_escapes(held + more)
        places, kinds, before = structure.marks(chunk)
        start = 0
        for place in places[(before == 0) & (kinds != _OPENING)].tolist():
            mark = chunk[place : place + 1]
            if mark == b"}":  # it closes nothing
                continue
            element = b"".join([*pieces, chunk[start:place]]).strip()
            pieces, start = [], place + 1
            if element:
                yield element
                count += 1
            if mark == b"]":
                if (chunk[start:] + held).strip():
                    raise InputError(_goes_on(path, count), SKIP_REMEDY)
                return
        pieces.append(chunk[start:])


def _goes_on(path: Path, count: int | None = None) -> str:
    records = "" if count is None else f" of {count:,} records"
    return f"{path} goes on after the end of its list{records}; it is two files in one, or its brackets are damaged"


def _whole_escapes(chunk: bytes) -> tuple[bytes, bytes]:
    """The chunk without a backslash at its end whose second half is still to come, and that backslash."""
    slashes = len(chunk) - len(chunk.rstrip(b"\\"))
    return (chunk[:-1], b"\\") if slashes % 2 else (chunk, b"")


def _read(stream: io.BufferedReader[Any], size: int) -> bytes:
    """`size` bytes, fewer at the end; damage is raised only when nothing whole stands before it any more."""
    pieces: list[bytes] = []
    while size > 0:
        try:
            piece = stream.read1(size)
        except streams.DAMAGE:
            if pieces:
                break
            raise
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _balanced(text: bytes) -> bool:
    """Whether every bracket and string that opens also closes."""
    structure, held = _Structure(), b""
    for start in range(0, len(text), streams.CHUNK):
        chunk, held = _whole_escapes(held + text[start : start + streams.CHUNK])
        structure.marks(chunk)
    return not structure.depth and not structure.in_string and not held


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
