"""A journal's files: append only, each with one writer, numbered in the order in which they were begun."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from curate.atomic import fsync_dir
from synth.journal.records import Record, line

ROLL_BYTES = 256 * 2**20
"""A segment that has grown so large is closed, and the next one begun."""

_NAME = re.compile(r"segment-(\d{6,12})\.jsonl")
_STEP = 1 << 16


def segment_number(path: Path) -> int | None:
    """The number in a segment's name; None for another file."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def segment_path(folder: Path, number: int) -> Path:
    """Where the segment of this number stands."""
    return folder / f"segment-{number:06d}.jsonl"


def segment_numbers(folder: Path) -> list[int]:
    """The segments of a folder, in order."""
    return sorted(number for path in folder.iterdir() if (number := segment_number(path)) is not None)


class Segment:
    """A new file that lines are appended to; locked, so that nobody takes it for a dead writer's.

    Args:
        path: a file that does not exist.

    Raises:
        FileExistsError: if it does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        fsync_dir(path.parent)

    def append(self, lines: bytes) -> int:
        """Append whole lines; they are durable when it returns, at the offset that it returns.

        Raises:
            OSError: if they cannot be written; what was written of them is taken back.
        """
        at, rest = self.size, memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            os.fdatasync(self._handle)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._handle, at)
            raise
        self.size = at + len(lines)
        return at

    def close(self) -> None:
        """Close the file; its lines are durable already."""
        os.close(self._handle)


class SegmentWriter:
    """Writes records to segments of its own in a journal's folder, beside other writers; one thread at a time.

    A segment is begun with the first record, so that a writer with nothing to say leaves no file.

    Args:
        folder: of a journal.
        roll_bytes: size at which the next segment is begun.
    """

    def __init__(self, folder: Path, roll_bytes: int = ROLL_BYTES) -> None:
        self.folder = folder
        self.number = 0
        self._roll_bytes = roll_bytes
        self._segment: Segment | None = None

    def write(self, *records: Record) -> None:
        """Append records; they are durable when it returns.

        Raises:
            OSError: if they cannot be written; the journal then holds none of them, or whole ones.
        """
        self.append(b"".join(map(line, records)))

    def append(self, lines: bytes) -> tuple[int, int]:
        """Append whole lines; returns the number of the segment and the offset where they stand."""
        if self._segment is not None and self._segment.size >= self._roll_bytes:
            self.close()
        if self._segment is None:
            self._segment = self._begin()
        try:
            return self.number, self._segment.append(lines)
        except OSError:
            self.close()  # a part of a line may be left that could not be taken back: nothing may follow it
            raise

    def close(self) -> None:
        """Close the open segment, if there is one."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _begin(self) -> Segment:
        while True:  # another writer may take the number first
            self.number = max(segment_numbers(self.folder), default=0) + 1
            with suppress(FileExistsError):
                return Segment(segment_path(self.folder, self.number))


def cut_torn_tail(path: Path) -> int:
    """Cut what a dead writer left of a line at the end of a segment; returns how many bytes that were.

    A segment whose writer lives is left alone.
    """
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
            return 0
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        end = _end_of_lines(handle, size)
        os.ftruncate(handle, end)
        os.fsync(handle)
        return size - end
    finally:
        os.close(handle)


def whole_lines(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    """(offset, line) of each whole line from an offset on."""
    with path.open("rb", buffering=1 << 20) as file:
        file.seek(start)
        at = start
        for data in file:
            if not data.endswith(b"\n"):
                return  # its writer is not done with it, or died
            yield at, data
            at += len(data)


def read_line(handle: int, at: int) -> bytes:
    """The line at an offset, read without moving the file's position."""
    data = b""
    while piece := os.pread(handle, max(4096, len(data)), at + len(data)):
        data += piece
        if (end := data.find(b"\n")) >= 0:
            return data[: end + 1]
    return data


def _end_of_lines(handle: int, size: int) -> int:
    """Where the last whole line ends."""
    at = size
    while at > 0:
        start = max(0, at - _STEP)
        found = os.pread(handle, at - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0
