"""Where a cache's index stands, whose it is, and how it appears there whole: temp file, lock, rename.

It stands in the cache folder, or in the user's cache folder where that cannot be written. `curate.replace` knows its
name as disposable: it may be removed at any time and is built again at the next open. A published index is never
written to nor cut, only renamed over or removed, since a reader that has mapped it would get SIGBUS; readers go on with
the file that they have mapped. Renaming a cache folder or linking its shards keeps its index; a copy is indexed anew.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cachebuild.hash_file import LAYOUT_VERSION, Damaged, HashFile
from cachebuild.key import KEY_VERSION
from curate.atomic import fsync_dir
from curate.errors import FolderError
from curate.manifest import Manifest, index_name, is_index

if TYPE_CHECKING:
    from curate.folder import DatasetFolder


class NoPlaceForIndex(FolderError):
    """The index cannot be written anywhere: no space, or no right; the cache itself may be sound."""


RECORDS_VERSION = 1
"""Changes when the bytes of a record mean something else."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RIGHT = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class IndexSource:
    """What an index is made from: a manifest, and the shards of table `entries` as they stood when they were checked.

    `shards` holds [path, size, mtime in ns, inode] of each.
    """

    manifest: str
    shards: list[list[Any]]

    @classmethod
    def of(cls, folder: DatasetFolder) -> IndexSource:
        """As the folder stands now.

        Raises:
            FolderError: if a shard is missing.
        """
        shards = []
        for shard in folder.manifest.tables.get("entries", []):
            try:
                found = (folder.path / shard.path).stat()
            except OSError as error:
                raise FolderError(
                    f"{folder.path} does not match its manifest: {shard.path} is missing. Write the folder again."
                ) from error
            shards.append([shard.path, found.st_size, found.st_mtime_ns, found.st_ino])
        return cls(hashlib.sha256(folder.manifest.dump()).hexdigest(), shards)

    def stands(self, folder: DatasetFolder) -> bool:
        """Whether the folder on disk still is that source; another may have taken its name meanwhile."""
        try:
            return IndexSource.of(replace(folder, manifest=Manifest.load(folder.path))) == self
        except (OSError, FolderError):
            return False

    def info(self) -> dict[str, Any]:
        """What the index says of itself."""
        versions = [LAYOUT_VERSION, RECORDS_VERSION, KEY_VERSION]
        return {"manifest": self.manifest, "shards": self.shards, "versions": versions}

    def made(self, file: HashFile) -> bool:
        """Whether the index was made from this."""
        return all(file.info.get(name) == value for name, value in self.info().items())


def places(folder: Path, source: IndexSource) -> list[Path]:
    """Where the index may stand, best first."""
    name = index_name(source.manifest)
    own = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return [folder / name, *(root / own / name for root in _user_folders())]


def _user_folders() -> list[Path]:
    named = os.environ.get("XDG_CACHE_HOME", "")
    caches = Path(named) if os.path.isabs(named) else Path(os.path.expanduser("~/.cache"))
    return [caches / "cacherl" / "index", Path(tempfile.gettempdir()) / f"cacherl-{os.getuid()}" / "index"]


def find(folder: Path, source: IndexSource) -> HashFile | None:
    """The index of the source, if one stands somewhere and its header is sound."""
    for path in places(folder, source):
        with suppress(OSError, Damaged):
            if is_trusted(path, folder):
                file = HashFile(path)
                if source.made(file):
                    return file
    return None


def is_trusted(path: Path, folder: Path) -> bool:
    """Whether what stands at one of the `places` may be read: it is in the cache folder, or in one that is ours."""
    return path.parent == folder or (path.parent.is_dir() and is_ours(path.parent))


def is_ours(folder: Path) -> bool:
    """Whether nobody else could have put files into a user's cache folder, which is made here if need be."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def discard(file: HashFile) -> None:
    """Remove a damaged index, unless another process has already put a new one in its place."""
    with suppress(OSError):
        if file.path.stat().st_ino == file.inode:
            file.path.unlink()


@contextmanager
def locked(path: Path, folder: Path) -> Iterator[BinaryIO]:
    """An empty file that will get the name `path`, in the cache folder or a user's; one process at a time, others wait.

    Raises:
        OSError: if it cannot be written there.
    """
    if path.parent != folder and not is_ours(path.parent):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))
    handle = _lock(partial_name(path))
    try:
        yield handle
    finally:
        partial_name(path).unlink(missing_ok=True)
        with suppress(OSError):  # what could not be written is not wanted any more
            handle.close()


def unwritable(folder: Path, error: OSError | None) -> NoPlaceForIndex:
    """The refusal of a folder whose index has no place."""
    reason = os.strerror(error.errno or 0) if error else "no folder for it"
    return NoPlaceForIndex(
        f"the index of {folder} cannot be written: {reason}; free some space, or set XDG_CACHE_HOME to a folder with "
        "space where you may write"
    )


def no_room(error: OSError) -> bool:
    """Whether writing failed for lack of space or rights."""
    return error.errno in (*_NO_ROOM, *_NO_RIGHT)


def partial_name(path: Path) -> Path:
    """The name of an index that is being written."""
    return path.with_name(f".{path.name}.partial")


def _lock(path: Path) -> BinaryIO:
    """Open the file and wait until it is ours alone; the kernel frees it when a process dies."""
    while True:
        handle = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644), "r+b")
        fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle.fileno()), path.stat()):
                handle.truncate()
                return handle
        handle.close()  # who held it has given it its name, or removed it


def publish(handle: BinaryIO, path: Path) -> None:
    """Give the finished file its name, and remove the indexes of manifests that are gone."""
    give_name(handle, path)
    for other in path.parent.iterdir():
        if is_index(other.name) and not other.name.startswith((".", path.stem)):
            other.unlink(missing_ok=True)


def give_name(handle: BinaryIO, path: Path) -> None:
    """Give the finished file its name."""
    os.fsync(handle.fileno())
    partial_name(path).replace(path)
    fsync_dir(path.parent)
