"""Accepted records on their way into a JSONL file: each line is written once, whenever the command is killed.

A record enters a Redis stream in the very transaction that accepts it, and leaves it when its line is on disk. What a
killed run left in the stream is written by the next run into the same file; lines that reached the file stay as they
are. A file beside it, `.NAME.intake`, holds the name of its stream; keep the two together.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

import zstandard

from curate.atomic import exclusive, writing
from curate.errors import UsageError
from curate.intake.index import AlsoWrite, IntakeIndex
from curate.intake.server import speaking_to

_AT_ONCE = 64
_BYTES_AT_ONCE = 8 * 2**20


class Outbox:
    """The stream of one file; `open` it, and `deliver` before the end."""

    def __init__(self, index: IntakeIndex, path: Path, stream: str, file: BinaryIO) -> None:
        self._index, self._path, self._stream, self._file = index, path, stream, file
        self._waiting = self._waiting_bytes = 0

    @classmethod
    @contextmanager
    def open(cls, index: IntakeIndex, path: Path) -> Iterator[Self]:
        """Open the file for appending, after what a killed run has left was brought into it.

        Raises:
            UsageError: if another run writes it, or it ends in the middle of a line that is not ours.
        """
        beside = path.with_name(f".{path.name}.intake")
        with exclusive(beside, str(path)), writing(path):
            stream = index.key("outbox:" + _name_in(beside))
            with path.open("ab+") as file:
                outbox = cls(index, path, stream, file)
                outbox._recover()
                yield outbox
                outbox.deliver()

    def posting(self, line: bytes) -> AlsoWrite:
        """What `IntakeIndex.offer` shall write together with the row: its line, without a line feed."""
        packed = zstandard.compress(line)

        def post(pipe: Any) -> None:
            pipe.xadd(self._stream, {b"line": packed})

        return post

    def posted(self, line: bytes) -> None:
        """Count a line that was accepted; now and then the lines are brought to disk."""
        self._waiting += 1
        self._waiting_bytes += len(line)
        if self._waiting >= _AT_ONCE or self._waiting_bytes >= _BYTES_AT_ONCE:
            self.deliver()

    def deliver(self) -> None:
        """Write what the stream holds, and take it out when it is on disk."""
        while found := self._read():
            self._write([line + b"\n" for _, line in found])
            self._forget(found)
        self._waiting = self._waiting_bytes = 0

    def _recover(self) -> None:
        """Bring the file to the end of a whole line, and take out of the stream what stands in it already."""
        found = self._read()
        lines = [line + b"\n" for _, line in found]
        done = self._written(lines)
        self._forget(found[:done])
        self.deliver()

    def _written(self, lines: list[bytes]) -> int:
        """How many of the lines stand at the file's end; a line that was cut off is taken away."""
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, size - sum(map(len, lines)) - 1))
        tail = self._file.read()
        for count in range(len(lines), -1, -1):
            whole = b"".join(lines[:count])
            torn = [b"", *(lines[count][:end] for end in _cuts(lines, count, tail))]
            for part in torn:
                if _ends_with(tail, whole + part, at_start=len(tail) == size):
                    if part:
                        self._file.truncate(size - len(part))
                    return count
        raise UsageError(f"{self._path} ends in the middle of a line; end it with a line feed, or choose another --out")

    def _read(self) -> list[tuple[bytes, bytes]]:
        with speaking_to(self._index.url):
            found = self._index.client.xrange(self._stream, count=_AT_ONCE)
        return [(place, zstandard.decompress(fields[b"line"])) for place, fields in found]

    def _write(self, lines: list[bytes]) -> None:
        self._file.write(b"".join(lines))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _forget(self, found: list[tuple[bytes, bytes]]) -> None:
        if found:
            with speaking_to(self._index.url):
                self._index.client.xdel(self._stream, *(place for place, _ in found))


def _cuts(lines: list[bytes], count: int, tail: bytes) -> list[int]:
    """Length of the part of line `count` that the tail may end with: what stands behind its last line feed."""
    rest = len(tail) - (tail.rfind(b"\n") + 1)
    return [rest] if rest and count < len(lines) else []


def _ends_with(tail: bytes, end: bytes, at_start: bool) -> bool:
    """Whether the tail ends with whole lines and then `end`."""
    if not tail.endswith(end):
        return False
    before = tail[: len(tail) - len(end)]
    return before.endswith(b"\n") or (not before and at_start)


def _name_in(beside: Path) -> str:
    """The name of the stream; a new one is made up where there is none yet."""
    name = beside.read_text("ascii", "replace").strip()
    if len(name) == 32 and name.isalnum():
        return name
    name = uuid.uuid4().hex
    with beside.open("w") as file:
        file.write(name + "\n")
        file.flush()
        os.fsync(file.fileno())
    return name
