"""What the traces that fit have in common, counted by Polars: the numbers and bars above the table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from app.browsing import Found
from app.filters import Range
from curate.palette import TIER_COLORS

BINS = 12
TOP = 7
_COLUMNS = ("table", "reward", "turns", "tools", "worst_tier", "reject_reason")


@dataclass(frozen=True)
class Summary:
    """Counts of what fits; each mapping is drawn as bars, in its order."""

    total: int
    rejected: int
    mean_reward: float | None
    median_turns: float | None
    rewards: Mapping[str, int]
    turns: Mapping[str, int]
    tools: Mapping[str, int]
    """How many traces call a tool, the TOP most frequent."""
    tiers: Mapping[str, int]
    """How many traces have a tier as their worst, exact first."""
    reasons: Mapping[str, int]
    """How many traces were rejected for a reason, the TOP most frequent."""


def summary(found: Found) -> Summary:
    """Count what fits."""
    rows = found.columns(*_COLUMNS)
    rewards, turns = rows["reward"].drop_nulls().drop_nans(), rows["turns"].drop_nulls()
    return Summary(
        total=rows.height,
        rejected=int((rows["table"] == "rejects").sum()),
        mean_reward=_number(rewards.mean()),
        median_turns=_number(turns.median()),
        rewards=histogram(rewards),
        turns=histogram(turns),
        tools=top(rows["tools"].explode()),
        tiers=_tiers(rows["worst_tier"]),
        reasons=top(_reasons(rows)),
    )


def histogram(values: pl.Series, most: int = BINS) -> dict[str, int]:
    """How many values lie in each of some equal bins, named by their limits; a few values stand for themselves."""
    counts = values.value_counts(name="count").sort(values.name)
    whole = values.dtype.is_integer()
    if counts.height <= (2 if whole else most):
        return {_value_name(value, values.dtype): count for value, count in counts.rows()}
    low, high = float(counts[values.name][0]), float(counts[values.name][-1])
    width = _round_width((high - low) / most, whole)
    first = math.floor(low / width)
    # What lies on the upper limit belongs to the last bin, as a reward of 1 belongs to 0.9 to 1.
    last = max(math.floor(high / width) if whole else math.ceil(high / width) - 1, first)
    place = (pl.col(values.name).cast(pl.Float64) / width).floor().clip(first, last).cast(pl.Int64)
    filled = dict(counts.group_by(place.alias("bin")).agg(pl.col("count").sum()).rows())
    return {_bin_name(place, width, whole): filled.get(place, 0) for place in range(first, last + 1)}


def top(values: pl.Series, most: int = TOP) -> dict[str, int]:
    """The most frequent values and how often they are there; nulls are not counted."""
    counts = values.drop_nulls().value_counts(name="count")
    return dict(counts.sort(["count", values.name], descending=[True, False]).head(most).rows())


def _tiers(values: pl.Series) -> dict[str, int]:
    counted = dict(values.drop_nulls().value_counts(name="count").rows())
    return {tier: counted[tier] for tier in TIER_COLORS if tier in counted}


def _reasons(rows: pl.DataFrame) -> pl.Series:
    rejected = rows.filter(pl.col("table") == "rejects")
    return rejected.select(reason=pl.col("reject_reason").cast(pl.String))["reason"]


def _round_width(least: float, whole: bool) -> float:
    """The smallest of 1, 2, 5, 10, 20 ..., or of their tenths, that is not below."""
    power = 10.0 ** math.floor(math.log10(least))
    width = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
    return max(1.0, width) if whole else width


def bin_limits(name: str) -> Range:
    """The limits of a bin of `histogram`, by its name."""
    low, _, high = name.partition(" to ")
    return Range(float(low), float(high or low))


def _value_name(value: float, dtype: pl.DataType) -> str:
    """Three digits where they say all, else as many as tell it from its neighbours."""
    short = f"{value:.3g}"
    exact = pl.Series([float(short)], dtype=pl.Float64).cast(dtype)[0] == value
    return short if exact else str(pl.Series([value], dtype=dtype).cast(pl.String)[0])


def _bin_name(place: int, width: float, whole: bool) -> str:
    low = place * width
    if not whole:
        return f"{low:.6g} to {low + width:.6g}"
    return f"{low:.0f}" if width == 1 else f"{low:.0f} to {low + width - 1:.0f}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
