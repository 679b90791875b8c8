"""What a new queue holds: the trajectories of a filter or their turns, each with how uncertain its evidence is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl

from app.browsing import key_of
from app.labels.events import Target
from app.labels.queues import Mode, Unit
from app.library import Library
from curate.trajectory import Trajectory

Progress = Callable[[float], None]


def targets_of(
    library: Library,
    rows: pl.Series,
    *,
    mode: Mode,
    unit: Unit,
    most: int,
    seed: int,
    progress: Progress | None = None,
) -> list[tuple[Target, float]]:
    """The targets of a queue with their scores.

    Args:
        library: what is open.
        rows: numbers of index rows, in the order of the filter; what has no id or content is left out.
        mode: of the queue. `assigned` takes the first rows, `uncertain` the most uncertain, the others draw by seed.
        unit: whole trajectories, or all their assistant turns.
        most: trajectories at most.
        seed: of the draw.
        progress: told the share of the trajectories that have been read; whole ones are not read.
    """
    found = library.frame[rows].filter(pl.col("trajectory_id").is_not_null(), pl.col("content_hash").is_not_null())
    found = found.unique(["trajectory_id", "content_hash"], keep="first", maintain_order=True)
    found = _chosen(found.with_columns(uncertainty().alias("score")), mode, most, seed)
    if unit == "trajectory":
        columns = found.select("trajectory_id", "content_hash", pl.col("folder").cast(pl.String), "score")
        return [(Target(name, content, None, folder), score) for name, content, folder, score in columns.iter_rows()]
    return list(_turns(library, found["row"].to_list(), progress))


def uncertainty() -> pl.Expr:
    """How little is known of a trajectory, from 0 to 1: how far its least sure answer is from certainty, either way.

    Where no cache answered, the reward tells: one between 0 and 1 is less sure than either.
    """
    known = pl.coalesce("min_p", "reward").cast(pl.Float64)
    return (1 - (2 * known - 1).abs()).clip(0, 1).fill_null(0).fill_nan(0)


def _chosen(found: pl.DataFrame, mode: Mode, most: int, seed: int) -> pl.DataFrame:
    if mode == "assigned" or found.height <= most:
        return found.head(most)
    if mode == "uncertain":
        return found.sort("score", descending=True, maintain_order=True).head(most)
    drawn = np.random.default_rng(seed).choice(found.height, most, replace=False)
    return found[np.sort(drawn)]


def _turns(library: Library, rows: Sequence[int], progress: Progress | None) -> Iterator[tuple[Target, float]]:
    for number, row in enumerate(rows):
        trace = library.trace(key_of(library.frame.row(row, named=True)))
        if trace is None:
            continue
        body = trace.row
        for index, message in enumerate(body["messages"] or []):
            if message["role"] == "assistant":
                target = Target(body["trajectory_id"], body["content_hash"], index, trace.key.folder)
                yield target, _turn_uncertainty(body, index)
        if progress is not None:
            progress((number + 1) / len(rows))


def _turn_uncertainty(body: Trajectory, index: int) -> float:
    known = [step["p"] for step in body["evidence"] or [] if step["message_index"] == index and step["p"] is not None]
    return max((1 - abs(2 * p - 1) for p in known), default=0.0)
