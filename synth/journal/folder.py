"""The journal of a teacher: a folder of segments that many runs add to, each record durable before it counts."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from curate.atomic import exclusive, fsync_dir, write_file, writing
from curate.errors import UsageError
from synth.journal.account import Account
from synth.journal.commit import GroupCommit
from synth.journal.places import PlaceTable
from synth.journal.records import ANSWERED, Record, fingerprint, line, parsed, text_of
from synth.journal.segment import (
    ROLL_BYTES,
    SegmentWriter,
    cut_torn_tail,
    read_line,
    segment_number,
    segment_numbers,
    segment_path,
    whole_lines,
)

VERSION = 1
_ABOUT = "journal.json"
_LOCK = "lock"
_OURS = frozenset({_ABOUT, _LOCK, f".{_ABOUT}.partial"})
_OFFSET_BITS = 40
_MOST_OPEN = 64


class JournalReader:
    """The records of a journal, by key; use as a context manager.

    Attributes:
        folder: where the journal is.
        account: sums over the records read so far.
        replies: asks with an answer that stands.
        turns: turns with an outcome.
        damaged: lines that hold no record, passed over.
        torn_bytes: bytes of lines that a dying run had not finished, cut when the journal was opened for writing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.account = Account()
        self.replies = 0
        self.turns = 0
        self.damaged = 0
        self.torn_bytes = 0
        self._places = PlaceTable()
        self._read_to: dict[int, int] = {}
        self._handles: dict[int, int] = {}
        self._adding = threading.Lock()
        self._reading = threading.Lock()
        _check(folder)
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()

    def reply(self, key: str) -> dict[str, Any] | None:
        """The last reply under an ask's key that stands: of kind ok, poor or item."""
        return self._find("reply", key)

    def turn(self, key: str) -> dict[str, Any] | None:
        """The last outcome under a turn's key."""
        return self._find("turn", key)

    def open_batches(self) -> list[dict[str, Any]]:
        """Batches that have not ended, in the order of their intents; later records' fields over the intent's."""
        batches = []
        for batch in list(self.account.batches.values()):
            merged: dict[str, Any] = {}
            for place in batch.places:
                merged |= {name: value for name, value in self._at(place).items() if value is not None}
            batches.append(merged)
        return batches

    def refresh(self) -> None:
        """Read what other writers have added since: new segments, and whole lines at the end of known ones."""
        with self._adding:
            for number in segment_numbers(self.folder):
                for at, data in whole_lines(segment_path(self.folder, number), self._read_to.get(number, 0)):
                    record = parsed(data)
                    if record is None or not self._index(record, number << _OFFSET_BITS | at):
                        self.damaged += 1
                    self._read_to[number] = at + len(data)

    def _index(self, record: Record, place: int) -> bool:
        """Take a record into the sums and the table; False if it lacks what its type must have."""
        try:
            match record["t"]:
                case "sent":
                    self.account.sent(record)
                case "reply":
                    self._index_reply(record, place)
                case "turn":
                    self.turns += self._put("turn", text_of(record, "key"), place)
                case "batch":
                    self.account.batch(record, place)
        except (KeyError, TypeError, ValueError, OverflowError, IndexError):
            return False
        return True

    def _index_reply(self, record: Record, place: int) -> None:
        key, attempt, kind = text_of(record, "key"), record["id"], text_of(record, "kind")

        def repeated() -> bool:
            earlier = self.reply(key)
            return earlier is not None and earlier["id"] == attempt

        self.account.reply(record, repeated)
        if kind in ANSWERED:
            self.replies += self._put("reply", key, place)

    def _put(self, kind: str, key: str, place: int) -> bool:
        """Put a place into the table; whether the key is new."""
        before = len(self._places)
        self._places.put(fingerprint(kind, key), place)
        return len(self._places) > before

    def _find(self, kind: str, key: str) -> dict[str, Any] | None:
        place = self._places.get(fingerprint(kind, key))
        if place is None:
            return None
        record = self._at(place)
        return record if record["t"] == kind and record["key"] == key else None

    def _at(self, place: int) -> dict[str, Any]:
        number, at = place >> _OFFSET_BITS, place & (1 << _OFFSET_BITS) - 1
        with self._reading:
            record = parsed(read_line(self._handle(number), at))
        if record is None:
            raise UsageError(
                f"{segment_path(self.folder, number)} no longer holds the record that stood at byte {at:,}; something "
                "else changed the journal while it was read: run the same command again"
            )
        return record

    def _handle(self, number: int) -> int:
        """A handle for reading; the one opened longest ago gives way where there are many."""
        handle = self._handles.get(number)
        if handle is None:
            if len(self._handles) >= _MOST_OPEN:
                os.close(self._handles.pop(next(iter(self._handles))))
            handle = os.open(segment_path(self.folder, number), os.O_RDONLY | os.O_CLOEXEC)
            self._handles[number] = handle
        return handle


class Journal(JournalReader):
    """A journal that this run adds to; it sees its own records. Made by `Journal.open`."""

    def __init__(self, folder: Path, roll_bytes: int = ROLL_BYTES) -> None:
        _begin(folder)
        cut = sum(cut_torn_tail(segment_path(folder, number)) for number in segment_numbers(folder))
        super().__init__(folder)
        self.torn_bytes = cut
        self._writer = SegmentWriter(folder, roll_bytes)
        self._group = GroupCommit(self._commit)

    @classmethod
    @contextmanager
    def open(cls, folder: Path, roll_bytes: int = ROLL_BYTES) -> Iterator[Self]:
        """Open a journal for writing; a folder that is missing or empty becomes one.

        Args:
            folder: the journal.
            roll_bytes: size at which a new segment is begun.

        Raises:
            UsageError: if another run holds it, the folder holds something else, or it cannot be written.
        """
        with ExitStack() as stack:
            with writing(folder, flag="a --journal"):
                _make(folder)
                stack.enter_context(exclusive(folder / _LOCK, f"the journal {folder}", "--journal"))
                journal = cls(folder, roll_bytes)
            stack.callback(journal.close)
            yield journal

    @staticmethod
    def read(folder: Path) -> JournalReader:
        """Open a journal for reading, also while a run writes it.

        Raises:
            UsageError: if the folder is no journal.
        """
        return JournalReader(folder)

    async def write(self, *records: Record) -> None:
        """Append records together; they are durable, and found by their keys, when this returns.

        Raises:
            UsageError: if the disk is full or the like; then every later write raises it too.
        """
        await self._group.write([(record, line(record)) for record in records])

    def write_now(self, *records: Record) -> None:
        """As `write`, for callers without an event loop; it blocks."""
        self._commit([[(record, line(record)) for record in records]])

    def close(self) -> None:
        """Make everything durable that was handed over, and close the files."""
        self._group.close()
        self._writer.close()
        super().close()

    def _commit(self, groups: Sequence[Sequence[tuple[Record, bytes]]]) -> None:
        with self._adding, writing(self.folder, flag="a --journal"):
            pairs = [pair for group in groups for pair in group]
            number, at = self._writer.append(b"".join(data for _, data in pairs))
            for record, data in pairs:
                self._index(record, number << _OFFSET_BITS | at)
                at += len(data)
            self._read_to[number] = at


def _make(folder: Path) -> None:
    """Make the folder, unless it is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"--journal {folder} is no folder; choose another --journal") from error


def _begin(folder: Path) -> None:
    """Make an empty folder a journal."""
    if any(path.name not in (_LOCK, f".{_ABOUT}.partial") for path in folder.iterdir()):
        return
    write_file(folder / _ABOUT, json.dumps({"format": "teacher journal", "version": VERSION}).encode() + b"\n")
    fsync_dir(folder.absolute().parent)


def _check(folder: Path) -> None:
    """Refuse what is no journal, or one of another version.

    Raises:
        UsageError: saying which file is in the way.
    """
    try:
        foreign = sorted(path.name for path in folder.iterdir() if not _is_ours(path))
    except OSError as error:
        raise UsageError(f"--journal {folder}: {error.strerror}; name the folder of a journal") from error
    if foreign:
        raise UsageError(f"--journal {folder} holds {foreign[0]}, which is no journal's; choose another --journal")
    try:
        about = json.loads((folder / _ABOUT).read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"--journal {folder} has no {_ABOUT} that can be read; choose another --journal") from error
    version = about.get("version") if isinstance(about, dict) else None
    if version != VERSION:
        raise UsageError(
            f"--journal {folder} is of format version {version}, this program writes {VERSION}; choose another "
            "--journal, or the release that wrote it"
        )


def _is_ours(path: Path) -> bool:
    return path.is_file() and (path.name in _OURS or segment_number(path) is not None)
