"""Exact duplicates: the same dialogue recorded twice, whatever its call ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from curate.canonical import hash128
from curate.trajectory import Trajectory

if TYPE_CHECKING:
    import polars as pl


def exact_key(row: Trajectory) -> str:
    """Equal for two rows exactly if they say and call the same in the same world, ids of calls aside."""
    said = [
        (
            message["role"],
            message["content"],
            message["content_json"],
            message["reasoning_content"],
            [(call["name"], call["arguments"]) for call in message["tool_calls"]],
        )
        for message in row["messages"]
    ]
    return hash128(orjson.dumps((row["env_id"], row["initial_state_id"], said)))


def exact_duplicates(rows: pl.DataFrame) -> pl.DataFrame:
    """Which rows go, and for the sake of which one.

    Args:
        rows: columns `index`, `trajectory_id`, `exact_key` and `reward` (null where there is none).

    Returns:
        Columns `index` and `kept` (a trajectory_id): the row with the best reward is kept, then the first.
    """
    import polars as pl

    best_first = rows.sort("reward", "index", descending=[True, False], nulls_last=True)
    first = pl.col("index", "trajectory_id").first().over("exact_key").name.prefix("first_")
    repeated = best_first.with_columns(first).filter(pl.col("index") != pl.col("first_index"))
    return repeated.select("index", kept="first_trajectory_id").sort("index")
