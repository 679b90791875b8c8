"""The recorded call of a tool with the highest p for a query, found without comparing all of them.

Fields in which no difference leaves p at the bar must be equal: entries are grouped by them and by their state. In a
large group a text must share enough weight of stems, so the rarest of the query's stems name all that can do it (the
prefix filter of Chaudhuri et al., ICDE 2006). About 100 to 200 bytes an entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cachebuild.calibration import NEVER_FUZZY, ToolCalibration
from cachebuild.candidate_kernels import alike, of_values, score
from cachebuild.candidate_table import CandidateTable, QueryRow, groups, signatures
from cachebuild.curve import least_similarity
from curate.jit import read_only

if TYPE_CHECKING:
    from cachebuild.index import Candidate

Positions: TypeAlias = NDArray[np.int32]
Found: TypeAlias = tuple[int, float, float]
"""Position of a call, its p, and the sum of its fields' similarities."""
MOST_OF_ONE_KIND = 32
"""Entries of one posting that are taken where only something near is wanted."""
_CLOSENESS = 1e-7
"""How much closeness counts beside p: it orders what p cannot tell apart."""


class CandidateSearch:
    """The distinct calls of one tool at one place, ready to be searched.

    Args:
        calls: in any order; only found ones are looked at again.
        calibration: of the tool.
        bar: p that `serving` asks for.
        unknown_state_p: highest p of a call that was made in another state.
        compare_all: up to so many calls all are compared.
    """

    def __init__(
        self,
        calls: Sequence[Candidate],
        calibration: ToolCalibration,
        bar: float,
        unknown_state_p: float,
        compare_all: int,
    ) -> None:
        self.calls = calls
        self._bar = bar
        self._unknown_state_p = unknown_state_p
        self._compare_all = compare_all
        self._table = CandidateTable.build(calls, calibration)
        curves = self._table.curves
        hard = [
            name not in calibration.fields or calibration.fields[name].type in NEVER_FUZZY for name in self._table.names
        ]
        self._must = np.array([*hard, True]) | (curves[:, -1] < bar)
        self._least = [least_similarity(tuple(curve), bar) for curve in curves.tolist()]
        self._signatures = read_only(signatures(self._table.codes, self._table.states, self._must))
        self._group_order = np.argsort(self._signatures, kind="stable").astype(np.int32)
        self._group_starts = self._signatures[self._group_order]
        self._holder_starts, self._holders = groups(self._table, self._signatures)

    def row(self, values: Mapping[str, Any], digest: str) -> QueryRow:
        """A query, read once for both searches: its arguments and the digest of its state."""
        return self._table.row(values, digest)

    def serving(self, query: QueryRow, limit: int) -> list[Found]:
        """Calls in the query's state whose p reaches the bar and whose ids and numbers are equal.

        Best first; the call of the highest p is among them whenever there is one.
        """
        unseen = (query.codes < 0) & self._must
        if unseen.any() or query.state < 0:
            return []
        entries = self._reaching(query)
        return [found for found in self._best(query, entries, limit) if found[1] >= self._bar]

    def nearest(self, query: QueryRow, limit: int) -> list[Found]:
        """Calls that come near, in any state, best first; of up to `compare_all` calls all are compared."""
        entries = self._everything() if len(self.calls) <= self._compare_all else self._pool(query)
        return self._best(query, entries, limit)

    def _everything(self) -> Positions:
        return np.arange(len(self.calls), dtype=np.int32)

    def _group(self, signature: np.uint64) -> Positions:
        """The entries that are equal in all that must be."""
        low, high = (int(np.searchsorted(self._group_starts, signature, side)) for side in ("left", "right"))
        return self._group_order[low:high]

    def _reaching(self, query: QueryRow) -> Positions:
        """The entries that can reach the bar, and some that do not."""
        signature = signatures(query.codes[None, :], np.array([query.state], np.int32), self._must)[0]
        group = self._group(signature)
        if len(group) <= self._compare_all:
            return group
        best: tuple[int, int, NDArray[np.int32]] | None = None
        for column in self._table.texts:
            chosen = None if self._must[column] else self._rare_stems(query, column)
            if chosen is not None:
                size = int((self._table.post_starts[chosen + 1] - self._table.post_starts[chosen]).sum())
                if best is None or size < best[0]:
                    best = (size, column, chosen)
        if best is None:
            return group
        _, column, chosen = best
        found = np.unique(self._alike(query, column, chosen, self._least[column]))
        own = query.codes[column]
        return self._of(found if own < 0 else np.append(found[found != own], own), signature, len(group))

    def _rare_stems(self, query: QueryRow, column: int) -> NDArray[np.int32] | None:
        """Stems of which a text that is alike enough has at least one; None if no stem is needed."""
        least = self._least[column]
        if least <= 0:
            return None
        first, last = query.bounds[column], query.bounds[column + 1]
        stems, weights = query.stems[first:last], query.weights[first:last]
        starts = self._table.post_starts
        rarest = np.argsort(starts[stems + 1] - starts[stems], kind="stable")
        # What shares none of these has at most the weight of the others, which is below the least share.
        spare = (1 - least) * query.totals[column] - query.unseen[column] + 1e-9
        if spare < 0:
            return np.empty(0, np.int32)
        needed = int(np.searchsorted(np.cumsum(weights[rarest]), spare, "right")) + 1
        return np.sort(stems[rarest[:needed]])

    def _alike(self, query: QueryRow, column: int, chosen: NDArray[np.int32], least: float) -> NDArray[np.int32]:
        table, first, last = self._table, query.bounds[column], query.bounds[column + 1]
        found: NDArray[np.int32] = alike(
            read_only(chosen),
            table.post_starts,
            table.posts,
            least,
            table.marks,
            query.marks[column],
            table.starts,
            table.stems,
            table.totals,
            query.stems[first:last],
            query.weights[first:last],
            query.totals[column],
        )
        return found

    def _of(self, values: NDArray[np.int32], signature: np.uint64, limit: int) -> Positions:
        found: Positions = of_values(
            read_only(values.astype(np.int32)),
            self._holder_starts,
            self._holders,
            self._signatures,
            signature,
            limit,
        )
        return found

    def _pool(self, query: QueryRow) -> Positions:
        """Entries that share values or rare stems with the query, a bounded number of each."""
        table, parts = self._table, []
        for column in range(len(query.codes)):
            code = query.codes[column]
            if code >= 0:
                first, last = self._holder_starts[code], self._holder_starts[code + 1]
                parts.append(self._holders[first : min(last, first + MOST_OF_ONE_KIND)])
            stems = query.stems[query.bounds[column] : query.bounds[column + 1]]
            left = MOST_OF_ONE_KIND
            for stem in sorted(
                stems.tolist(), key=lambda stem: int(table.post_starts[stem + 1] - table.post_starts[stem])
            ):
                values = table.posts[table.post_starts[stem] : table.post_starts[stem + 1]][:left]
                parts.append(self._holders[self._holder_starts[values]])
                left -= len(values)
        parts = [part for part in parts if len(part)]
        return np.unique(np.concatenate(parts)) if parts else self._everything()[:MOST_OF_ONE_KIND]

    def _best(self, query: QueryRow, entries: Positions, limit: int) -> list[Found]:
        """The entries of highest p, then of closest fields, then the first."""
        table = self._table
        p, closeness = score(
            read_only(entries),
            table.codes,
            query.codes,
            table.curves,
            table.marks,
            query.marks,
            table.starts,
            table.stems,
            table.totals,
            query.stems,
            query.weights,
            query.bounds,
            query.totals,
        )
        p = np.where(table.states[entries] == query.state, p, np.minimum(p, self._unknown_state_p))
        key = p + _CLOSENESS * closeness
        if len(key) > limit:
            kept = np.argpartition(-key, limit)[:limit]
            entries, key, p, closeness = entries[kept], key[kept], p[kept], closeness[kept]
        order = np.lexsort((entries, -key))
        return list(zip(entries[order].tolist(), p[order].tolist(), closeness[order].tolist(), strict=True))
