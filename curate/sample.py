"""A seeded, stratified sample: facts of the rows in, the rows that were not drawn out.

Which rows are drawn depends on their ids and the seed alone, never on their order; a larger sample of the same seed
holds the smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import xxhash

from curate.errors import UsageError
from curate.report import Cell

if TYPE_CHECKING:
    import polars as pl

STRATA = ("source", "env", "task_group", "tools", "calls", "outcome")
"""What rows can be told apart by."""
CALL_BINS = (0, 1, 2, 4, 8, 16, 32)
"""Upper ends of the bins of `calls`; one more bin holds what is above."""
SHOWN_STRATA = 50
"""Rows of the report's table; a set may have thousands of strata."""


@dataclass(frozen=True)
class SampleSettings:
    """How many rows stay, and how they are spread.

    Attributes:
        sample: rows to draw; all stay if there are fewer.
        sample_share: share of the rows to draw, above 0 and up to 1; instead of `sample`.
        sample_by: what makes a stratum, any of source, env, task_group, tools, calls, outcome; none: one stratum.
        sample_balance: the same number from each stratum, as far as it has so many; else in proportion to its size.
        sample_seed: chooses which rows are drawn.
    """

    sample: int | None = None
    sample_share: float | None = None
    sample_by: tuple[str, ...] = ("source",)
    sample_balance: bool = False
    sample_seed: int = 0

    def check(self) -> None:
        """Refuse what no sample can be.

        Raises:
            UsageError: for two sizes, a size out of range, or strata that are unknown or named twice.
        """
        if self.sample is not None and self.sample_share is not None:
            raise UsageError("give --sample or --sample-share, not both")
        if self.sample is not None and self.sample < 1:
            raise UsageError(f"--sample must be at least 1, not {self.sample}")
        if self.sample_share is not None and not 0 < self.sample_share <= 1:  # refuses NaN too
            raise UsageError(f"--sample-share must be above 0 and at most 1, not {self.sample_share}")
        unknown = [name for name in self.sample_by if name not in STRATA]
        if unknown:
            raise UsageError(f"--sample-by {unknown[0]}: no such stratum; known are {', '.join(STRATA)}")
        if len(set(self.sample_by)) < len(self.sample_by):
            raise UsageError(f"--sample-by names a stratum twice: {' '.join(self.sample_by)}")

    def size(self, available: int) -> int:
        """How many of the available rows are drawn."""
        if self.sample_share is not None:
            return int(self.sample_share * available + 0.5)
        return available if self.sample is None else min(self.sample, available)


def not_sampled(facts: pl.DataFrame, settings: SampleSettings) -> pl.DataFrame:
    """The rows that are not drawn.

    Within a stratum rows are drawn in the order of their lots. In proportion means that the k-th of a stratum's m
    rows has its turn at (k + u) / m, with k from 0 and u one chance in [0, 1) a stratum (systematic sampling). So a
    stratum gives its exact share, rounded up or down by chance: among thousands of strata of one row each some are
    drawn, as they should be. Largest remainders would take a row back now and then when the sample grows; this never
    does, so samples of one seed are nested.

    Args:
        facts: index i64, trajectory_id str, and the columns of the strata: source str, env_id str, task_group str,
            tools list[str] (distinct and sorted), calls u32, reward f32 or null.
        settings: how many, and from where.

    Returns:
        index i64, reason str (`not_sampled`), detail str, in the order of the index.
    """
    import polars as pl

    lots = lots_of(facts, "sample", settings.sample_seed)
    rows = (
        facts.select("index", "trajectory_id", *_strata(settings)).with_columns(lot=lots).sort("lot", "trajectory_id")
    )
    strata = rows.columns[2:-1]
    place, size = pl.int_range(pl.len()).over(strata), pl.len().over(strata)
    chance = (pl.col("lot") % 2**32).first().over(strata) / 2**32  # the low bits of the lowest lot are still chance
    turn = place if settings.sample_balance else (place + chance) / size
    rows = rows.with_columns(turn=turn, size=size).sort("turn", "lot", "trajectory_id")
    gone = rows[settings.size(facts.height) :]
    named = [pl.format(f"{name} {{}}", name) for name in settings.sample_by] or [pl.lit("all rows")]
    label = pl.concat_str(named, separator=", ").str.replace_all("\n", " + ", literal=True).str.slice(0, 160)
    detail = pl.format("not drawn from the {} of {}", "size", label)
    return gone.select("index", reason=pl.lit("not_sampled"), detail=detail).sort("index")


def sample_table(
    facts: pl.DataFrame, gone: pl.DataFrame, settings: SampleSettings
) -> tuple[list[str], list[list[Cell]]]:
    """What was drawn from each stratum, the largest first: headers and rows (stratum, available, taken).

    Args:
        facts: as given to `not_sampled`.
        gone: what it returned.
        settings: of the sample.
    """
    import polars as pl

    counts = (
        facts.with_columns(taken=~pl.col("index").is_in(gone["index"].implode()))
        .group_by(_strata(settings))
        .agg(available=pl.len(), taken=pl.sum("taken"))
    )
    names = counts.columns[:-2]
    counts = counts.sort(pl.col("available"), *names, descending=[True] + [False] * len(names))
    counts = counts.with_columns(pl.col(names).str.replace_all("\n", " + ", literal=True))
    rows: list[list[Cell]] = list(map(list, counts[:SHOWN_STRATA].rows()))
    rest = counts[SHOWN_STRATA:]
    if rest.height:
        more: list[Cell] = [f"{rest.height:,} more", *[""] * (len(names) - 1)]
        rows.append([*more, int(rest["available"].sum()), int(rest["taken"].sum())])
    return [*names, "available", "taken"], rows


def lots_of(facts: pl.DataFrame, purpose: str, seed: int) -> pl.Series:
    """The lot of each row: a hash of (purpose, seed, trajectory_id), u64; the lowest are drawn first.

    Each step draws for a purpose of its own: with the same lots, what one step left would be drawn first by the next.
    """
    import polars as pl

    start, digest = f"{purpose}:{seed}:", xxhash.xxh3_64_intdigest
    return pl.Series([digest((start + name).encode()) for name in facts["trajectory_id"]], dtype=pl.UInt64)


def _strata(settings: SampleSettings) -> list[pl.Expr]:
    """One text column each, named as in the flag; one column for all rows where no stratum is named."""
    import polars as pl

    return [_stratum(name) for name in settings.sample_by] or [pl.lit("all rows").alias("stratum")]


def _stratum(name: str) -> pl.Expr:
    """The column that tells strata apart, named as its flag and readable in a report."""
    import polars as pl

    if name == "tools":
        return tools_text().alias("tools")
    if name == "calls":
        starts = (0, *(end + 1 for end in CALL_BINS))
        bins = [
            pl.when(pl.col("calls") <= end).then(pl.lit(str(end) if start == end else f"{start}-{end}"))
            for start, end in zip(starts, CALL_BINS, strict=False)
        ]
        return pl.coalesce(*bins, pl.lit(f"over {CALL_BINS[-1]}")).alias("calls")
    if name == "outcome":
        reward = pl.col("reward").fill_nan(None)
        return (
            pl.when(reward.is_null())
            .then(pl.lit("no reward"))
            .when(reward <= 0)
            .then(pl.lit("0 or less"))
            .when(reward < 1)
            .then(pl.lit("between 0 and 1"))
            .otherwise(pl.lit("1 or more"))
            .alias("outcome")
        )
    return pl.col("env_id").alias("env") if name == "env" else pl.col(name)


def tools_text() -> pl.Expr:
    """The tool combination of a row as one text; a line feed parts the names, so that `a, b` is not `a` and `b`."""
    import polars as pl

    joined = pl.col("tools").list.join("\n")
    return pl.when(pl.col("tools").list.len() == 0).then(pl.lit("no tool")).otherwise(joined)


__all__: Sequence[str] = ("SampleSettings", "not_sampled", "sample_table")
