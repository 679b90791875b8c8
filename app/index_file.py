"""Indexes on disk: one Arrow file a folder, named by its manifest, memory-mapped, disposable."""

from __future__ import annotations

import hashlib
import json
import os
import typing
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from app.indexing import VERSION, index_frame
from curate.cli import say
from curate.errors import FolderError
from curate.folder import DatasetFolder
from curate.manifest import MANIFEST, Manifest, sha256_file

CACHE = "cacherl/app"


def default_place() -> Path:
    """Where indexes are kept unless `--index-dir` says so."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / CACHE


def load_index(path: Path, place: Path) -> tuple[DatasetFolder, pl.DataFrame]:
    """A folder and its index, from disk where one stands that was made of these very files.

    Every file is compared with the manifest when its index is made. Later sizes and times of change decide; where one
    differs the files are compared again.

    Raises:
        UsageError: if there is no such folder.
        FolderError: if a file does not match the manifest.
    """
    manifest = Manifest.load(path)
    file = place / f"{sha256_file(path / MANIFEST)}-{VERSION}.arrow"
    folder = DatasetFolder(path, manifest)
    where = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    stamp = file.with_suffix(f".{where}.json")
    known = _known(stamp)
    looks = _looks(folder)
    if known != looks:
        folder = DatasetFolder.open(path)
    frame = _read(file) if known is not None else None
    if frame is None:
        frame = index_frame(folder)
    if known != looks or not file.exists():
        frame = _kept(frame, file, stamp, looks)
    return folder, frame


def _looks(folder: DatasetFolder) -> dict[str, Any]:
    """Sizes and times of change of a folder's files; of a missing one neither."""
    found: dict[str, Any] = {}
    for name in [shard.path for shards in folder.manifest.tables.values() for shard in shards]:
        try:
            told = (folder.path / name).stat()
        except OSError as error:
            raise FolderError(f"{folder.path} does not match its manifest: {name} is missing") from error
        found[name] = [told.st_size, told.st_mtime_ns]
    return found


def _known(stamp: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(stamp.read_bytes())
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) else None


def _read(file: Path) -> pl.DataFrame | None:
    """The index, mapped; None where there is none that can be read."""
    try:
        with pa.memory_map(str(file)) as mapped:
            return typing.cast(pl.DataFrame, pl.from_arrow(pa.ipc.open_file(mapped).read_all(), rechunk=False))
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError):
        return None


def _kept(frame: pl.DataFrame, file: Path, stamp: Path, looks: dict[str, Any]) -> pl.DataFrame:
    """Keep an index and give it back mapped; where that cannot be, it stays in memory."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or _read(file) is None:
            frame.write_ipc(partial, compression="uncompressed")
            partial.replace(file)
        partial.write_text(json.dumps(looks))
        partial.replace(stamp)
    except OSError as error:
        partial.unlink(missing_ok=True)
        say(f"the index is not kept, it will be made again next time ({file.parent}: {error.strerror})")
        return frame
    mapped = _read(file)
    return frame if mapped is None else mapped
