"""A table of an opened folder, read for a plot: bounded, and with the columns that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from app.runs.files import inside
from curate.errors import FolderError
from curate.manifest import Manifest

MAX_ROWS = 5_000_000
"""Rows that are read, from the table's beginning."""


def read_table(folder: Path, manifest: Manifest, name: str, columns: Sequence[str]) -> pl.DataFrame | None:
    """The table's rows; None if the folder has none of that name, or one without these columns.

    Raises:
        FolderError: if a file of it is missing or cannot be read.
    """
    shards = [inside(folder, shard.path) for shard in manifest.tables.get(name, ())]
    if not shards:
        return None
    paths = [path for path in shards if path is not None]
    if len(paths) < len(shards):
        raise FolderError(f"a file of table {name} is missing; write the folder again")
    try:
        scan = pl.scan_parquet(paths)
        if not set(columns) <= set(scan.collect_schema().names()):
            return None
        return scan.select(columns).head(MAX_ROWS).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FolderError(f"table {name} cannot be read ({error})") from error
