"""An audit of a cache: hits and right answers by tier, whether p is honest, simpler caches; from its tables."""

from __future__ import annotations

from typing import Any

import polars as pl

from cachebuild.answer import TIERS
from cachebuild.measures import BINS

HITS = ("exact", "normalised", "fuzzy")
"""Tiers that stand for the live tool."""


def by_tier(calls: pl.DataFrame) -> pl.DataFrame:
    """tier, calls, share, right (share of them exactly right), fidelity, p (mean), best tier first.

    Args:
        calls: rows of table `audit`.
    """
    found = calls.group_by("tier").agg(
        pl.len().alias("calls"),
        (pl.len() / max(calls.height, 1)).alias("share"),
        pl.col("right").mean().alias("right"),
        pl.col("fidelity").mean().alias("fidelity"),
        pl.col("p").mean().alias("p"),
    )
    order = pl.DataFrame({"tier": list(TIERS), "order": range(len(TIERS))})
    return found.join(order, on="tier", how="inner").sort("order").drop("order")


def by_tool(calls: pl.DataFrame, *, limit: int = 40) -> pl.DataFrame:
    """env_id, tool, tier, calls, share (of the tool's calls), right; tools with most calls first.

    Args:
        calls: rows of table `audit`.
        limit: tools, at most.
    """
    totals = calls.group_by("env_id", "tool").agg(pl.len().alias("total"))
    most = totals.sort(["total", "env_id", "tool"], descending=[True, False, False]).head(limit).with_row_index("place")
    counted = calls.group_by("env_id", "tool", "tier").agg(pl.len().alias("calls"), pl.col("right").mean())
    order = pl.DataFrame({"tier": list(TIERS), "order": list(range(len(TIERS)))})
    found = counted.join(most, on=["env_id", "tool"]).join(order, on="tier").sort("place", "order")
    share = (pl.col("calls") / pl.col("total")).alias("share")
    return found.with_columns(share).select("env_id", "tool", "tier", "order", "calls", "share", "right", "total")


def calibration(calls: pl.DataFrame) -> pl.DataFrame:
    """Ten equally wide bins of p: low, answers, p (mean), right, fidelity; unavailable answers promise nothing.

    Args:
        calls: rows of table `audit`.
    """
    answered = calls.filter(pl.col("tier") != "unavailable")
    at = (pl.col("p") * BINS).floor().clip(0, BINS - 1).cast(pl.Int32).alias("bin")
    found = answered.group_by(at).agg(
        pl.len().alias("answers"), pl.col("p").mean(), pl.col("right").mean(), pl.col("fidelity").mean()
    )
    return found.sort("bin").with_columns((pl.col("bin") / BINS).alias("low")).drop("bin")


def ece(bins: pl.DataFrame, of: str = "right") -> float | None:
    """Expected calibration error (Naeini et al. 2015) from the bins of `calibration`; None without an answer."""
    if bins.is_empty():
        return None
    gap = (pl.col("answers") * (pl.col("p") - pl.col(of)).abs()).sum() / pl.col("answers").sum()
    return float(bins.select(gap).item())


def served(calls: pl.DataFrame) -> dict[str, float | None]:
    """Shares over the calls of tools that are not volatile: served, right when served, wrong exact hits."""
    steady = calls.filter(~pl.col("volatile")) if "volatile" in calls.columns else calls
    given, exact = steady.filter(pl.col("tier").is_in(HITS)), steady.filter(pl.col("tier") == "exact")
    return {
        "served (exact, normalised, fuzzy)": given.height / steady.height if steady.height else None,
        "exactly right when served": _share(given, "right"),
        "mean fidelity when served": _share(given, "fidelity"),
        "wrong exact hits": None if not exact.height else 1 - (_share(exact, "right") or 0.0),
    }


def _share(rows: pl.DataFrame, name: str) -> float | None:
    found: Any = rows[name].mean()
    return None if found is None else float(found)


def ablations(rows: pl.DataFrame) -> pl.DataFrame:
    """cache, served, right (when served), fidelity (when served), lost, avoided; shares of 1.

    Args:
        rows: of table `ablations`.
    """
    per = {"served": "calls", "right": "served", "fidelity": "served", "lost": "calls", "avoided": "calls"}
    shares = [pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole)).alias(part) for part, whole in per.items()]
    return rows.select(pl.col("answerer").alias("cache"), *shares)
