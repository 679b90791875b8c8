"""Reading a folder that another run may replace at any moment: all that is read comes from one state of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from curate.atomic import aside_name
from curate.errors import FolderError

T = TypeVar("T")

TRIES = 8
_PAUSE = 0.05
"""Seconds between two tries, where a file system replaces a folder by two renames."""


def read_steady(path: Path, read: Callable[[], T]) -> T:
    """What `read` gives if the folder was not replaced while it ran; otherwise it is run again.

    Args:
        path: the folder.
        read: reads it; what it raises counts only if the folder stayed where it was.

    Raises:
        FolderError: if the folder was replaced during each of `TRIES` readings.
    """
    for _ in range(TRIES):
        with _watched(path) as stayed:
            try:
                found = read()
            except Exception:
                if stayed():
                    raise
            else:
                if stayed():
                    return found
    raise FolderError(f"{path} was replaced {TRIES} times while it was opened; open it again when that has ended")


@contextmanager
def _watched(path: Path) -> Iterator[Callable[[], bool]]:
    """Tells whether `path` still names the folder that it named at first; its number stays taken while it is open."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield lambda: not _comes_back(path)
        return
    try:
        yield lambda: _is(path, handle)
    finally:
        os.close(handle)


def _is(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return not _comes_back(path)


def _comes_back(path: Path) -> bool:
    """Whether a folder that is not there is just being replaced."""
    if not (path.exists() or aside_name(path).exists()):
        return False
    time.sleep(_PAUSE)
    return True
