"""How far a judge's scores agree with people's verdicts: kappa at a threshold, AUC, and a table of calibration."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.agreement import USUAL, Figure, undefined, with_interval
from synth.judging.base import MOST_POINTS
from synth.resampling import Resampling, Weights, two_rater_kappas

Z = 1.959964
"""Of a 95 % interval."""


@dataclass(frozen=True)
class Bin:
    """The answers whose scores lie between two bounds.

    Attributes:
        low: the lower bound, which belongs to it.
        high: the upper bound, which does not, but for 1.
        items: how many.
        score: their mean score; None without any.
        good: the share that people call good, with Wilson's interval (1927).
    """

    low: float
    high: float
    items: int
    score: float | None
    good: Figure


@dataclass(frozen=True)
class JudgeFigures:
    """A judge beside people.

    Attributes:
        items: answers with a score and a verdict.
        threshold: from which score on the judge is taken to say good.
        kappa: Cohen's, of the judge at the threshold and people.
        auc: the chance that a good answer has a higher score than a bad one; .5 says nothing.
        confusion: rows people (good, bad), columns judge (good, bad).
        bins: by score.
        error: expected calibration error: how far score and share of good lie apart, by items.
    """

    items: int
    threshold: float
    kappa: Figure
    auc: Figure
    confusion: NDArray[np.int64]
    bins: tuple[Bin, ...]
    error: float | None


def judge_figures(
    scores: Sequence[float],
    good: Sequence[bool],
    threshold: float = 0.5,
    again: Resampling = USUAL,
) -> JudgeFigures:
    """Compare scores with verdicts.

    Args:
        scores: 0 to 1.
        good: what people say, item by item.
        threshold: from which score on the judge says good.
        again: how items are resampled for the intervals.
    """
    given, people = np.asarray(scores, np.float64), np.asarray(good, np.bool_)
    says = given >= threshold - 1e-9
    cell = 2 * (~people).astype(np.int64) + (~says).astype(np.int64)
    table = np.bincount(cell, minlength=4).reshape(2, 2)
    bins = _bins(given, people)
    return JudgeFigures(
        len(given), threshold, _kappa(cell, table, again), _auc(given, people, again), table, bins, _error(bins)
    )


def judge_score(metadata: str | None) -> tuple[str, float] | None:
    """Who scored a rollout's answer, and how, 0 to 1; None where nobody did.

    Args:
        metadata: of a trajectory, JSON text: `reward.answer` is the score and `judge.name` the judge; a judge's own
            `judge.score` goes before, and is in points of 5 where it is above 1.
    """
    try:
        told: Any = json.loads(metadata or "{}")
    except ValueError:
        return None
    judge = _mapping(told).get("judge")
    said = _mapping(judge)
    if not said:
        return None
    name = said.get("name") if isinstance(said.get("name"), str) else "judge"
    for score in (said.get("score"), _mapping(_mapping(told).get("reward")).get("answer")):
        if isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= MOST_POINTS:
            return str(name), float(score / MOST_POINTS if score > 1 else score)
    return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def wilson(hits: int, items: int) -> Figure:
    """A share with its interval after Wilson (1927)."""
    if not items:
        return undefined("no items")
    share = hits / items
    middle = (share + Z**2 / (2 * items)) / (1 + Z**2 / items)
    half = Z / (1 + Z**2 / items) * math.sqrt(share * (1 - share) / items + Z**2 / (4 * items**2))
    return Figure(share, max(0.0, middle - half), min(1.0, middle + half), items)


def _kappa(cell: NDArray[np.int64], table: NDArray[np.int64], again: Resampling) -> Figure:
    if not len(cell):
        return undefined("no answer with a score and a verdict")
    value = float(two_rater_kappas(table[None].astype(np.float64))[0])
    if math.isnan(value):
        return undefined("people and judge say the same one thing of all answers", len(cell))
    which = (cell[:, None] == np.arange(4)).astype(np.float64)
    return with_interval(value, len(cell), again, lambda w: two_rater_kappas((w @ which).reshape(-1, 2, 2)))


def _auc(scores: NDArray[np.float64], good: NDArray[np.bool_], again: Resampling) -> Figure:
    """The area under the ROC curve, as the Mann-Whitney statistic; ties count half."""
    if not len(scores):
        return undefined("no answer with a score and a verdict")
    if good.all() or not good.any():
        return undefined(f"people call all answers {'good' if good.all() else 'bad'}", len(scores))
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-1.0))
    hits = good[order].astype(np.float64)

    def aucs(weights: Weights) -> NDArray[np.float64]:
        ours = weights[:, order]
        above = np.add.reduceat(ours * hits, starts, axis=1)
        below = np.add.reduceat(ours * (1 - hits), starts, axis=1)
        won = (above * (np.cumsum(below, axis=1) - below / 2)).sum(1)
        pairs = above.sum(1) * below.sum(1)
        out = np.full(len(weights), np.nan)
        np.divide(won, pairs, out=out, where=pairs > 0)
        return out

    value = float(aucs(np.ones((1, len(scores))))[0])
    return with_interval(value, len(scores), again, aucs)


def _bins(scores: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """One bin a point of the rubric: the scores that lie nearest to it."""
    places = np.floor(scores * MOST_POINTS + 0.5 + 1e-9).astype(np.int64)
    found = []
    for point in range(MOST_POINTS + 1):
        held = places == point
        items = int(held.sum())
        mean = float(scores[held].mean()) if items else None
        low, high = max(0.0, (point - 0.5) / MOST_POINTS), min(1.0, (point + 0.5) / MOST_POINTS)
        found.append(Bin(low, high, items, mean, wilson(int(good[held].sum()), items)))
    return tuple(found)


def _error(bins: Sequence[Bin]) -> float | None:
    total = sum(each.items for each in bins)
    if not total:
        return None
    return sum(each.items * abs((each.score or 0.0) - (each.good.value or 0.0)) for each in bins) / total
