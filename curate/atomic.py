"""Files and folders that appear whole or not at all: temp name, fsync, rename; swap of two folders in one step."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curate.errors import UsageError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h; both names exist at every moment


def fsync_dir(folder: Path) -> None:
    """Make the folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_file(path: Path, data: bytes) -> None:
    """Write `data` so that after a crash at any moment `path` is either the old file or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)
    fsync_dir(path.parent)


def publish_folder(partial: Path, out: Path) -> None:
    """Give the finished folder `partial` the name `out`; an `out` that stands there is replaced in one step."""
    fsync_dir(partial)
    if not out.exists():
        partial.rename(out)
    elif _exchange(partial, out):
        shutil.rmtree(partial)
    else:
        aside = _aside(out)
        out.rename(aside)
        partial.rename(out)
        shutil.rmtree(aside)
    fsync_dir(out.parent)


def recover_folder(out: Path) -> None:
    """Undo a replacement that was cut between its two renames (only where the file system cannot exchange names)."""
    aside = _aside(out)
    if aside.exists():
        if out.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(out)


@contextmanager
def exclusive(lock: Path, what: str) -> Iterator[None]:
    """Hold the lock file, or say that another run does; the kernel frees it when the process dies.

    Raises:
        UsageError: if another process holds it.
    """
    busy = f"another run is writing {what}; wait for it, or choose another --out"
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except FileNotFoundError as error:
        raise UsageError(busy) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(busy) from error
        # A run that just ended took the name away: what we hold is no longer what the next run will ask for.
        if not lock.exists() or not os.path.samestat(os.fstat(handle), lock.stat()):
            raise UsageError(busy)
        yield
    finally:
        os.close(handle)


def _aside(out: Path) -> Path:
    return out.with_name(f".{out.name}.old")


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names atomically; False where the system or the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done = renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    if done == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(second))
