"""From similarity to p: the expected fidelity of a result whose call differs in one field, fitted to recorded pairs.

Pairs are kept as sums on a grid of similarities; a fit is eleven numbers that never fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

STEPS = 10
GRID = tuple(step / STEPS for step in range(STEPS + 1))
"""Similarities at which pairs are counted and p is kept; between them p is interpolated."""

Curve: TypeAlias = tuple[float, ...]
"""p at every similarity of the grid."""


@dataclass
class PairSums:
    """Pairs of calls that differ in one field: how many and their summed fidelity, at each similarity of the grid.

    A pair between two points of the grid counts for both by its distance (linear binning).
    """

    pairs: list[float] = field(default_factory=lambda: [0.0] * len(GRID))
    fidelity: list[float] = field(default_factory=lambda: [0.0] * len(GRID))

    def add(self, similarity: float, fidelity: float) -> None:
        """Count one pair."""
        at, rest = _place(similarity)
        self.pairs[at] += 1 - rest
        self.fidelity[at] += (1 - rest) * fidelity
        if rest:
            self.pairs[at + 1] += rest
            self.fidelity[at + 1] += rest * fidelity


def fit(sums: PairSums, prior: Sequence[float], weight: float) -> Curve:
    """Isotonic regression of fidelity on similarity, each of its blocks drawn to the prior by `weight` pseudo-pairs.

    Pool-adjacent-violators (Barlow et al., "Statistical inference under order restrictions", 1972) on the points that
    have pairs; a point without pairs has the prior. What is known of a similarity holds at least for all above it.
    """
    curve = list(prior)
    for points, pairs, total in _blocks(sums):
        for point in points:
            curve[point] = (total + weight * prior[point]) / (pairs + weight)
    for point in range(1, len(curve)):
        curve[point] = max(curve[point], curve[point - 1])
    return tuple(curve)


def _blocks(sums: PairSums) -> list[tuple[list[int], float, float]]:
    """(points, pairs, summed fidelity) of each block; means rise from block to block."""
    blocks: list[tuple[list[int], float, float]] = []
    for point, (pairs, total) in enumerate(zip(sums.pairs, sums.fidelity, strict=True)):
        if not pairs:
            continue
        block = ([point], pairs, total)
        while blocks and blocks[-1][2] / blocks[-1][1] >= block[2] / block[1]:
            points, more, before = blocks.pop()
            block = (points + block[0], more + block[1], before + block[2])
        blocks.append(block)
    return blocks


def p_at(curve: Curve, similarity: float) -> float:
    """What p is at a similarity between 0 and 1."""
    at, rest = _place(similarity)
    return curve[at] + rest * (curve[at + 1] - curve[at]) if rest else curve[at]


def least_similarity(curve: Curve, p: float) -> float:
    """The least similarity at which the curve reaches p; above 1 if it never does."""
    if curve[0] >= p:
        return 0.0
    for at in range(STEPS):
        low, high = curve[at], curve[at + 1]
        if high >= p:
            return (at + (p - low) / (high - low)) / STEPS
    return 2.0


def _place(similarity: float) -> tuple[int, float]:
    """The point of the grid at or below, and how far behind it, in steps."""
    scaled = similarity * STEPS
    at = min(int(scaled), STEPS)
    return at, scaled - at
