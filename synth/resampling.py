"""Intervals from resampled items (the percentile bootstrap, Efron 1979): all resamples at once, as weights of items.

A resample of N items is a row of N counts; a statistic takes such rows, shape (B, N), and gives B values, NaN where
it is undefined on a resample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Weights: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Weights], NDArray[np.float64]]
_CELLS = 4_000_000
"""Weights held at a time."""
_LEAST_DEFINED = 0.5
"""Share of the resamples on which a statistic must be defined for an interval to say anything."""


@dataclass(frozen=True)
class Resampling:
    """How often items are drawn again.

    Attributes:
        resamples: how often.
        seed: of the draws.
        level: share of the values that the interval holds.
    """

    resamples: int = 1000
    seed: int = 0
    level: float = 0.95

    def of(self, items: int, statistic: Statistic) -> tuple[float, float] | str:
        """The interval of a statistic, or why there is none.

        Args:
            items: how many there are.
            statistic: from weights of shape (B, items) to B values.
        """
        if items < 2:
            return "one item"
        values = np.concatenate([statistic(weights) for weights in self._weights(items)])
        defined = values[~np.isnan(values)]
        if len(defined) < _LEAST_DEFINED * len(values):
            return "too few items"
        tail = (1 - self.level) / 2
        low, high = np.quantile(defined, [tail, 1 - tail])
        return float(low), float(high)

    def _weights(self, items: int) -> Iterator[Weights]:
        draw = np.random.default_rng(self.seed)
        left = self.resamples
        while left:
            some = max(1, min(left, _CELLS // items))
            drawn = draw.integers(0, items, (some, items)) + items * np.arange(some)[:, None]
            yield np.bincount(drawn.ravel(), minlength=some * items).reshape(some, items).astype(np.float64)
            left -= some


def shares(weights: Weights, of_items: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of a value of each item."""
    means: NDArray[np.float64] = _ratio(weights @ of_items, weights.sum(1))
    return means


def kappas(weights: Weights, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Fleiss' kappa; counts of shape (items, categories), as many labels in every row."""
    labels = counts[0].sum()
    agreeing = (counts * (counts - 1)).sum(1) / (labels * (labels - 1))
    total = weights.sum(1)
    observed = weights @ agreeing / total
    by_chance = ((weights @ counts / (total * labels)[:, None]) ** 2).sum(1)
    return _ratio(observed - by_chance, 1 - by_chance)


def two_rater_kappas(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cohen's kappa of tables of shape (B, categories, categories)."""
    total = tables.sum((1, 2))
    observed = np.trace(tables, axis1=1, axis2=2) / total
    by_chance = (tables.sum(1) * tables.sum(2)).sum(1) / total**2
    return _ratio(observed - by_chance, 1 - by_chance)


def alphas(weights: Weights, counts: NDArray[np.int64], values: NDArray[np.float64], level: str) -> NDArray[np.float64]:
    """Krippendorff's alpha; counts of shape (items, categories), two labels at least in every row."""
    size = counts.shape[1]
    together = (weights @ coincidence_rows(counts)).reshape(-1, size, size)
    of_value = together.sum(2)
    by_chance = of_value[:, :, None] * of_value[:, None, :] - of_value[:, :, None] * np.eye(size)
    apart = _distances(of_value, values, level)
    observed = (together * apart).sum((1, 2))
    expected = (by_chance * apart).sum((1, 2)) / (of_value.sum(1) - 1)
    return 1 - _ratio(observed, expected)


def coincidence_rows(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each item adds to the coincidence matrix: shape (items, categories * categories)."""
    size = counts.shape[1]
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(size, dtype=np.int64)
    rows: NDArray[np.float64] = pairs / (counts.sum(1) - 1)[:, None, None]
    return rows.reshape(len(counts), size * size)


def _distances(of_value: NDArray[np.float64], values: NDArray[np.float64], level: str) -> NDArray[np.float64]:
    """How far values are apart: shape (B or 1, categories, categories); ranks depend on how often each is used."""
    if level == "nominal":
        nominal: NDArray[np.float64] = (values[:, None] != values[None, :]).astype(np.float64)[None]
        return nominal
    if level == "interval":
        interval: NDArray[np.float64] = ((values[:, None] - values[None, :]) ** 2)[None]
        return interval
    rank = np.cumsum(of_value, axis=1) - of_value / 2  # the mean rank of a value; the gap of two is what lies between
    ordinal: NDArray[np.float64] = (rank[:, :, None] - rank[:, None, :]) ** 2
    return ordinal


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where the divisor is 0, up to rounding."""
    there = np.abs(below) > 1e-12
    out = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=out, where=there)
    return out
