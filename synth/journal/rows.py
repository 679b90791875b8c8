"""Resume state: an append-only JSONL file of what a teacher has written, durable in groups, safe to cut at any byte."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

GROUP = 64
"""Records that become durable together; a crash loses at most so many, and they are written again."""


class Journal:
    """Records by key; use as a context manager.

    On opening, a last line that was cut by a crash is removed before anything is appended; a line in the middle that is
    no record is passed over and counted in `damaged`. One process writes a journal: the folder's lock sees to that.

    Args:
        path: the file; made if it is missing.
        group: how many records become durable with one fdatasync.
    """

    def __init__(self, path: Path, group: int = GROUP) -> None:
        self.path = path
        self.damaged = 0
        self._group = group
        self._known: dict[str, tuple[int, int]] = {}
        self._pending: list[bytes] = []
        self._handle = -1

    def __enter__(self) -> Self:
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._load()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
        finally:
            os.close(self._handle)

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> dict[str, Any] | None:
        """The record that was durable under this key when the journal was opened, without its key."""
        place = self._known.get(key)
        if place is None:
            return None
        record: dict[str, Any] = json.loads(os.pread(self._handle, place[1], place[0]))
        del record["key"]
        return record

    def add(self, key: str, record: Mapping[str, Any]) -> None:
        """Append a record; it is durable after the next `flush`, which comes by itself once a group is full."""
        self._pending.append(json.dumps({"key": key, **record}, ensure_ascii=True).encode() + b"\n")
        if len(self._pending) >= self._group:
            self.flush()

    def flush(self) -> None:
        """Make everything added so far durable."""
        if not self._pending:
            return
        data = memoryview(b"".join(self._pending))
        self._pending = []
        while data:
            data = data[os.write(self._handle, data) :]
        os.fdatasync(self._handle)

    def _load(self) -> None:
        """Index the whole lines; cut a torn tail."""
        with os.fdopen(os.dup(self._handle), "rb") as file:
            at = 0
            for line in file:
                if not line.endswith(b"\n"):
                    break
                key = _key(line)
                if key is None:
                    self.damaged += 1
                else:
                    self._known[key] = (at, len(line))
                at += len(line)
        os.ftruncate(self._handle, at)
        os.lseek(self._handle, at, os.SEEK_SET)


def _key(line: bytes) -> str | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    key = record.get("key") if isinstance(record, dict) else None
    return key if isinstance(key, str) else None
