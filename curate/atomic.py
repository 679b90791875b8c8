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

_WRITING_FAILED = {
    errno.ENOSPC: "free space on that disk, or choose {flag} on another one",
    errno.EDQUOT: "your share of that disk is used up: free some of it, or choose {flag} on another one",
    errno.EFBIG: "files may not grow so large: raise the limit (ulimit -f), or choose {flag} on another file system",
    errno.EROFS: "choose {flag} where you may write",
    errno.EACCES: "choose {flag} where you may write, or change the rights of the folder",
    errno.EPERM: "choose {flag} where you may write, or change the rights of the folder",
}
_NAMELESS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # come from writing, whatever file it was
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h; both names exist at every moment


def fsync_dir(folder: Path) -> None:
    """Make the folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    """Make the bytes of a finished file durable."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def write_file(path: Path, data: bytes) -> None:
    """Write `data` so that after a crash at any moment `path` is either the old file or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)
    fsync_dir(path.parent)


@contextmanager
def writing(out: Path, *parts: Path, flag: str = "an --out") -> Iterator[None]:
    """Name the output and the remedy where the system refuses a write, which it often does without a path.

    Args:
        out: what is being written.
        parts: the files and folders beside it that belong to the writing.
        flag: what says where it is written, with its article.

    Raises:
        UsageError: for a full disk, a file too large, missing rights.
    """
    try:
        yield
    except OSError as error:
        remedy = _WRITING_FAILED.get(error.errno or 0)
        if remedy is None or not _concerns(error, (out, *parts)):
            raise
        reason = os.strerror(error.errno or 0)
        remedy = remedy.format(flag=flag)
        raise UsageError(f"{out} cannot be written: {reason}; {remedy}, then run the same command again") from error


def _concerns(error: OSError, paths: tuple[Path, ...]) -> bool:
    if error.filename is None:
        return error.errno in _NAMELESS
    return any(Path(os.fsdecode(error.filename)).is_relative_to(path) for path in paths)


def publish_folder(partial: Path, out: Path) -> None:
    """Give the finished folder `partial` the name `out`; an `out` that stands there is replaced in one step."""
    fsync_dir(partial)
    if not out.exists():
        partial.rename(out)
    elif _exchange(partial, out):
        shutil.rmtree(partial, ignore_errors=True)  # a reader may still be writing an index there; OUT stands already
    else:
        aside = aside_name(out)
        out.rename(aside)
        partial.rename(out)
        shutil.rmtree(aside)
    fsync_dir(out.parent)


def recover_folder(out: Path) -> None:
    """Undo a replacement that was cut between its two renames (only where the file system cannot exchange names)."""
    aside = aside_name(out)
    if aside.exists():
        if out.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(out)


@contextmanager
def exclusive(lock: Path, what: str, flag: str = "--out") -> Iterator[None]:
    """Hold the lock file, or say that another run does; the kernel frees it when the process dies.

    Args:
        lock: the file.
        what: what it guards, in words.
        flag: what says where that is.

    Raises:
        UsageError: if another process holds it.
    """
    busy = f"another run is writing {what}; wait for it, or choose another {flag}"
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


def aside_name(out: Path) -> Path:
    """Where a replaced folder stands for a moment on file systems that cannot exchange names."""
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
