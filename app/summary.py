"""What the traces that fit have in common, counted by Polars: the numbers and bars above the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from app.browsing import Found
from curate.palette import TIER_COLORS

BINS = 12
TOP = 7
_COLUMNS = ("table", "reward", "turns", "tools", "worst_tier", "reject_step", "reject_reason")


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
    """How many traces a step rejected for a reason, the TOP most frequent."""


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


def histogram(values: pl.Series, bins: int = BINS) -> dict[str, int]:
    """How many values lie in each of some equal bins, named by their limits; few distinct ones stand for themselves."""
    counts = values.value_counts(name="count").sort(values.name)
    if counts.height <= bins and (counts.height < 3 or not values.dtype.is_integer()):
        named = counts.select(pl.col(values.name).map_elements(lambda value: f"{value:.3g}", pl.String), "count")
        return dict(named.group_by(values.name, maintain_order=True).agg(pl.col("count").sum()).rows())
    low, high = float(counts[values.name][0]), float(counts[values.name][-1])
    width = (high - low) / bins
    if values.dtype.is_integer():
        width = max(1.0, -(-(high - low + 1) // bins))
    place = ((pl.col(values.name).cast(pl.Float64) - low) / width).floor().clip(0, bins - 1).cast(pl.Int64)
    filled = dict(counts.group_by(place.alias("bin")).agg(pl.col("count").sum()).rows())
    whole = values.dtype.is_integer()
    return {_bin_name(low + place * width, width, whole): filled.get(place, 0) for place in range(max(filled) + 1)}


def top(values: pl.Series, most: int = TOP) -> dict[str, int]:
    """The most frequent values and how often they are there; nulls are not counted."""
    counts = values.drop_nulls().value_counts(name="count")
    return dict(counts.sort(["count", values.name], descending=[True, False]).head(most).rows())


def _tiers(values: pl.Series) -> dict[str, int]:
    counted = dict(values.drop_nulls().value_counts(name="count").rows())
    return {tier: counted[tier] for tier in TIER_COLORS if tier in counted}


def _reasons(rows: pl.DataFrame) -> pl.Series:
    rejected = rows.filter(pl.col("table") == "rejects")
    return rejected.select(reason=pl.col("reject_step").cast(pl.String) + ": " + pl.col("reject_reason"))["reason"]


def _bin_name(low: float, width: float, whole: bool) -> str:
    if not whole:
        return f"{low:.3g} to {low + width:.3g}"
    return f"{low:.0f}" if width == 1 else f"{low:.0f} to {low + width - 1:.0f}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
