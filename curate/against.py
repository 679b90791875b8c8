"""New rows that are like rows of published sets: old signatures stream by, old texts are read to verify alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.buckets import band_keys, bands_and_rows, distinct, least_equal
from curate.jit import kernel, read_only
from curate.minhash import EMPTY, Signatures, jaccards, run_threads, shingle_sets
from curate.neardup_texts import FetchTexts, batches_of_pairs

BEST = 8
"""Rows of the base that are verified for a new row, the likest first, until one is alike."""
_LOOKS = 4096
"""Rows of the base that a new row is compared with in each band: published sets hold few rows of one bucket."""


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
    rows, counts = _likest(signatures, base, threshold, threads)
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


def _likest(
    signatures: Signatures, base: Base, threshold: float, threads: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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
    looks = np.zeros((bands, len(signatures)), np.int64)
    rows, counts = np.zeros((len(signatures), BEST), np.int64), np.zeros((len(signatures), BEST), np.int64)
    least = least_equal(threshold, count)

    def meet(band: int, theirs: NDArray[np.uint64], old: Signatures) -> NDArray[np.int64]:
        place = (keys[band], owners[band], starts[band], np.uint64(64 - bits), looks[band])
        found: NDArray[np.int64] = _meetings(
            theirs[:, band].copy(), read_only(old), read_only(signatures), *place, least
        )
        return found

    for first, old in base.batches():
        theirs = band_keys(old, bands, band_rows)
        met = run_threads(meet, [(band, theirs, old) for band in range(bands)], threads)
        _merge(np.concatenate(met), first, rows, counts)
    return rows, counts


@kernel
def _meetings(
    theirs: Any,
    old: Any,
    new: Any,
    keys: Any,
    owners: Any,
    starts: Any,
    shift: Any,
    looks: Any,
    least: Any,
) -> Any:
    """(new row, row of the batch, equal values) where a row of the base shares a key with a new one."""
    found, total = np.empty((256, 3), np.int64), 0
    for row in range(len(theirs)):
        key = theirs[row]
        top = key >> shift
        for place in range(starts[top], starts[top + np.uint64(1)]):
            owner = owners[place]
            if keys[place] != key or looks[owner] >= _LOOKS:
                continue
            looks[owner] += 1
            equal = 0
            for index in range(old.shape[1]):
                equal += old[row, index] == new[owner, index]
            if equal < least or old[row, 0] == EMPTY:
                continue
            if total == len(found):
                wider = np.empty((2 * total, 3), np.int64)
                for index in range(total):
                    for column in range(3):
                        wider[index, column] = found[index, column]
                found = wider
            found[total, 0], found[total, 1], found[total, 2] = owner, row, equal
            total += 1
    return found[:total]


@kernel
def _merge(met: Any, first: Any, rows: Any, counts: Any) -> Any:
    """Keep the likest rows of the base of each new row, the earliest of equals; both arrays are changed."""
    best = rows.shape[1]
    for index in range(len(met)):
        owner, row, equal = met[index, 0], met[index, 1] + first, met[index, 2]
        known = False
        for place in range(best):
            known = known or (counts[owner, place] > 0 and rows[owner, place] == row)
        place = best
        while place > 0 and not known:
            better = counts[owner, place - 1]
            if better > equal or (better == equal and rows[owner, place - 1] < row):
                break
            place -= 1
        if known or place == best:
            continue
        for later in range(best - 1, place, -1):
            rows[owner, later], counts[owner, later] = rows[owner, later - 1], counts[owner, later - 1]
        rows[owner, place], counts[owner, place] = row, equal


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
    for some in batches_of_pairs(2 * sizes[pairs[by_base, 0]]):
        part = by_base[some]
        ours, theirs = (distinct(pairs[part, side].astype(np.uint64)).astype(np.int64) for side in (0, 1))
        both = pa.chunked_array([texts(ours).cast(pa.large_string()), base_texts(theirs).cast(pa.large_string())])
        places = [np.searchsorted(ours, pairs[part, 0]), np.searchsorted(theirs, pairs[part, 1]) + len(ours)]
        out[part] = jaccards(*shingle_sets(both, threads), np.stack(places, axis=1), threads)
    return out
