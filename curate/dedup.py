"""Duplicates: the settings, and exact ones, the same dialogue recorded twice whatever its call ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from curate.canonical import hash128
from curate.dedup_text import View
from curate.errors import UsageError
from curate.neardup_settings import NearDupSettings
from curate.trajectory import Trajectory

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class DedupSettings:
    """Which rows are the same as another.

    Attributes:
        near: remove near-duplicates too; exact ones always go.
        near_threshold: Jaccard of 5-word shingles from which a row is a near-duplicate of a better one; above 0, up
            to 1.
        near_view: what is compared: the whole dialogue, the calls only, or the user side.
        permutations: values of a signature; more find pairs at the threshold more surely and take longer.
        against: curated folders whose rows are not to come again, e.g. published sets.
    """

    near: bool = True
    near_threshold: float = 0.8
    near_view: View = "whole"
    permutations: int = 90
    against: tuple[Path, ...] = ()

    @property
    def search(self) -> NearDupSettings:
        """What the search for near-duplicates is told."""
        return NearDupSettings(self.near_threshold, self.near_view, self.permutations)

    def check(self) -> None:
        """Refuse values that cannot be right.

        Raises:
            UsageError: naming the setting.
        """
        self.search.check()
        if self.against and not self.near:
            raise UsageError("--against compares signatures of near-duplicates; leave --no-near out")


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
