"""The output: one line a finished trajectory, appended whole, to a file that may stand already."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from curate.errors import RecordError, UsageError
from curate.recording_proxy.exchange import json_body
from curate.recording_proxy.journal import append


class Lines:
    """An append-only JSONL file that holds whole lines only.

    Args:
        path: the file; made if it is missing.
        mend: whether a last line that was cut off may be removed, because the journal still holds what it said.

    Raises:
        UsageError: if the last line is cut off and nothing could restore it.
    """

    def __init__(self, path: Path, mend: bool) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._mend(mend)

    @property
    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._handle).st_size

    def add(self, lines: Iterable[bytes]) -> None:
        """Append lines, each with its newline; durable on return."""
        append(self._handle, b"".join(lines))
        os.fdatasync(self._handle)

    def recording_ids(self, start: int) -> Iterator[str]:
        """Ids of the trajectories that this command wrote from byte `start` on."""
        with self.path.open("rb") as file:
            file.seek(start if start <= self.size else 0)
            for line in file:
                try:
                    metadata = json_body(line, "a line").get("metadata")
                except (RecordError, UnicodeDecodeError):
                    continue
                if isinstance(metadata, dict) and isinstance(metadata.get("recording_id"), str):
                    yield metadata["recording_id"]

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)

    def _mend(self, allowed: bool) -> None:
        whole = self._end_of_last_line()
        if whole == self.size:
            return
        last = os.pread(self._handle, self.size - whole, whole)
        try:
            json_body(last, "the last line")
            append(self._handle, b"\n")
        except (RecordError, UnicodeDecodeError) as error:
            if not allowed:
                raise UsageError(
                    f"--out {self.path}: its last line is cut off, and no journal stands beside it to restore the "
                    "line; remove that line, or choose another --out"
                ) from error
            os.ftruncate(self._handle, whole)

    def _end_of_last_line(self) -> int:
        """Byte after the last newline, searched from the end."""
        end = self.size
        while end > 0:
            start = max(0, end - (1 << 20))
            at = os.pread(self._handle, end - start, start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            end = start
        return 0
