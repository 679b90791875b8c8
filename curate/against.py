"""New rows that are like rows of published sets: old signatures stream by, old texts are read to verify alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.buckets import band_keys, bands_and_rows, distinct, least_equal
from curate.jit import kernel, part, read_only
from curate.minhash import EMPTY, Signatures, jaccards, shingle_sets
from curate.neardup_texts import FetchTexts, batches_of_pairs

BEST = 8
"""Rows of the base that are verified for a new row, the likest first, until one is alike."""
_COMPARISONS = 1 << 28
"""Signatures compared in all, a few seconds' work, shared out evenly: a set that was published with its
near-duplicates, or around one boilerplate, may hold any number of rows of one bucket."""
_LEAST_VISITS = 1024


class Base(Protocol):
    """Signatures of rows that stay whatever comes; `SignatureStore` is one."""

    def batches(self) -> Iterator[tuple[int, Signatures]]:
        """(number of the first row, signatures) of consecutive rows."""


def like_base(
    signatures: Signatures,
    texts: FetchTexts,
    sizes: NDArray[np.int64],
    base: Base,
    base_texts: FetchTexts,
    threshold: float,
    threads: int | None = None,
) -> dict[int, tuple[int, float]]:
    """Rows that are near-duplicates of a row of the base.

    Args:
        signatures: of the new rows.
        texts: fetches texts of new rows.
        sizes: bytes of each new row's text.
        base: signatures of the base.
        base_texts: fetches texts of rows of the base.
        threshold: Jaccard from which a row is a near-duplicate.
        threads: how many work at once.

    Returns:
        new row -> (row of the base, their exact Jaccard).
    """
    rows, counts = _likest(signatures, base, threshold)
    found: dict[int, tuple[int, float]] = {}
    for rank in range(BEST):
        open_rows = [row for row in np.flatnonzero(counts[:, rank] > 0).tolist() if row not in found]
        if not open_rows:
            break
        pairs = np.stack([np.array(open_rows), rows[open_rows, rank]], axis=1)
        values = _verify(pairs, texts, sizes, base_texts, threads)
        for (row, other), value in zip(pairs.tolist(), values.tolist(), strict=True):
            if value >= threshold:
                found[row] = (other, value)
    return dict(sorted(found.items()))


def _likest(signatures: Signatures, base: Base, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows of the base, how many values are equal), shape (n, BEST), the likest first; 0 equal where there is none."""
    count = signatures.shape[1]
    bands, band_rows = bands_and_rows(threshold, count)
    worded = np.flatnonzero(signatures[:, 0] != EMPTY)
    keys = band_keys(signatures[worded], bands, band_rows).T.copy()
    by_key = np.argsort(keys, axis=1, kind="stable")
    keys, owners = np.take_along_axis(keys, by_key, axis=1), worded[by_key]
    bits = max(1, len(worded).bit_length())
    tops = np.arange(2**bits + 1, dtype=np.uint64)
    starts = np.stack([np.searchsorted(of_band >> np.uint64(64 - bits), tops) for of_band in keys])
    visits = np.full(keys.shape, max(_LEAST_VISITS, _COMPARISONS // max(1, keys.size)), np.int64)
    rows, counts = np.zeros((len(signatures), BEST), np.int64), np.zeros((len(signatures), BEST), np.int64)
    least, new = least_equal(threshold, count), read_only(signatures)
    for first, old in base.batches():
        theirs = band_keys(old, bands, band_rows)
        for band in range(bands):
            place = (keys[band], owners[band], starts[band], np.uint64(64 - bits), visits[band])
            _meet(theirs[:, band].copy(), read_only(old), first, new, *place, least, rows, counts)
    return rows, counts


@kernel
def _meet(
    theirs: Any,
    old: Any,
    first: Any,
    new: Any,
    keys: Any,
    owners: Any,
    starts: Any,
    shift: Any,
    visits: Any,
    least: Any,
    rows: Any,
    counts: Any,
) -> Any:
    """Compare rows of the base with the new rows that share their key in one band; `rows` and `counts` are changed.

    The new rows of one key are a bucket; `visits` at its start is how many more rows of the base may come to it.
    """
    size, worst = old.shape[1], rows.shape[1] - 1
    for row in range(len(theirs)):
        key = theirs[row]
        place, last = starts[key >> shift], starts[(key >> shift) + np.uint64(1)]
        while place < last and keys[place] < key:
            place += 1
        if place == last or keys[place] != key or visits[place] == 0 or old[row, 0] == EMPTY:
            continue
        visits[place] -= 1
        while place < last and keys[place] == key:
            owner = owners[place]
            place += 1
            if counts[owner, worst] == size:
                continue
            equal = 0
            for index in range(size):
                equal += old[row, index] == new[owner, index]
            if equal >= least:
                _keep(rows[owner], counts[owner], first + row, equal)


@part
def _keep(rows: Any, counts: Any, row: Any, equal: Any) -> Any:
    """Put a row of the base among the likest of a new row: the likest first, the earliest of equals."""
    best = len(rows)
    for place in range(best):
        if counts[place] > 0 and rows[place] == row:
            return
    place = best
    while place > 0 and (counts[place - 1] < equal or (counts[place - 1] == equal and rows[place - 1] > row)):
        place -= 1
    if place == best:
        return
    for later in range(best - 1, place, -1):
        rows[later], counts[later] = rows[later - 1], counts[later - 1]
    rows[place], counts[place] = row, equal


def _verify(
    pairs: NDArray[np.int64],
    texts: FetchTexts,
    sizes: NDArray[np.int64],
    base_texts: FetchTexts,
    threads: int | None,
) -> NDArray[np.float64]:
    """The exact Jaccard of (new row, row of the base); a row of the base is taken to be as long as the new one."""
    out = np.empty(len(pairs))
    by_base = np.argsort(pairs[:, 1], kind="stable")
    for batch in batches_of_pairs(2 * sizes[pairs[by_base, 0]]):
        some = by_base[batch]
        ours, theirs = (distinct(pairs[some, side].astype(np.uint64)).astype(np.int64) for side in (0, 1))
        both = pa.chunked_array([texts(ours).cast(pa.large_string()), base_texts(theirs).cast(pa.large_string())])
        places = [np.searchsorted(ours, pairs[some, 0]), np.searchsorted(theirs, pairs[some, 1]) + len(ours)]
        out[some] = jaccards(*shingle_sets(both, threads), np.stack(places, axis=1), threads)
    return out
