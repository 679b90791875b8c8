"""The opened folders as one set: their index, one trajectory of them, and search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from app.index_file import default_place, load_index
from app.indexing import TABLES, stored_schema
from app.searching import Progress, search_folder, spread
from app.traces import ROW, Trace, TraceKey
from curate.errors import UsageError
from curate.folder import DatasetFolder, Manifest
from curate.manifest import MANIFEST

MODEL = "model"
"""Kind of a folder that holds a trained model and its metrics, and has no manifest."""
_METRICS = "metrics.parquet"
_ROLLOUTS = "rollouts"


@dataclass(frozen=True)
class OpenFolder:
    """An opened folder; `name` is short and its own, `dataset` is None for a model."""

    name: str
    path: Path
    kind: str
    manifest: Manifest | None
    dataset: DatasetFolder | None


class Library:
    """Folders that stay as they are while they are open.

    Args:
        folders: in the order in which they were named.
        frame: their index: `row`, `folder`, `kind` and the columns of `app.indexing.SCHEMA`.
    """

    def __init__(self, folders: Sequence[OpenFolder], frame: pl.DataFrame) -> None:
        self.folders = tuple(folders)
        self.frame = frame
        self._by_name = {folder.name: folder for folder in folders}

    @classmethod
    def open(cls, dirs: Sequence[Path], index_dir: Path | None = None) -> Library:
        """Open folders; an index that is not there is made, with progress on stderr.

        Args:
            dirs: dataset folders, or models that this toolkit trained; a model's rollouts are opened with it.
            index_dir: where indexes are kept; the user's cache folder unless given.

        Raises:
            UsageError: if a folder is none of ours.
            FolderError: if one does not match its manifest.
        """
        found = list(dict.fromkeys(each for path in dirs for each in _with_rollouts(path)))
        names = _short_names(found)
        place = index_dir or default_place()
        folders, frames = [], []
        for path, name in zip(found, names, strict=True):
            folder, frame = _opened(path, name, place)
            folders.append(folder)
            if frame is not None:
                frames.append(_named(frame, folder))
        frame = pl.concat([_named(pl.DataFrame(schema=stored_schema()), folders[0]), *frames])
        kinds = {"folder": pl.Enum(names), "kind": pl.Enum(sorted({folder.kind for folder in folders}))}
        return cls(folders, frame.cast(kinds).with_row_index("row"))  # type: ignore[arg-type]

    def folder(self, name: str) -> OpenFolder | None:
        """An opened folder by its short name."""
        return self._by_name.get(name)

    def told(self) -> str:
        """What is open, in a line."""
        rejects = self.frame.select((pl.col("table") == "rejects").sum()).item()
        folders = f"{len(self.folders):,} folder{'s' * (len(self.folders) != 1)}"
        return f"{folders}, {self.frame.height - rejects:,} trajectories, {rejects:,} rejects"

    def trace(self, key: TraceKey) -> Trace | None:
        """A trajectory, read from its row group alone; None where no opened folder has it."""
        rows = self._at(key)
        return self.trace_at(rows.item(0, "row")) if rows.height else None

    def trace_at(self, row: int) -> Trace:
        """The trajectory of a row of the index."""
        place = self.frame.row(row, named=True)
        folder = self._by_name[place["folder"]]
        assert folder.dataset is not None, "what is indexed is a dataset folder"
        shard = folder.dataset.manifest.tables[place["table"]][place["shard"]]
        with pq.ParquetFile(folder.path / shard.path) as file:
            (body,) = file.read_row_group(place["group"]).slice(place["at"], 1).to_pylist()
        return Trace(TraceKey(folder.name, place["trace"]), folder.kind, place["table"], body)

    def find(self, trajectory_id: str, folder: str | None = None) -> list[TraceKey]:
        """Where a trajectory stands, in the order of the folders."""
        wanted = pl.col("trajectory_id") == trajectory_id
        if folder is not None:
            wanted &= pl.col("folder").cast(pl.String) == folder
        rows = self.frame.filter(wanted).select(pl.col("folder").cast(pl.String), "trace")
        return [TraceKey(*row) for row in rows.iter_rows()]

    def search(self, text: str, rows: pl.Series | None = None, progress: Progress | None = None) -> pl.Series:
        """Numbers of the rows whose messages, thinking or arguments hold a text, letters' case aside.

        Args:
            text: no pattern: every sign stands for itself.
            rows: look at these alone.
            progress: is told the share that is done.
        """
        frame = self.frame.select("row", pl.col("folder").cast(pl.String), "table", "shard", "group", "at")
        frame = frame if rows is None else frame[rows]
        parts = frame.partition_by("folder", maintain_order=True)
        sizes = [part.height for part in parts]
        found = []
        for number, part in enumerate(parts):
            folder = self._by_name[part.item(0, "folder")].dataset
            assert folder is not None, "what is indexed is a dataset folder"
            found.append(search_folder(folder, part, text, spread(progress, number, sum(sizes), sizes)))
        return pl.concat(found) if found else pl.Series("row", [], pl.UInt32)

    def _at(self, key: TraceKey) -> pl.DataFrame:
        """The index row of a trajectory; of a double id the accepted row comes first."""
        if key.folder not in self._by_name:
            return self.frame.clear()
        span = self._spans[key.folder]
        part = self.frame[span[0] : span[1]]
        return part.filter(pl.col("trace") == key.trace).select("row")

    @cached_property
    def _spans(self) -> dict[str, tuple[int, int]]:
        """Where in the index each folder stands."""
        begin = self.frame.group_by(pl.col("folder").cast(pl.String)).agg(
            pl.col("row").min().alias("first"), pl.col("row").max().alias("last")
        )
        spans = {name: (first, last + 1) for name, first, last in begin.iter_rows()}
        return {name: spans.get(name, (0, 0)) for name in self._by_name}


def _with_rollouts(path: Path) -> list[Path]:
    """A folder, and the rollouts that a model's folder holds."""
    inside = path / _ROLLOUTS
    return [path, inside] if _is_model(path) and (inside / MANIFEST).is_file() else [path]


def _is_model(path: Path) -> bool:
    return (path / _METRICS).is_file() and not (path / MANIFEST).exists()


def _opened(path: Path, name: str, place: Path) -> tuple[OpenFolder, pl.DataFrame | None]:
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if not path.is_dir():
        raise UsageError(f"{path} is a file; a dataset folder (with {MANIFEST}) is wanted here")
    if _is_model(path):
        return OpenFolder(name, path, MODEL, None, None), None
    if any(table in Manifest.load(path).tables for table in TABLES):
        dataset, frame = load_index(path, place)
        return OpenFolder(name, path, dataset.manifest.kind, dataset.manifest, dataset), frame
    dataset = DatasetFolder.open(path)
    return OpenFolder(name, path, dataset.manifest.kind, dataset.manifest, dataset), None


def _named(frame: pl.DataFrame, folder: OpenFolder) -> pl.DataFrame:
    told = [pl.lit(folder.name).alias("folder"), pl.lit(folder.kind).alias("kind")]
    return frame.select(*told, pl.all())


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Each path's own name, with as many parents before it as tell it from the others."""
    whole = [path.resolve().parts for path in paths]
    found = []
    for parts in whole:
        length = 1
        while length < len(parts) and sum(other[-length:] == parts[-length:] for other in whole) > 1:
            length += 1
        found.append("-".join(part for part in parts[-length:] if part != "/"))
    return [name if found.count(name) == 1 else f"{name}-{number + 1}" for number, name in enumerate(found)]


__all__ = ["Library", "OpenFolder", "ROW", "Trace", "TraceKey"]
