"""The recorded call of a tool with the highest p for a query, found without comparing all of them.

Fields in which no difference leaves p at the bar must be equal: entries are grouped by them and by their state. In a
large group a text must share enough weight of stems, so the rarest of the query's stems name all that can do it (the
prefix filter of Chaudhuri et al., ICDE 2006). About 150 bytes an entry.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cachebuild.calibration import NEVER_FUZZY, ToolCalibration
from cachebuild.candidate_arrays import NO_WORDS, Asked, Rule, Table
from cachebuild.candidate_kernels import best, located, nearby, serving
from cachebuild.candidate_table import (
    build_table,
    column_names,
    mark_of,
    order_of,
    text_columns,
    text_hash,
    value_hashes,
)
from cachebuild.curve import GRID, least_similarity
from cachebuild.similarity import MOST_ALIKE, words
from curate.jit import read_only

if TYPE_CHECKING:
    from cachebuild.index import Candidate

Found: TypeAlias = tuple[int, float, float]
"""Position of a call, its p, and the sum of its fields' similarities."""
MOST_OF_ONE_KIND = 32
"""Entries of one field that are taken where only something near is wanted: by its value, and by its stems."""


class CandidateSearch:
    """The distinct calls of one tool at one place, ready to be searched.

    Args:
        calls: in any order; only found ones are looked at again.
        calibration: of the tool.
        bar: p that `serving` asks for.
        unknown_state_p: highest p of a call that was made in another state.
        compare_all: up to so many calls all are compared.
        table: made from these calls, this calibration and bar; made here if it is not given.
    """

    def __init__(
        self,
        calls: Sequence[Candidate],
        calibration: ToolCalibration,
        bar: float,
        unknown_state_p: float,
        compare_all: int,
        table: Table | None = None,
    ) -> None:
        self.calls = calls
        self._compare_all = compare_all
        self._names = column_names(calibration)
        self._weights = {n: calibration.fields[self._names[n]].stems for n in text_columns(self._names, calibration)}
        self._rule = rule_of(calibration, bar, unknown_state_p)
        self._table = build_table(calls, len(calls), calibration, self._rule.must) if table is None else table
        self._everything = read_only(np.arange(len(calls) if len(calls) <= compare_all else 0, dtype=np.int32))

    def row(self, values: Mapping[str, Any], digest: str) -> Asked:
        """A query, read once for both searches: its arguments and the digest of its state."""
        columns = len(self._names) + 1
        marks, orders, totals = [NO_WORDS] * columns, [0] * columns, [0.0] * columns
        stems: list[tuple[int, str]] = []
        for column, weights in self._weights.items():
            text = values.get(self._names[column])
            found = words(text) if isinstance(text, str) else ()
            if found:
                different = set(found)
                marks[column], orders[column] = mark_of(found), order_of(found)
                totals[column] = weights.total(different)
                stems += [(column, stem) for stem in different]
        codes, numbers, state = located(
            self._table,
            np.array(value_hashes(values, self._names), np.uint64),
            np.array([text_hash(stem, column) for column, stem in stems], np.uint64),
            np.uint64(text_hash(digest)),
        )
        weighed = sorted(
            (column, number, self._weights[column].weight(stem))
            for (column, stem), number in zip(stems, numbers.tolist(), strict=True)
        )
        known = [each for each in weighed if each[1] >= 0]
        unseen = [0.0] * columns
        for column, number, weight in weighed:
            if number < 0:
                unseen[column] += weight
        ends = [bisect_left(known, (column,)) for column in range(columns + 1)]
        return Asked(
            codes,
            state,
            np.array(marks, np.uint64),
            np.array(orders, np.uint64),
            np.array([number for _, number, _ in known], np.int32),
            np.array([weight for *_, weight in known], np.float64),
            np.array(ends, np.int64),
            np.array(totals),
            np.array(unseen),
        )

    def serving(self, query: Asked, limit: int) -> list[Found]:
        """Calls in the query's state whose p reaches the bar and whose ids and numbers are equal.

        Best first; the call of the highest p is among them whenever there is one.
        """
        if query.state < 0 or ((query.codes < 0) & self._rule.must).any():
            return []
        return _listed(serving(self._table, self._rule, query, limit))

    def nearest(self, query: Asked, limit: int) -> list[Found]:
        """Calls that come near, in any state, best first; of up to `compare_all` calls all are compared."""
        if len(self.calls) > self._compare_all:
            return _listed(nearby(self._table, self._rule, query, MOST_OF_ONE_KIND, limit))
        return _listed(best(self._table, self._rule, query, self._everything, 0.0, limit))


def _listed(found: tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]) -> list[Found]:
    return list(zip(*(column.tolist() for column in found), strict=True))


def rule_of(calibration: ToolCalibration, bar: float, unknown_state_p: float) -> Rule:
    """What a difference costs, and which fields must be equal: those in which none leaves p at the bar."""
    names = column_names(calibration)
    curves = np.array([*(calibration.curves[name] for name in names), (0.0,) * len(GRID)])
    never = [calibration.fields[name].type in NEVER_FUZZY for name in names]
    return Rule(
        curves=read_only(curves),
        must=read_only(np.array([*never, True]) | (curves[:, -1] < bar)),
        least=read_only(np.array([least_similarity(tuple(curve), bar) for curve in curves.tolist()])),
        bar=float(bar),
        other_state_p=float(unknown_state_p),
        most_alike=MOST_ALIKE,
    )
