"""Other attempts at the task of a trajectory, over all opened folders."""

from __future__ import annotations

import polars as pl

from app.comparing.frames import of_trace

SHOWN = ("folder", "trace", "source", "trial", "reward", "turns", "calls", "worst_tier", "min_p", "status")


def attempts(frame: pl.DataFrame, folder: str, trace: str, *, limit: int = 500) -> pl.DataFrame:
    """The trajectories of the same env and task, without the one given; those of its folder first.

    Args:
        frame: the library's index.
        folder: of the trajectory.
        trace: its name in that folder.
        limit: rows, at most.
    """
    given = frame.filter(of_trace(folder, trace)).head(1)
    if given.is_empty():
        return frame.clear().select(_SHOWN)
    env, task = given["env_id"][0], given["task_id"][0]
    found = (
        frame.lazy()
        .filter((pl.col("env_id") == env) & (pl.col("task_id") == task) & (pl.col("table") == "trajectories"))
        .filter(~of_trace(folder, trace))
        .with_columns((pl.col("folder") != folder).alias("elsewhere"))
        .sort("elsewhere", maintain_order=True)
        .head(limit)
    )
    return found.select(_SHOWN).collect()


def tasks_with_several(frame: pl.DataFrame, *, limit: int = 200) -> pl.DataFrame:
    """Tasks with more than one attempt: env_id, task_id, attempts, folders, lowest and highest reward; most first."""
    found = (
        frame.lazy()
        .filter(pl.col("table") == "trajectories")
        .group_by("env_id", "task_id")
        .agg(
            pl.len().alias("attempts"),
            pl.col("folder").n_unique().alias("folders"),
            pl.col("reward").min().alias("lowest"),
            pl.col("reward").max().alias("highest"),
            pl.col("row").min().alias("first"),
        )
        .filter(pl.col("attempts") > 1)
        .sort(["folders", "attempts", "first"], descending=[True, True, False])
        .head(limit)
    )
    return found.collect()


_SHOWN = [pl.col(name).cast(pl.String) if name == "folder" else pl.col(name) for name in SHOWN]
