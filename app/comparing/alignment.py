"""Two trajectories aligned by turn: the same user turns and calls meet first, what is alike between them next.

Between two steps that are the same, the rest is aligned as by Needleman and Wunsch (J. Mol. Biol. 48, 1970).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rapidfuzz import fuzz
from rapidfuzz.distance import LCSseq

from app.comparing.steps import Step, steps
from curate.trajectory import Message

GAP = -0.2
"""What a step without a partner costs; steps of equal roles that share nothing score 0, so they still meet."""
MAX_CELLS = 40_000
"""Pairs of steps that are scored between two anchors; beyond, steps meet in their order."""
_TEXT = 400
"""Characters of a text that decide how alike two are."""


class Pair(NamedTuple):
    """Two steps that meet, or one without a partner."""

    left: Step | None
    right: Step | None

    @property
    def same(self) -> bool:
        """Whether both say or call the same; thinking and results aside."""
        return self.left is not None and self.right is not None and self.left.signature == self.right.signature

    @property
    def differs(self) -> bool:
        """Whether anything differs, thinking and results too."""
        if self.left is None or self.right is None:
            return True
        return _told(self.left) != _told(self.right)


@dataclass(frozen=True)
class Alignment:
    """Two trajectories side by side."""

    pairs: tuple[Pair, ...]

    @property
    def same(self) -> int:
        """How many steps are the same."""
        return sum(pair.same for pair in self.pairs)

    @property
    def first_apart(self) -> int | None:
        """The first pair that is not the same; None if all are."""
        return next((at for at, pair in enumerate(self.pairs) if not pair.same), None)

    def only(self) -> tuple[int, int]:
        """(steps of the left, steps of the right) without a partner."""
        return sum(pair.right is None for pair in self.pairs), sum(pair.left is None for pair in self.pairs)


def align(left: Sequence[Message], right: Sequence[Message], first: int = 0) -> Alignment:
    """Align two trajectories.

    Args:
        left: messages of one.
        right: messages of the other.
        first: message from which on they are compared, e.g. where both go on from one prompt.
    """
    one, two = steps(left, first), steps(right, first)
    numbers: dict[tuple[str, ...], int] = {}
    marks = [[numbers.setdefault(step.signature, len(numbers)) for step in side] for side in (one, two)]
    pairs: list[Pair] = []
    for part in LCSseq.opcodes(*marks):
        here, there = one[part.src_start : part.src_end], two[part.dest_start : part.dest_end]
        if part.tag == "equal":
            pairs += [Pair(*met) for met in zip(here, there, strict=True)]
        else:
            pairs += _between(here, there)
    return Alignment(tuple(_merged(pairs)))


def _merged(pairs: Sequence[Pair]) -> list[Pair]:
    """Stretches without a partner, first of one side and then of the other, aligned with each other."""
    found: list[Pair] = []
    lone: tuple[list[Step], list[Step]] = ([], [])
    for pair in [*pairs, None]:
        if pair is not None and (pair.left is None or pair.right is None):
            lone[0].extend([pair.left] if pair.left else [])
            lone[1].extend([pair.right] if pair.right else [])
            continue
        found += _between(*lone)
        lone = ([], [])
        found += [pair] if pair is not None else []
    return found


def _between(left: Sequence[Step], right: Sequence[Step]) -> list[Pair]:
    """The steps between two anchors."""
    if not left or not right:
        return [*(Pair(step, None) for step in left), *(Pair(None, step) for step in right)]
    if len(left) * len(right) > MAX_CELLS:
        return _in_order(left, right)
    return _traced(left, right, _scores(left, right))


def _in_order(left: Sequence[Step], right: Sequence[Step]) -> list[Pair]:
    least = min(len(left), len(right))
    met = [Pair(*both) for both in zip(left, right, strict=False)]
    return [*met, *(Pair(step, None) for step in left[least:]), *(Pair(None, step) for step in right[least:])]


def _scores(left: Sequence[Step], right: Sequence[Step]) -> list[list[float]]:
    """Best score of each two beginnings, shape (len(left) + 1, len(right) + 1)."""
    best = [[GAP * column for column in range(len(right) + 1)]]
    for row, one in enumerate(left, 1):
        line = [GAP * row]
        for column, two in enumerate(right, 1):
            meeting = best[row - 1][column - 1] + alike(one, two)
            line.append(max(meeting, best[row - 1][column] + GAP, line[column - 1] + GAP))
        best.append(line)
    return best


def _traced(left: Sequence[Step], right: Sequence[Step], best: Sequence[Sequence[float]]) -> list[Pair]:
    row, column, found = len(left), len(right), []
    while row or column:
        if row and best[row][column] == best[row - 1][column] + GAP:
            row -= 1
            found.append(Pair(left[row], None))
        elif column and best[row][column] == best[row][column - 1] + GAP:
            column -= 1
            found.append(Pair(None, right[column]))
        else:
            row, column = row - 1, column - 1
            found.append(Pair(left[row], right[column]))
    return found[::-1]


def alike(one: Step, two: Step) -> float:
    """How alike two steps are: 1 for the same, .5 for the same tools and up, less than 0 for other roles."""
    if one.signature == two.signature:
        return 1.0
    if one.role != two.role or bool(one.tools) != bool(two.tools):
        return 3 * GAP
    ratio = fuzz.ratio(_said(one), _said(two)) / 100
    if one.tools:
        return 0.5 + 0.4 * ratio if one.tools == two.tools else 0.2 * ratio
    return 0.8 * ratio


def _said(step: Step) -> str:
    return " ".join(step.signature[1:])[:_TEXT]


def _told(step: Step) -> tuple[object, ...]:
    results = tuple((result["content"], result["name"]) for result in step.results)
    return step.signature, step.message["content"], step.message["reasoning_content"], results
