"""Indexes of folders on disk: made once, mapped into memory, disposable, whole or not at all.

An index is named by its folder's manifest. Beside it stand its own hash and, of each place that such a folder was seen
at, the sizes and times of the files: while those stay, nothing is hashed or read again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from app.folders import OpenFolder
from app.indexing import INDEX_VERSION, SCHEMA, index_batches
from curate.atomic import fsync_file, write_file
from curate.cli import say
from curate.errors import FolderError
from curate.folder import DatasetFolder, sha256_file
from curate.manifest import MANIFEST
from curate.progress import counting

CHUNK_ROWS = 2**17
Stamp = list[int]
"""Size in bytes and time of change in nanoseconds of a file."""


def default_dir() -> Path:
    """Where indexes are kept if nobody says otherwise."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(cache if cache and Path(cache).is_absolute() else Path.home() / ".cache") / "cacherl" / "app"


def folder_index(folder: OpenFolder, index_dir: Path) -> pl.DataFrame:
    """The index of a folder, from disk if it stands there and the folder was not changed since.

    Raises:
        FolderError: if the folder does not match its manifest.
    """
    if folder.manifest is None:
        return pl.DataFrame(schema=SCHEMA)
    file = IndexFile.of(folder, index_dir)
    told = file.told()
    known = told["places"].get(str(folder.path))
    stamps = _stamps(folder)
    if known != stamps:
        _need_sound(folder)
    found = file.load(told["index"])
    if found is not None and known == stamps:
        return found
    made = found if found is not None else _joined(_made(folder))
    try:
        file.dir.mkdir(parents=True, exist_ok=True)
        if found is None:
            _write(file.path, made)
        file.tell(told["places"] | {str(folder.path): stamps})
        return _mapped(file.path)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        say(f"{file.dir} cannot be written ({why}): the index of {folder.name} is kept in memory")
        return made


@dataclass(frozen=True)
class IndexFile:
    """Where the index of a folder is kept."""

    path: Path

    @classmethod
    def of(cls, folder: OpenFolder, index_dir: Path) -> IndexFile:
        """The file of a folder, whether it stands or not."""
        return cls(index_dir / f"{sha256_file(folder.path / MANIFEST)[:32]}.arrow")

    @property
    def dir(self) -> Path:
        """Where all indexes are."""
        return self.path.parent

    def told(self) -> dict[str, Any]:
        """What is known of the index and of its folder's places; of a damaged file nothing."""
        try:
            told = json.loads(self._beside.read_bytes())
            if told["version"] == INDEX_VERSION and all(isinstance(told[name], dict) for name in ("index", "places")):
                return dict(told)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        return {"index": {}, "places": {}}

    def load(self, wanted: dict[str, Any]) -> pl.DataFrame | None:
        """The index, mapped into memory; None if it is missing or is not what was written."""
        try:
            sound = wanted and (wanted["stamp"] == _stamp(self.path) or wanted["sha256"] == sha256_file(self.path))
            found = _mapped(self.path) if sound else None
        except (OSError, KeyError, pa.ArrowException, pl.exceptions.PolarsError):
            return None
        return found if found is not None and found.schema == SCHEMA else None

    def tell(self, places: dict[str, dict[str, Stamp]]) -> None:
        """Note what the index is, and how the files of its folder's places stand."""
        index = {"stamp": _stamp(self.path), "sha256": sha256_file(self.path)}
        write_file(
            self._beside, json.dumps({"version": INDEX_VERSION, "index": index, "places": places}, indent=1).encode()
        )

    @property
    def _beside(self) -> Path:
        return self.path.with_suffix(".json")


def _need_sound(folder: OpenFolder) -> None:
    assert folder.manifest is not None
    problems = DatasetFolder(folder.path, folder.manifest).problems()
    if problems:
        raise FolderError(f"{folder.path} does not match its manifest: {problems[0]}. Write the folder again.")


def _stamps(folder: OpenFolder) -> dict[str, Stamp]:
    assert folder.manifest is not None
    shards = [shard.path for shards in folder.manifest.tables.values() for shard in shards]
    names = [MANIFEST, *shards, *folder.manifest.files]
    return {name: _stamp(folder.path / name) for name in names if (folder.path / name).exists()}


def _stamp(path: Path) -> Stamp:
    told = path.stat()
    return [told.st_size, told.st_mtime_ns]


def _made(folder: OpenFolder) -> Iterator[pl.DataFrame]:
    """The index in frames of many rows: one a row group would make every later look at it slow."""
    with counting(f"{folder.name}: index", unit="row") as count:
        some: list[pl.DataFrame] = []
        for frame in index_batches(folder, count):
            some.append(frame)
            if sum(map(len, some)) >= CHUNK_ROWS:
                yield pl.concat(some)
                some = []
        if some:
            yield pl.concat(some)


def _write(path: Path, index: pl.DataFrame) -> None:
    """Write an index; whoever reads the old one goes on reading it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        index.write_ipc(partial)
        fsync_file(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _joined(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(list(frames) or [pl.DataFrame(schema=SCHEMA)], rechunk=False)


def _mapped(path: Path) -> pl.DataFrame:
    """The frame of an Arrow file without a copy: what is not looked at takes no memory."""
    with pa.memory_map(str(path)) as file:
        found = pl.from_arrow(pa.ipc.open_file(file).read_all(), rechunk=False)
    assert isinstance(found, pl.DataFrame)
    return found
