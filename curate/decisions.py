"""Which rows go, and why: the frame of all rows, on which each step marks what it turns away, and the funnel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

STEPS = ("read", "filter", "decontaminate", "dedup", "labels", "cap", "sample")
"""In the order of the pipeline."""


class Decisions:
    """The rows of a run and their fates.

    Args:
        frame: one row a record, in order; `reject_step`, `reject_reason` and `reject_detail` are null for those that
            are left.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def left(self) -> pl.DataFrame:
        """The rows that no step has turned away."""
        return self.frame.filter(pl.col("reject_step").is_null())

    def reject(self, step: str, reason: str, rows: pl.DataFrame) -> None:
        """Turn rows away for one reason.

        Args:
            step: of `STEPS`.
            reason: short code for the funnel.
            rows: columns `index` and `detail`.
        """
        self.reject_each(step, rows.with_columns(reason=pl.lit(reason)))

    def reject_each(self, step: str, rows: pl.DataFrame) -> None:
        """Turn rows away, each for its reason: columns `index`, `reason` and `detail`."""
        columns = {"reject_step": pl.lit(step), "reject_reason": pl.col("reason"), "reject_detail": pl.col("detail")}
        self._mark(rows.select("index", **columns))

    def reject_rows(self, rows: Iterable[dict[str, Any]]) -> None:
        """Turn rows away, each for its reason: dicts of `index` and the three reject columns."""
        schema = {"index": pl.Int64, "reject_step": pl.String, "reject_reason": pl.String, "reject_detail": pl.String}
        self._mark(pl.DataFrame(list(rows), schema=schema))

    def _mark(self, rows: pl.DataFrame) -> None:
        if rows.height:
            self.frame = self.frame.update(rows, on="index", maintain_order="left")


def funnel(frame: pl.DataFrame, reasons: Iterable[str]) -> list[tuple[str, str, int, int]]:
    """What each step turned away.

    Args:
        frame: of `Decisions`.
        reasons: of the filters, in their order.

    Returns:
        (step, reason, turned away, left) in the order of the pipeline; what turned nothing away is left out.
    """
    order = {reason: place for place, reason in enumerate(reasons)}
    counts = frame.drop_nulls("reject_step").group_by("reject_step", "reject_reason").len().rows()
    steps, left = [], frame.height
    for step, reason, count in sorted(counts, key=lambda row: (STEPS.index(row[0]), order.get(row[1], 0), row[1])):
        left -= count
        steps.append((step, reason, count, left))
    return steps
