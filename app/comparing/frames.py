"""Rows of the library's index by folder and trace."""

from __future__ import annotations

import polars as pl


def of_trace(folder: str, trace: str) -> pl.Expr:
    """The row of one trajectory."""
    return (pl.col("folder") == folder) & (pl.col("trace") == trace)


def of_folder(frame: pl.DataFrame, folder: str) -> pl.DataFrame:
    """The trajectories of a folder, in the order of its rows."""
    return frame.filter((pl.col("folder") == folder) & (pl.col("table") == "trajectories"))
