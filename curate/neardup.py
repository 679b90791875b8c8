"""Near-duplicates: candidate pairs are verified exactly, and the best row of those that are alike is kept.

A row is removed only if its exact Jaccard with a row that stays is at least the threshold. Rows are looked at from the
best to the worst (reward, then length, then id); signatures choose what is compared, texts are fetched to verify alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curate.against import Base, like_base
from curate.buckets import bands_and_rows, candidate_pairs, decoded, distinct, encoded
from curate.errors import UsageError
from curate.jit import kernel
from curate.minhash import EMPTY, Signatures, jaccards, shingle_sets
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
class NearDupSettings:
    """When a row is a near-duplicate.

    Attributes:
        threshold: Jaccard of 5-word shingles from which a row is a near-duplicate of a better one; in (0, 1].
        permutations: values of a signature.
    """

    threshold: float = 0.8
    permutations: int = 90

    def check(self) -> None:
        """Refuse values that cannot be right.

        Raises:
            UsageError: if one is out of range.
        """
        if not 0 < self.threshold <= 1:
            raise UsageError(f"threshold is {self.threshold}; it must be above 0 and at most 1")
        if not 1 <= self.permutations <= 1024:
            raise UsageError(f"permutations is {self.permutations}; it must be from 1 to 1024")


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


@dataclass
class _Verified:
    """Pairs of places whose Jaccard is known, and those of them that count."""

    threshold: float
    fetch: FetchTexts
    order: NDArray[np.int64]
    sizes: NDArray[np.int64]
    threads: int | None
    tested: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    codes: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def test(self, pairs: NDArray[np.int64]) -> int:
        """Verify those pairs that were not tested before; how many count."""
        codes = distinct(encoded(pairs))
        codes = _without(codes, self.tested)
        pairs = decoded(codes)
        values = np.empty(len(pairs))
        # Clusters one after the other: each text is fetched about once.
        labels = _components(pairs, len(self.order))
        together = np.argsort(labels[pairs[:, 0]], kind="stable")
        values[together] = verify(self.order[pairs[together]], self.fetch, self.sizes, self.threads)
        alike = values >= self.threshold
        merged = np.concatenate([self.codes, codes[alike]])
        by_code = np.argsort(merged, kind="stable")
        self.codes = merged[by_code]
        self.values = np.concatenate([self.values, values[alike]])[by_code]
        self.tested = distinct(np.concatenate([self.tested, codes]))
        return int(alike.sum())


def near_duplicates(
    signatures: Signatures,
    texts: FetchTexts,
    rows: pa.Table,
    settings: NearDupSettings | None = None,
    *,
    base: Base | None = None,
    base_texts: FetchTexts | None = None,
    threads: int | None = None,
) -> NearDuplicates:
    """Find the rows to remove.

    Args:
        signatures: of the rows' texts, uint32, shape (n, K).
        texts: fetches texts of rows, called with up to `BATCH_BYTES` of them at a time (one, if it is longer).
        rows: n rows with the columns trajectory_id (string), reward (float, may be null: the lowest), and size (int64:
            bytes of the text); what is kept is the best by reward, then size, then trajectory_id, then row number.
        settings: the threshold.
        base: signatures of rows that stay whatever comes (`curate.signature_store.SignatureStore`): a row that is like
            one of them is removed.
        base_texts: fetches texts of rows of the base.
        threads: how many work at once; they do not change the result.

    Returns:
        What was found; the same whatever the threads, batches and order of equal work.
    """
    settings = settings or NearDupSettings()
    settings.check()
    bands, band_rows = bands_and_rows(settings.threshold, signatures.shape[1])
    order = best_first(rows)
    sizes = rows["size"].to_numpy()
    by_base: dict[int, tuple[int, float]] = {}
    if base is not None:
        assert base_texts is not None
        by_base = like_base(signatures, texts, sizes, base, base_texts, settings.threshold, threads)
        stays = np.ones(len(signatures), np.bool_)
        stays[list(by_base)] = False
        order = order[stays[order]]
    known = _Verified(settings.threshold, texts, order, sizes, threads)
    pairs, crowded = candidate_pairs(signatures, order, bands, band_rows, settings.threshold, threads)
    rounds = 0
    while len(pairs) and rounds < _ROUNDS:
        found = known.test(pairs)
        partner = _partners(decoded(known.codes), len(order))
        pairs = _missed(decoded(known.codes), partner)
        rounds += 1
        if crowded.any() and (found or rounds == 1):
            again = np.flatnonzero(crowded & (partner < 0))
            mixed = again[np.argsort(_shuffled(again, rounds), kind="stable")]
            more, _ = candidate_pairs(signatures, order[mixed], bands, band_rows, settings.threshold, threads)
            pairs = np.concatenate([pairs, np.sort(mixed[more], axis=1)])
        pairs = decoded(_without(distinct(encoded(pairs)), known.tested))
    partner = _partners(decoded(known.codes), len(order))
    removed = _removed(known, partner)
    clusters = _clusters(known, removed)
    figures = {
        "rows": len(signatures),
        "empty": int((signatures[:, 0] == EMPTY).sum()),
        "bands": bands,
        "rows_per_band": band_rows,
        "crowded": int(crowded.sum()),
        "pairs_verified": len(known.tested),
        "pairs_alike": len(known.codes),
        "rounds": rounds,
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


def _partners(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """For each place the best place that stays and is like it; -1 where the row stays."""
    by_worse = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]
    partner = np.full(count, -1, np.int64)
    _greedy(by_worse, partner)
    return partner


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


def _removed(known: _Verified, partner: NDArray[np.int64]) -> dict[int, tuple[int, float]]:
    worse = np.flatnonzero(partner >= 0)
    codes = encoded(np.stack([partner[worse], worse], axis=1))
    values = known.values[np.searchsorted(known.codes, codes)]
    rows, kept = known.order[worse], known.order[partner[worse]]
    by_row = np.argsort(rows)
    columns = (rows[by_row].tolist(), kept[by_row].tolist(), values[by_row].tolist())
    return {row: (stays, value) for row, stays, value in zip(*columns, strict=True)}


def _clusters(known: _Verified, removed: dict[int, tuple[int, float]]) -> pa.Table:
    pairs = decoded(known.codes)
    labels = _components(pairs, len(known.order))
    places = distinct(pairs.ravel().astype(np.uint64)).astype(np.int64)
    # Clusters are numbered by their best row.
    _, first, inverse = np.unique(labels[places], return_index=True, return_inverse=True)
    number = np.argsort(np.argsort(first))[inverse]
    by_cluster = np.lexsort((places, number))
    rows = known.order[places[by_cluster]].tolist()
    facts = [removed.get(row, (row, 1.0)) for row in rows]
    columns = [number[by_cluster], rows, [kept for kept, _ in facts], [value for _, value in facts]]
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, CLUSTERS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=CLUSTERS)
