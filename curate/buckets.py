"""Candidate pairs from signatures: rows whose signatures agree in a whole band, and agree enough as a whole.

Each band gives a row a 64-bit key; rows of one key are a bucket. In buckets of up to `SMALL` rows all pairs are
looked at. A larger one is a star and chains, so that its pairs stay proportional to its rows: each row is compared
with up to `LEADERS` rows that are unlike each other, and rows that none of them is like with their neighbours in the
order of other bands. Every pair must pass the estimate, four standard errors below the threshold.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.jit import inlined, kernel, part, read_only
from curate.minhash import EMPTY, Signatures, run_threads

SMALL = 32
LEADERS = 64
_ENOUGH = 3  # leaders that a row is like: more would only be verified in vain
_CHAINS = 4
_LINKS = 8
_RECALL = 0.999
_ERRORS = 4.0

_K0 = np.uint64(0x243F6A8885A308D3)
_K1 = np.uint64(0x13198A2E03707345)
_K3 = np.uint64(0xB7E151628AED2A6B)
_K4 = np.uint64(0xBF7158809CF4F3C7)
_U0, _U1, _U29, _U32 = np.uint64(0), np.uint64(1), np.uint64(29), np.uint64(32)
PART_BITS = 12
"""What rows of two parts do is decided apart: buckets and chains never join keys that differ in these highest bits."""
_PART = np.uint64((1 << PART_BITS) - 1 << 64 - PART_BITS)


def bands_and_rows(threshold: float, count: int, recall: float = _RECALL) -> tuple[int, int]:
    """How a signature is cut into bands of rows.

    As datasketch's `MinHashLSH` chooses with its default weights: the least sum of the areas of false positives and
    false negatives (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4), but among those that find a pair at
    the threshold itself with probability `recall`: exact verification makes a false positive cost time alone, while
    what is not found stays. With recall 0 the choice is datasketch's.

    Args:
        threshold: Jaccard from which rows are near-duplicates, in (0, 1].
        count: K, the values of a signature.
        recall: least probability at the threshold; where no cut reaches it, the cut that comes nearest is taken.

    Returns:
        (bands, rows), bands * rows <= count.
    """
    cuts = [(bands, rows) for bands in range(1, count + 1) for rows in range(1, count // bands + 1)]
    found = {cut: 1 - (1 - threshold ** cut[1]) ** cut[0] for cut in cuts}
    needed = min(recall, max(found.values()))
    return min((cut for cut in cuts if found[cut] >= needed), key=lambda cut: _error(threshold, *cut))


def least_equal(threshold: float, count: int) -> int:
    """How many values of two signatures must be equal for the pair to be verified."""
    return max(1, int(np.ceil(count * (threshold - _ERRORS * sqrt(threshold * (1 - threshold) / count)))))


def band_keys(signatures: Signatures, bands: int, rows: int) -> NDArray[np.uint64]:
    """Bucket keys of rows, shape (n, bands); a key holds its band's number, so keys of two bands differ."""
    out = np.empty((len(signatures), bands), np.uint64)
    _keys(read_only(signatures), rows, out)
    return out


def candidate_pairs(
    signatures: Signatures,
    order: NDArray[np.int64],
    bands: int,
    rows: int,
    threshold: float,
    threads: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Pairs to verify.

    Args:
        signatures: of all rows.
        order: which rows take part, the ones to keep rather first; they become the centres of stars.
        bands: of `bands_and_rows`.
        rows: of `bands_and_rows`.
        threshold: Jaccard from which rows are near-duplicates.
        threads: bands that are looked at at once; they do not change the result.

    Returns:
        (pairs, crowded): places in `order`, shape (m, 2), the smaller first, sorted and without repetition; and which
        places stood in a bucket above `SMALL`, of which not all pairs were looked at.
    """
    places = np.flatnonzero(signatures[order, 0] != EMPTY).astype(np.uint64)
    bits, equal = _place_bits(len(order)), _bounds(threshold, signatures.shape[1])
    values = read_only(signatures)
    work = [(values, order, places, bits, band, bands, rows, equal) for band in range(bands)]
    found = run_threads(_band_pairs, work, threads)
    codes = distinct(np.concatenate([codes for codes, _ in found]))
    crowded = np.zeros(len(order), np.bool_)
    for _, members in found:
        crowded[members] = True
    return decoded(codes), crowded


def part_pairs(
    signatures: Signatures,
    places: NDArray[np.int64],
    total: int,
    band: int,
    bands: int,
    rows: int,
    threshold: float,
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """What `candidate_pairs` finds in a part of a band: the same, where all parts of all bands are put together.

    Args:
        signatures: of all rows whose keys in this band have the same `PART_BITS` highest bits, or the same first ones
            of these bits; without rows of empty texts.
        places: of these rows among all, ascending.
        total: how many rows there are in all.
        band: number of the band.
        bands: of `bands_and_rows`.
        rows: of `bands_and_rows`.
        threshold: Jaccard from which rows are near-duplicates.

    Returns:
        (codes of pairs of places, places that stood in a bucket above `SMALL`).
    """
    here = np.arange(len(places))
    bits, equal = _place_bits(total), _bounds(threshold, signatures.shape[1])
    codes, members = _band_pairs(read_only(signatures), here, here.astype(np.uint64), bits, band, bands, rows, equal)
    return encoded(places[decoded(codes)]), places[members]


def encoded(pairs: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Pairs as single numbers, which sort as the pairs do."""
    return pairs[:, 0].astype(np.uint64) << _U32 | pairs[:, 1].astype(np.uint64)


def decoded(codes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The pairs of `encoded`, shape (m, 2)."""
    return np.stack([codes >> _U32, codes & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def distinct(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sorted, each once; `np.unique` takes ten times as long on 64-bit integers."""
    codes = np.sort(codes)
    first: NDArray[np.bool_] = np.append(True, codes[1:] != codes[:-1])[: len(codes)]
    return codes[first]


def _error(threshold: float, bands: int, rows: int) -> float:
    """The areas below the curve of chance before the threshold and above it after, by the midpoint rule."""
    step = 0.001
    before = np.arange(step / 2, threshold, step)
    after = np.arange(threshold + step / 2, 1.0, step)
    missed = (1 - after**rows) ** bands
    return float((1 - (1 - before**rows) ** bands).sum() + missed.sum())


def _place_bits(total: int) -> np.uint64:
    """Low bits of a key that hold the row's place."""
    return np.uint64(max(1, total).bit_length())


def _bounds(threshold: float, count: int) -> NDArray[np.int64]:
    """Equal values from which a pair is verified, and from which it is nearly sure to be alike."""
    return np.array([least_equal(threshold, count), int(np.ceil(threshold * count))], np.int64)


def _band_pairs(
    signatures: Signatures,
    order: NDArray[np.int64],
    places: NDArray[np.uint64],
    bits: np.uint64,
    band: int,
    bands: int,
    rows: int,
    equal: NDArray[np.int64],
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """(codes of pairs, members of large buckets) of one band."""
    keys = _sorted_keys(signatures, order, places, bits, band, band, rows)
    large = _in_large(keys >> bits)
    crowd = keys[large]
    codes = [_linked(signatures, order, keys[~large], bits, SMALL - 1, equal[0])]
    if len(crowd):
        stars, alone = _stars(signatures, order, crowd, bits, equal)
        codes.append(stars)
        for step in range(1, min(_CHAINS, bands - 1) + 1):
            chain = _sorted_keys(signatures, order, alone, bits, band, (band + step) % bands, rows)
            codes.append(_linked(signatures, order, chain, bits, _LINKS, equal[0]))
    return distinct(np.concatenate(codes)), (crowd & ((_U1 << bits) - _U1)).astype(np.int64)


def _sorted_keys(
    signatures: Signatures,
    order: NDArray[np.int64],
    places: NDArray[np.uint64],
    bits: np.uint64,
    band: int,
    second: int,
    rows: int,
) -> NDArray[np.uint64]:
    """Keys of one band or of two, the place in the low bits: members of a bucket lie side by side, in order.

    Two keys that are equal but for these bits cost a comparison, no more.
    """
    keys = np.empty(len(places), np.uint64)
    _placed_keys(signatures, order, places, bits, band, second, rows, keys)
    keys.sort()
    return keys


def _in_large(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of the sorted keys are of a bucket above `SMALL`."""
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    sizes = np.diff(np.append(starts, len(keys)))
    return np.repeat(sizes > SMALL, sizes)


@inlined
def _key(row: Any, band: Any, rows: Any) -> Any:
    value = np.uint64(band + 1) * _K0
    for index in range(band * rows, (band + 1) * rows):
        value = (value ^ np.uint64(row[index])) * _K1
        value = (value ^ (value >> _U32)) * _K3
        value = (value ^ (value >> _U29)) * _K4
        value ^= value >> _U32
    return value


@kernel
def _keys(signatures: Any, rows: Any, out: Any) -> Any:
    for index in range(len(signatures)):
        for band in range(out.shape[1]):
            out[index, band] = _key(signatures[index], band, rows)


@kernel
def _placed_keys(
    signatures: Any, order: Any, places: Any, bits: Any, band: Any, second: Any, rows: Any, out: Any
) -> Any:
    for index in range(len(places)):
        row = signatures[order[places[index]]]
        key = _key(row, band, rows)
        if second != band:
            key = (key & _PART) | ((key + _key(row, second, rows)) & ~_PART)
        out[index] = ((key >> bits) << bits) | places[index]


@inlined
def _equal(one: Any, other: Any) -> Any:
    count = 0
    for index in range(len(one)):
        count += one[index] == other[index]
    return count


@part
def _grown(codes: Any) -> Any:
    wider = np.empty(2 * len(codes), np.uint64)
    for index in range(len(codes)):
        wider[index] = codes[index]
    return wider


@kernel
def _linked(signatures: Any, order: Any, keys: Any, bits: Any, links: Any, least: Any) -> Any:
    """Codes of pairs: each row with the next ones, up to `links`, of the same key."""
    low = (_U1 << bits) - _U1
    codes, total = np.empty(1024, np.uint64), 0
    for one in range(len(keys)):
        if total + links > len(codes):
            codes = _grown(codes)
        for other in range(one + 1, min(one + 1 + links, len(keys))):
            if keys[other] >> bits != keys[one] >> bits:
                break
            first, second = keys[one] & low, keys[other] & low
            if _equal(signatures[order[first]], signatures[order[second]]) >= least:
                codes[total] = first << _U32 | second
                total += 1
    return codes[:total]


@kernel
def _stars(signatures: Any, order: Any, keys: Any, bits: Any, equal: Any) -> Any:
    """(codes of pairs, rows that no leader is like) of large buckets: leaders are unlike each other, the best first."""
    low = (_U1 << bits) - _U1
    leaders, led, bucket = np.empty(LEADERS, np.uint64), 0, _U0
    codes, total = np.empty(1024, np.uint64), 0
    alone, lonely = np.empty(len(keys), np.uint64), 0
    for key in keys:
        if key >> bits != bucket:
            bucket, led = key >> bits, 0
        if total + LEADERS > len(codes):
            codes = _grown(codes)
        member, like, sure = key & low, 0, False
        for index in range(led):
            count = _equal(signatures[order[leaders[index]]], signatures[order[member]])
            if count >= equal[0]:
                codes[total] = leaders[index] << _U32 | member
                total += 1
                like += 1
                sure = sure or count >= equal[1]
                if like == _ENOUGH:
                    break
        if sure or like == _ENOUGH:
            continue
        if led < LEADERS:
            leaders[led] = member
            led += 1
        elif like == 0:
            alone[lonely] = member
            lonely += 1
    return codes[:total], alone[:lonely]
