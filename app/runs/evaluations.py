"""Evaluations and comparisons of models: what was done by kind of task, how episodes ended, what answered calls."""

from __future__ import annotations

import polars as pl

from cachebuild.answer import TIERS

EPISODES = ("task_id", "kind", "status", "success", "all_calls_met", "process_accuracy", "calls", "malformed_calls")
"""Columns of table `episodes` that are read, and `TIER_COLUMNS`."""
TIER_COLUMNS = tuple(f"tier_{tier}" for tier in TIERS)
DIFFERENCES = ("figure", "kind", "thinking", "tasks")
SHOWN = ("before", "after", "difference")


def done(episodes: pl.DataFrame) -> pl.Expr:
    """Whether a task was done: its end state where there is one, else all expected calls."""
    return pl.col("success") if episodes["success"].null_count() < episodes.height else pl.col("all_calls_met")


def by_kind(episodes: pl.DataFrame) -> pl.DataFrame:
    """kind, tasks, episodes, done (share), process (mean process accuracy), calls (mean); all first."""
    figures = [
        pl.col("task_id").n_unique().alias("tasks"),
        pl.len().alias("episodes"),
        done(episodes).cast(pl.Float64).mean().alias("done"),
        pl.col("process_accuracy").mean().alias("process"),
        pl.col("calls").mean().alias("calls"),
    ]
    every = episodes.select(pl.lit("all").alias("kind"), *figures)
    return pl.concat([every, episodes.group_by("kind").agg(figures).sort("kind")], how="vertical_relaxed")


def endings(episodes: pl.DataFrame) -> pl.DataFrame:
    """ending, episodes, share; commonest first."""
    found = episodes.group_by(pl.col("status").alias("ending")).agg(pl.len().alias("episodes"))
    share = (pl.col("episodes") / max(episodes.height, 1)).alias("share")
    return found.with_columns(share).sort(["episodes", "ending"], descending=[True, False])


def tiers(episodes: pl.DataFrame) -> pl.DataFrame:
    """tier, calls: what answered the calls, best first."""
    sums = episodes.select(pl.col(name).sum() for name in TIER_COLUMNS).row(0)
    found = pl.DataFrame({"tier": list(TIERS), "calls": list(sums)}, schema_overrides={"calls": pl.Int64})
    return found.filter(pl.col("calls") > 0)


def sides(differences: pl.DataFrame) -> pl.DataFrame:
    """figure, side (before, after), value, low, high: of table `differences`, over all tasks and by kind."""
    named = pl.when(pl.col("kind") == "all").then(pl.col("figure")).otherwise(pl.format("{}, {}", "figure", "kind"))
    found = [
        differences.select(
            named.alias("figure"),
            pl.lit(name).alias("side"),
            pl.col(name).alias("value"),
            pl.col(f"{name}_low").alias("low"),
            pl.col(f"{name}_high").alias("high"),
        )
        for name in ("before", "after")
    ]
    return pl.concat(found)
