"""What a killed recorder goes on from: an append-only file of events beside the output, removed once all is written."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from curate.atomic import fsync_dir, write_file
from curate.errors import RecordError
from curate.recording_proxy.exchange import dump, json_body

Event = dict[str, Any]


class Journal:
    """Events in an append-only file; one process writes it, the output's lock sees to that.

    What was added outlives this process at once, and the machine a moment later: a thread makes all that has come
    durable, again and again, so that nobody waits for the disk.

    Args:
        path: the file; made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        self.events = self._load()
        """What stood there when it was opened; lines that are no event are counted in `damaged`."""
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fsync_dir(path.parent)
        self._swap = threading.Lock()
        self._dirty, self._closed = threading.Event(), False
        self._syncing = threading.Thread(target=self._sync, name="journal", daemon=True)
        self._syncing.start()

    @property
    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._handle).st_size

    def add(self, event: Mapping[str, Any]) -> None:
        """Append an event."""
        append(self._handle, dump(event))
        self._dirty.set()

    def rewrite(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Put these events in the place of all others, in one step."""
        write_file(self.path, b"".join(dump(event) for event in events))
        with self._swap:
            os.close(self._handle)
            self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def remove(self) -> None:
        """Nothing is left to go on from."""
        self.path.unlink()
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._closed = True
        self._dirty.set()
        self._syncing.join()
        os.close(self._handle)

    def _sync(self) -> None:
        while self._dirty.wait() and not self._closed:
            self._dirty.clear()
            with self._swap, suppress(OSError):  # the next write meets the same disk, and says so
                os.fdatasync(self._handle)

    def _load(self) -> list[Event]:
        """The whole lines; a torn last line is cut off."""
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)
        events = []
        for line in data[:whole].splitlines():
            try:
                events.append(json_body(line, "a line"))
            except (RecordError, UnicodeDecodeError):
                self.damaged += 1
        return events


def append(handle: int, data: bytes) -> None:
    """Write all of `data`; what a failed write left of it (a full disk) is cut off again.

    Raises:
        OSError: from the write.
    """
    before = os.fstat(handle).st_size
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
    except OSError:
        os.ftruncate(handle, before)
        raise
