"""The opened folders as one library: a frame with a row a trace, and ways to find, search and read traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from app.folders import OpenFolder, open_folders
from app.index_file import default_dir, folder_index
from app.searching import PLACE, search
from app.traces import RowGroups, Trace, TraceKey
from curate.errors import UsageError

__all__ = ["Library", "OpenFolder", "Trace", "TraceKey"]


class Library:
    """Folders and the index of their traces; nothing of it changes, so several threads may use it.

    Attributes:
        folders: what was opened, models and audits too, which have no traces.
        frame: one row a trajectory or reject, in the order of folders and rows.
    """

    def __init__(self, folders: tuple[OpenFolder, ...], frame: pl.DataFrame) -> None:
        self.folders = folders
        self.frame = frame
        self._by_name = {folder.name: folder for folder in folders}
        self._groups = RowGroups()

    @classmethod
    def open(cls, dirs: Sequence[Path], index_dir: Path | None = None) -> Library:
        """Open folders; the index of one that was not opened before is made, with progress on stderr.

        Args:
            dirs: dataset folders and models.
            index_dir: where indexes are kept; None for cacherl/app in the user's cache folder.

        Raises:
            UsageError: if a path is no such folder, or indexes would be written into one.
            FolderError: if a folder does not match its manifest.
        """
        folders = open_folders(dirs)
        kept = index_dir or default_dir()
        _need_outside(kept, folders)
        names = pl.Enum([folder.name for folder in folders])
        kinds = pl.Enum(sorted({folder.kind for folder in folders}))
        frames = [_placed(folder, folder_index(folder, kept), names, kinds) for folder in folders]
        return cls(folders, pl.concat(frames, rechunk=False).with_row_index("row"))

    def told(self) -> str:
        """What is open, in a line."""
        tables = self.frame["table"]
        rejects = int((tables == "rejects").sum())
        counts = ((len(self.folders), "folder"), (len(tables) - rejects, "trajectory"), (rejects, "reject"))
        return ", ".join(f"{count:,} {_plural(word, count)}" for count, word in counts)

    def trace(self, key: TraceKey) -> Trace | None:
        """One trace, read from its row group; None if there is no such folder or trace.

        Raises:
            FolderError: if the folder was taken away or changed since it was opened.
        """
        folder = self._by_name.get(key.folder)
        rows = self._rows(key.trace, key.folder) if folder is not None else []
        if folder is None or folder.manifest is None or not rows:
            return None
        place = self.frame.row(rows[0], named=True)
        shard = folder.manifest.tables[place["table"]][place["shard"]]
        row = self._groups.row(folder.path / shard.path, place["group"], place["at"])
        return Trace(key, folder.kind, place["table"], row)

    def find(self, trajectory_id: str, folder: str | None = None) -> list[TraceKey]:
        """Where a trajectory stands: in all folders, or in one; a folder before and after augmentation both have it."""
        found = self.frame[self._rows(trajectory_id, folder)].select("folder", "trace")
        return [TraceKey(*row) for row in found.unique(maintain_order=True).iter_rows()]

    def search(
        self, text: str, rows: pl.Series | None = None, progress: Callable[[float], None] | None = None
    ) -> pl.Series:
        """Numbers of the rows whose messages hold a text, in their order; upper and lower case are alike.

        Args:
            text: literal, found in contents, thoughts and arguments of calls.
            rows: look at these alone; None for all.
            progress: told the share that is done, now and then; what it raises ends the search.

        Raises:
            UsageError: if the text is longer than 10,000 characters.
            FolderError: if a folder was taken away or changed since it was opened.
        """
        places = self.frame.select("row", *PLACE, "at")
        return search(self._by_name, places if rows is None else places[rows.sort()], text, progress)

    def _rows(self, trace: str, folder: str | None) -> list[int]:
        wanted = pl.col("trace") == trace
        if folder is not None:
            if folder not in self._by_name:
                return []
            wanted &= pl.col("folder") == folder
        return self.frame.lazy().filter(wanted).select("row").collect().to_series().to_list()


def _need_outside(index_dir: Path, folders: Sequence[OpenFolder]) -> None:
    inside = [folder.path for folder in folders if index_dir.resolve().is_relative_to(folder.path)]
    if inside:
        raise UsageError(f"--index-dir {index_dir} lies in {inside[0]}, which nothing is written to; choose another")


def _placed(folder: OpenFolder, index: pl.DataFrame, names: pl.Enum, kinds: pl.Enum) -> pl.DataFrame:
    """A folder's index with the columns that say where its rows are."""
    trace = pl.col("trajectory_id")
    if index["trajectory_id"].null_count():
        trace = trace.fill_null("row-" + pl.int_range(pl.len()).cast(pl.String))
    before: list[Any] = [pl.lit(folder.name, names).alias("folder"), pl.lit(folder.kind, kinds).alias("kind"), "table"]
    return index.select(*before, trace.alias("trace"), pl.exclude("table"))


def _plural(word: str, count: int) -> str:
    return word if count == 1 else {"trajectory": "trajectories"}.get(word, f"{word}s")
