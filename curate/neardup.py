"""Near-duplicates: candidate pairs are verified exactly, and the best row of those that are alike is kept.

A row is removed only if its exact Jaccard with a row that stays is at least the threshold. Rows are looked at from the
best to the worst (reward, then length, then id); signatures choose what is compared, texts are fetched to verify alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curate.against import Base, like_base
from curate.buckets import bands_and_rows, candidate_pairs, decoded, distinct, encoded
from curate.jit import kernel
from curate.minhash import EMPTY, Signatures, jaccards, shingle_sets
from curate.neardup_settings import NearDupSettings
from curate.neardup_texts import FetchTexts, batches_of_pairs

_COLUMNS: list[pa.Field[Any]] = [
    pa.field("cluster", pa.int64()),
    pa.field("index", pa.int64()),
    pa.field("kept", pa.int64()),
    pa.field("jaccard", pa.float64()),
]
CLUSTERS = pa.schema(_COLUMNS)
"""Rows that are connected by verified pairs; `kept` is the row that stays for this one, itself if it stays."""

_ROUNDS = 8


@dataclass(frozen=True)
class NearDuplicates:
    """What was found among n rows.

    Attributes:
        removed: row -> (the row that stays for it, their exact Jaccard), by ascending row.
        removed_by_base: row -> (row of the base, their exact Jaccard); these are not in `removed`.
        clusters: of schema `CLUSTERS`, without rows of the base; sorted by cluster, the best row first.
        figures: counts for the report.
    """

    removed: dict[int, tuple[int, float]]
    removed_by_base: dict[int, tuple[int, float]]
    clusters: pa.Table
    figures: dict[str, int]


class Comparer(Protocol):
    """Where the signatures and texts of n rows lie, and what finds pairs among them."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each row's text."""

    @property
    def permutations(self) -> int:
        """K, the values of a signature."""

    @property
    def empty(self) -> int:
        """How many texts hold no word."""

    def candidates(self, order: NDArray[np.int64], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """As `buckets.candidate_pairs` of the rows in `order`."""

    def verify(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """As `verify`."""


def near_duplicates(
    signatures: Signatures,
    texts: FetchTexts,
    rows: pa.Table,
    settings: NearDupSettings | None = None,
    *,
    base: Base | None = None,
    base_texts: FetchTexts | None = None,
    comparer: Comparer | None = None,
    threads: int | None = None,
) -> NearDuplicates:
    """Find the rows to remove.

    Args:
        signatures: of the rows' texts, uint32, shape (n, K).
        texts: fetches texts of rows, a bounded batch at a time.
        rows: n rows with the columns trajectory_id (string), reward (float, may be null: the lowest), and size (int64:
            bytes of the text); what is kept is the best by reward, then size, then trajectory_id, then row number.
        settings: the threshold; `permutations` and `view` are the callers', who made the signatures.
        base: signatures of rows that stay whatever comes (`SignatureStore`): a row that is like one of them is removed.
        base_texts: fetches texts of rows of the base; needed with `base`.
        comparer: finds pairs among the rows in place of this process.
        threads: how many work at once; they do not change the result.

    Returns:
        What was found; the same whatever the threads and batches.

    Raises:
        ValueError: if `base` is given without `base_texts`.
    """
    settings = settings or NearDupSettings()
    settings.check()
    sizes = rows["size"].to_numpy()
    by_base: dict[int, tuple[int, float]] = {}
    if base is not None:
        if base_texts is None:
            raise ValueError("base needs base_texts: what it holds is verified before a row goes")
        by_base = like_base(signatures, texts, sizes, base, base_texts, settings.threshold, threads)
    return search(comparer or _InMemory(signatures, texts, sizes, threads), rows, settings.threshold, by_base)


def search(
    comparer: Comparer,
    rows: pa.Table,
    threshold: float,
    by_base: dict[int, tuple[int, float]] | None = None,
) -> NearDuplicates:
    """As `near_duplicates`, wherever signatures and texts lie.

    Args:
        comparer: finds pairs among the rows.
        rows: as there.
        threshold: Jaccard from which rows are near-duplicates.
        by_base: rows that a base removes.
    """
    by_base = by_base or {}
    stays = np.ones(rows.num_rows, np.bool_)
    stays[list(by_base)] = False
    order = best_first(rows)
    found = _Search(comparer, order[stays[order]], threshold)
    found.run()
    removed = found.removed()
    clusters = found.clusters(removed)
    figures = {
        "rows": rows.num_rows,
        "empty": comparer.empty,
        **found.figures(),
        "clusters": len(pc.unique(clusters["cluster"])),
        "removed": len(removed),
        "removed_by_base": len(by_base),
    }
    return NearDuplicates(removed, by_base, clusters, figures)


def best_first(rows: pa.Table) -> NDArray[np.int64]:
    """Row numbers, the ones to keep rather first: reward (null and NaN lowest), size, trajectory_id, row number."""
    reward = rows["reward"].cast(pa.float64())
    reward = pc.if_else(pc.is_nan(reward), None, reward).fill_null(float("-inf"))
    columns = [reward, rows["size"], rows["trajectory_id"], pa.array(np.arange(rows.num_rows))]
    table = pa.Table.from_arrays(columns, names=["reward", "size", "id", "row"])
    keys: list[tuple[str, Literal["ascending", "descending"]]] = [
        ("reward", "descending"),
        ("size", "descending"),
        ("id", "ascending"),
        ("row", "ascending"),
    ]
    return pc.sort_indices(table, sort_keys=keys).to_numpy().astype(np.int64)


def verify(
    pairs: NDArray[np.int64], texts: FetchTexts, sizes: NDArray[np.int64], threads: int | None = None
) -> NDArray[np.float64]:
    """The exact Jaccard of pairs of rows.

    Args:
        pairs: row numbers, shape (m, 2); quickest where pairs of one first row stand together.
        texts: fetches texts.
        sizes: bytes of each row's text.
        threads: how many work at once.

    Returns:
        Shape (m,).
    """
    out = np.empty(len(pairs))
    # Both texts of each pair are counted, though a first one stays for the next pair: never more than the bound.
    for part in batches_of_pairs(sizes[pairs].sum(axis=1)):
        needed = distinct(pairs[part].ravel().astype(np.uint64)).astype(np.int64)
        sets = shingle_sets(texts(needed), threads)
        out[part] = jaccards(*sets, np.searchsorted(needed, pairs[part]), threads)
    return out


@dataclass(frozen=True)
class _InMemory:
    """Compares rows whose signatures are here."""

    signatures: Signatures
    texts: FetchTexts
    sizes: NDArray[np.int64]
    threads: int | None

    @property
    def permutations(self) -> int:
        return int(self.signatures.shape[1])

    @property
    def empty(self) -> int:
        return int((self.signatures[:, 0] == EMPTY).sum())

    def candidates(self, order: NDArray[np.int64], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        bands, rows = bands_and_rows(threshold, self.permutations)
        return candidate_pairs(self.signatures, order, bands, rows, threshold, self.threads)

    def verify(self, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        return verify(pairs, self.texts, self.sizes, self.threads)


@dataclass
class _Search:
    """The pairs that are known, as places in `order` (0 is the best row), and what follows from them."""

    comparer: Comparer
    order: NDArray[np.int64]
    threshold: float
    tested: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    alike: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    crowded: int = 0
    rounds: int = 0

    def run(self) -> None:
        """Verify candidates until none is left that could remove a row.

        In large buckets not all pairs are looked at. So rows that stay are compared with what their removed neighbours
        were removed for, and rows of large buckets that stay are put into buckets anew, among themselves and around
        other leaders, as long as that finds anything.
        """
        pairs, crowded = self._candidates(self.order)
        self.crowded = int(crowded.sum())
        while len(pairs) and self.rounds < _ROUNDS:
            found = self._verify(pairs)
            self.rounds += 1
            partner = self.partners()
            pairs = _missed(decoded(self.alike), partner)
            if self.crowded and (found or self.rounds == 1):
                again = np.flatnonzero(crowded & (partner < 0))
                mixed = again[np.argsort(_shuffled(again, self.rounds), kind="stable")]
                more, _ = self._candidates(self.order[mixed])
                pairs = np.concatenate([pairs, np.sort(mixed[more], axis=1)])
            pairs = decoded(_without(distinct(encoded(pairs)), self.tested))

    def partners(self) -> NDArray[np.int64]:
        """For each place the best place that stays and is like it; -1 where the row stays."""
        pairs = decoded(self.alike)
        partner = np.full(len(self.order), -1, np.int64)
        _greedy(pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))], partner)
        return partner

    def removed(self) -> dict[int, tuple[int, float]]:
        """Each row that goes -> (the row that stays for it, their Jaccard)."""
        partner = self.partners()
        worse = np.flatnonzero(partner >= 0)
        worse = worse[np.argsort(self.order[worse])]
        codes = encoded(np.stack([partner[worse], worse], axis=1))
        values = self.values[np.searchsorted(self.alike, codes)].tolist()
        facts = zip(self.order[partner[worse]].tolist(), values, strict=True)
        return dict(zip(self.order[worse].tolist(), facts, strict=True))

    def clusters(self, removed: dict[int, tuple[int, float]]) -> pa.Table:
        """The table of schema `CLUSTERS`, numbered by the best rows."""
        pairs = decoded(self.alike)
        places = distinct(pairs.ravel().astype(np.uint64)).astype(np.int64)
        labels = _components(pairs, len(self.order))[places]
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        number = np.argsort(np.argsort(first))[inverse]
        by_cluster = np.lexsort((places, number))
        rows = self.order[places[by_cluster]].tolist()
        facts = [removed.get(row, (row, 1.0)) for row in rows]
        columns = [number[by_cluster], rows, [kept for kept, _ in facts], [value for _, value in facts]]
        arrays = [pa.array(column, kind.type) for column, kind in zip(columns, CLUSTERS, strict=True)]
        return pa.Table.from_arrays(arrays, schema=CLUSTERS)

    def figures(self) -> dict[str, int]:
        """Counts for the report."""
        bands, rows = bands_and_rows(self.threshold, self.comparer.permutations)
        return {
            "bands": bands,
            "rows_per_band": rows,
            "crowded": self.crowded,
            "pairs_verified": len(self.tested),
            "pairs_alike": len(self.alike),
            "rounds": self.rounds,
        }

    def _candidates(self, order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        return self.comparer.candidates(order, self.threshold)

    def _verify(self, pairs: NDArray[np.int64]) -> int:
        """Learn the exact Jaccard of pairs that were not tested before; how many are alike."""
        # Clusters one after the other: each text is fetched about once.
        labels = _components(pairs, len(self.order))
        pairs = pairs[np.argsort(labels[pairs[:, 0]], kind="stable")]
        values = self.comparer.verify(self.order[pairs])
        enough = values >= self.threshold
        codes = np.concatenate([self.alike, encoded(pairs[enough])])
        by_code = np.argsort(codes, kind="stable")
        self.alike, self.values = codes[by_code], np.concatenate([self.values, values[enough]])[by_code]
        self.tested = distinct(np.concatenate([self.tested, encoded(pairs)]))
        return int(enough.sum())


@kernel
def _greedy(pairs: Any, partner: Any) -> Any:
    """Pairs (better, worse) sorted by worse, then better: what is better is decided before."""
    for index in range(len(pairs)):
        better, worse = pairs[index]
        if partner[better] < 0 and partner[worse] < 0:
            partner[worse] = better


def _missed(pairs: NDArray[np.int64], partner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows that stay although they are like one that was removed: they may be like the one it was removed for."""
    gone, stays = (partner[pairs] >= 0), (partner[pairs] < 0)
    either = np.concatenate([pairs[gone[:, 0] & stays[:, 1]], pairs[gone[:, 1] & stays[:, 0]][:, ::-1]])
    pairs = np.sort(np.stack([partner[either[:, 0]], either[:, 1]], axis=1), axis=1)
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _without(codes: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Those of sorted codes that are not among the sorted known ones."""
    if not len(known):
        return codes
    new: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, codes), len(known) - 1)] != codes
    return codes[new]


def _components(pairs: NDArray[np.int64], count: int) -> NDArray[np.int32]:
    """The connected component of each place; the numbers may change with scipy's version."""
    graph = coo_array((np.ones(len(pairs), np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels


def _shuffled(places: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Numbers to sort places by, others for each seed: each round gives large buckets other centres."""
    value = (places.astype(np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ value >> np.uint64(29)) * np.uint64(0xBF7158809CF4F3C7)
    return value ^ value >> np.uint64(32)
