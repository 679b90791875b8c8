"""Indexes of folders on disk: made once, disposable, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from app.folders import OpenFolder
from app.indexing import SCHEMA, index_batches


def folder_index(folder: OpenFolder, index_dir: Path | None = None) -> pl.DataFrame:
    """The index of a folder."""
    return pl.concat([pl.DataFrame(schema=SCHEMA), *index_batches(folder)])
