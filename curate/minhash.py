"""MinHash signatures and exact shingle sets of texts, straight from the UTF-8 of Arrow arrays.

One pass over the bytes finds words, hashes them eight bytes at a time, rolls five of them into a shingle's hash and
keeps the least hash of each of K bins (one-permutation hashing; empty bins are filled by optimal densification:
Shrivastava, "Optimal Densification for Fast and Accurate Minwise Hashing", ICML 2017, arXiv:1703.04664). Nothing is
materialised, no seed is used, and each text's result depends on its bytes alone. `minhash_reference.py` is the oracle.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.jit import inlined, kernel, load64, part, trailing_zeros
from curate.words import SHINGLE_WORDS, class_table

Signatures: TypeAlias = NDArray[np.uint32]
Texts: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"

SIGNATURE_VERSION = "1"
"""Changes when words, hashes or bins change: signatures are comparable only within one version."""
PERMUTATIONS = 90
EMPTY = 0xFFFFFFFF
"""Every value of the signature of a text without words; no other signature holds it."""

_CHUNK_BYTES = 4 * 2**20

# Odd constants with about as many ones as zeros, from the fractions of pi and e; any change is a new version.
_K0 = np.uint64(0x243F6A8885A308D3)
_K1 = np.uint64(0x13198A2E03707345)
_K2 = np.uint64(0xA4093822299F31D1)
_K3 = np.uint64(0xB7E151628AED2A6B)
_K4 = np.uint64(0xBF7158809CF4F3C7)
_ROLL = np.uint64(0x9E3779B97F4A7C15)

_HIGH = np.uint64(0x8080808080808080)
_CASE = np.uint64(0x2020202020202020)
_ONES = 0x0101010101010101
_FROM_0 = np.uint64((0x80 - 0x30) * _ONES)
_FROM_COLON = np.uint64((0x80 - 0x3A) * _ONES)
_FROM_A = np.uint64((0x80 - 0x61) * _ONES)
_FROM_BRACE = np.uint64((0x80 - 0x7B) * _ONES)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_U0, _U1, _U29, _U32 = np.uint64(0), np.uint64(1), np.uint64(29), np.uint64(32)
_LOW32, _MOST = np.uint64(0xFFFFFFFF), np.uint64(EMPTY - 1)
_GATHER = np.uint64(0x0102040810204080)
"""Multiplied with eight bytes of 0 or 1, it moves them into the eight highest bits."""
_STEP = 512
_BEFORE = SHINGLE_WORDS - 1


def signatures(texts: Texts, count: int = PERMUTATIONS, threads: int | None = None) -> Signatures:
    """The signatures of texts.

    Args:
        texts: string or large_string; a null counts as an empty text.
        count: K, the values of a signature.
        threads: how many work at once; all cores that this process may use if None. They do not change the result.

    Returns:
        uint32, shape (n, K); the row of a text without words is all `EMPTY`.
    """
    return np.concatenate(
        [np.empty((0, count), np.uint32), *(_signatures(*buffers_of(part), count, threads) for part in _parts(texts))]
    )


def signatures_of_bytes(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], count: int = PERMUTATIONS, threads: int | None = None
) -> Signatures:
    """As `signatures`, of n texts that lie at `data[offsets[i]:offsets[i + 1]]`; `offsets` has n + 1 entries."""
    return _signatures(offsets, data, count, threads)


def shingle_sets(texts: Texts, threads: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The distinct 64-bit hashes of each text's shingles.

    Returns:
        (offsets, hashes): the set of text i is `hashes[offsets[i]:offsets[i + 1]]`, in the order of first occurrence.
    """
    counts, hashes = [np.zeros(1, np.int64)], [np.empty(0, np.uint64)]
    for part in _parts(texts):
        offsets, data = buffers_of(part)

        def work(first: int, last: int, offsets: Any = offsets, data: Any = data) -> Any:
            return _sets(offsets[first : last + 1], data, class_table())

        for sizes, found in _in_chunks(work, offsets, threads):
            counts.append(sizes)
            hashes.append(found.copy())
    return np.cumsum(np.concatenate(counts)), np.concatenate(hashes)


def jaccards(
    offsets: NDArray[np.int64], hashes: NDArray[np.uint64], pairs: NDArray[np.int64], threads: int | None = None
) -> NDArray[np.float64]:
    """The exact Jaccard of pairs of sets.

    Args:
        offsets: of `shingle_sets`.
        hashes: of `shingle_sets`.
        pairs: shape (m, 2), numbers of sets; quickest where pairs of one first set stand together.
        threads: how many work at once.

    Returns:
        Shape (m,); 0 where a set is empty.
    """
    parts = np.linspace(0, len(pairs), (threads or cores()) + 1).astype(np.int64)
    work = [(offsets, hashes, pairs[first:last]) for first, last in zip(parts[:-1], parts[1:], strict=True)]
    return np.concatenate(run_threads(_jaccards, work, threads))


def estimate(one: Signatures, other: Signatures) -> NDArray[np.float64]:
    """The estimated Jaccard of two signatures, or of rows of two arrays: the share of equal values.

    Standard error as MinHash's, sqrt(J (1 - J) / K), or less. 0 where a text is empty.
    """
    equal: NDArray[np.float64] = np.mean((one == other) & (one != EMPTY), axis=-1)
    return equal


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run_threads(work: Callable[..., Any], items: Sequence[tuple[Any, ...]], threads: int | None) -> list[Any]:
    """`work(*item)` of each item in threads, results in the order of the items."""
    if len(items) <= 1 or (threads or cores()) == 1:
        return [work(*item) for item in items]
    with ThreadPoolExecutor(threads or cores()) as pool:
        return list(pool.map(lambda item: work(*item), items))


def buffers_of(texts: pa.Array[Any]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """(offsets, bytes) of a string array, the bytes without a copy."""
    if texts.null_count:
        texts = texts.fill_null("")
    if not pa.types.is_large_string(texts.type):
        texts = texts.cast(pa.large_string())
    _, ends, data = texts.buffers()
    if len(texts) == 0 or ends is None or data is None:
        return np.zeros(len(texts) + 1, np.int64), np.empty(0, np.uint8)
    offsets = np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return offsets, np.frombuffer(data, np.uint8)


def _parts(texts: Texts) -> list[pa.Array[Any]]:
    return list(texts.chunks) if isinstance(texts, pa.ChunkedArray) else [texts]


def _signatures(offsets: NDArray[np.int64], data: NDArray[np.uint8], count: int, threads: int | None) -> Signatures:
    out = np.full((len(offsets) - 1, count), EMPTY, np.uint32)

    def work(first: int, last: int) -> None:
        _sign(offsets[first : last + 1], data, class_table(), out[first:last])

    _in_chunks(work, offsets, threads)
    return out


def _in_chunks(work: Callable[[int, int], Any], offsets: NDArray[np.int64], threads: int | None) -> list[Any]:
    """`work(first, last)` over ranges of texts of about equal size in bytes."""
    steps = np.arange(offsets[0], offsets[-1] + 1, _CHUNK_BYTES)
    edges = np.unique(np.append(np.searchsorted(offsets, steps, side="left"), [0, len(offsets) - 1]))
    return run_threads(work, list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)), threads)


@inlined
def _mix(value: Any) -> Any:
    value ^= value >> _U32
    value *= _K3
    value ^= value >> _U29
    value *= _K4
    return value ^ (value >> _U32)


@part
def _last_bytes(data: Any, first: Any, last: Any) -> Any:
    """Up to eight bytes, the first one lowest, where eight cannot be read at once."""
    value = _U0
    for index in range(last - 1, first - 1, -1):
        value = (value << np.uint64(8)) | np.uint64(data[index])
    return value


@inlined
def _word_hash(data: Any, first: Any, last: Any) -> Any:
    """Hash of the bytes `data[first:last]`, eight at a time."""
    size = last - first
    value = np.uint64(size) * _K0
    while size > 8:
        value = (value ^ load64(data, first)) * _K1
        value ^= value >> _U32
        first += 8
        size -= 8
    if first + 8 <= len(data):
        tail = load64(data, first) & (_ALL >> np.uint64(64 - 8 * size))
    else:
        tail = _last_bytes(data, first, last)
    value = (value ^ tail) * _K1
    return (value ^ (value >> _U32)) * _K2


@inlined
def _word_bits(value: Any) -> Any:
    """Eight bits, set where one of eight ASCII bytes is a letter or digit."""
    folded = value | _CASE
    digits = (value + _FROM_0) & ~(value + _FROM_COLON)
    letters = (folded + _FROM_A) & ~(folded + _FROM_BRACE)
    return ((((digits | letters) & _HIGH) >> np.uint64(7)) * _GATHER) >> np.uint64(56)


@part
def _decode(data: Any, place: Any, end: Any) -> Any:
    """(code point, length) at `place`; a byte that is no UTF-8 stands for itself, so that no bytes can lead astray."""
    lead = np.int64(data[place])
    if lead < 0x80:
        return lead, 1
    length = 1 if lead < 0xC2 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4 if lead < 0xF5 else 1
    if length == 1 or place + length > end:
        return lead, 1
    point = lead & (0x7F >> length)
    for index in range(place + 1, place + length):
        byte = np.int64(data[index])
        if byte & 0xC0 != 0x80:
            return lead, 1
        point = point << 6 | (byte & 0x3F)
    return (point, length) if point < 0x110000 else (lead, 1)


@part
def _slow_edges(data: Any, place: Any, stop: Any, end: Any, classes: Any, edges: Any, count: Any) -> Any:
    """Edges of words in a block that is not all ASCII, code point by code point."""
    while place < stop:
        point, length = _decode(data, place, end)
        kind = classes[point]
        if (kind == 1) != (count & 1 == 1):
            edges[count] = place
            count += 1
        if kind == 2:
            edges[count] = place
            edges[count + 1] = place + length
            count += 2
        place += length
    return place, count


@part
def _edges(data: Any, place: Any, end: Any, classes: Any, edges: Any, count: Any) -> Any:
    """Starts and ends of words in turn, of the next `_STEP` bytes; an odd count means that a word goes on."""
    stop = min(place + _STEP, end)
    while place < stop:
        bits, high = _U0, _HIGH
        if place + 64 <= end:
            high = _U0
            for index in range(8):
                window = load64(data, place + 8 * index)
                high |= window
                bits |= _word_bits(window) << np.uint64(8 * index)
        if high & _HIGH == _U0:
            changes = bits ^ ((bits << _U1) | np.uint64(count & 1))
            while changes != _U0:
                edges[count] = place + trailing_zeros(changes)
                count += 1
                changes &= changes - _U1
            place += 64
        else:
            place, count = _slow_edges(data, place, min(place + 64, end), end, classes, edges, count)
    if place >= end and count & 1 == 1:
        edges[count] = end
        count += 1
    return place, count


@part
def _shingles(data: Any, place: Any, end: Any, classes: Any, seen: Any, edges: Any, words: Any, fresh: Any) -> Any:
    """The shingle hashes of the next `_STEP` bytes of a text.

    Args:
        seen: words of this text so far; -1 - n while word n is cut by the step before, its start in `edges[0]`.
        words: hashes of the last four words stand at the front, zeros before the first word.
        fresh: takes the hashes.

    Returns:
        (place, seen, how many hashes).
    """
    count = 0
    if seen < 0:
        count, seen = 1, -1 - seen
    place, count = _edges(data, place, end, classes, edges, count)
    found = count >> 1
    for index in range(found):
        words[_BEFORE + index] = _word_hash(data, edges[2 * index], edges[2 * index + 1])
    for index in range(found):
        hashed = words[index]
        for later in range(1, SHINGLE_WORDS):
            hashed = hashed * _ROLL + words[index + later]
        fresh[index] = _mix(hashed)
    short = min(max(_BEFORE - seen, 0), found)
    seen += found
    if place >= end and 0 < seen < SHINGLE_WORDS:
        short = found - 1
    for index in range(short, found):
        fresh[index - short] = fresh[index]
    for index in range(_BEFORE):
        words[index] = words[found + index]
    if count & 1 == 1:
        edges[0] = edges[count - 1]
        seen = -1 - seen
    return place, seen, found - short


@part
def _densify(row: Any, taken: Any) -> Any:
    """Give each empty bin the value of a bin drawn by (bin, attempt), the same draws for every text."""
    count = len(row)
    for index in range(count):
        taken[index] = row[index]
    for index in range(count):
        draw = np.uint64(index) * _K0
        while row[index] == EMPTY:
            draw += _ROLL
            row[index] = taken[np.int64(((_mix(draw) >> _U32) * np.uint64(count)) >> _U32)]


@kernel
def _sign(offsets: Any, data: Any, classes: Any, out: Any) -> Any:
    """Fill the signatures of texts; `out` is all `EMPTY` before."""
    edges, words, fresh = np.empty(_STEP + 80, np.int64), np.empty(_STEP + 80, np.uint64), np.empty(_STEP, np.uint64)
    bins, taken = np.uint64(out.shape[1]), np.empty(out.shape[1], np.uint32)
    for text in range(len(offsets) - 1):
        row, place, end, seen = out[text], offsets[text], offsets[text + 1], 0
        for index in range(_BEFORE):
            words[index] = _U0
        while place < end:
            place, seen, count = _shingles(data, place, end, classes, seen, edges, words, fresh)
            for index in range(count):
                hashed = fresh[index]
                place_in_row = ((hashed >> _U32) * bins) >> _U32
                row[place_in_row] = min(row[place_in_row], np.uint32(min(hashed & _LOW32, _MOST)))
        if seen != 0:
            _densify(row, taken)


@kernel
def _sets(offsets: Any, data: Any, classes: Any) -> Any:
    """(how many, the distinct shingle hashes) of texts."""
    edges, words, fresh = np.empty(_STEP + 80, np.int64), np.empty(_STEP + 80, np.uint64), np.empty(_STEP, np.uint64)
    sizes = np.zeros(len(offsets) - 1, np.int64)
    found, table, total = np.empty(_STEP * 16, np.uint64), np.zeros(16, np.uint64), 0
    for text in range(len(offsets) - 1):
        place, end, seen, start = offsets[text], offsets[text + 1], 0, total
        for index in range(_BEFORE):
            words[index] = _U0
        while place < end:
            place, seen, count = _shingles(data, place, end, classes, seen, edges, words, fresh)
            if total + count > len(found):
                wider = np.empty(2 * len(found), np.uint64)
                for index in range(total):
                    wider[index] = found[index]
                found = wider
            for index in range(count):
                found[total + index] = fresh[index] | _U1
            total += count
        table = _room(table, total - start)
        total = start + _distinct(found[start:total], table)
        sizes[text] = total - start
    return sizes, found[:total]


@part
def _room(table: Any, count: Any) -> Any:
    """A table of zeros with at least twice `count` places, a power of two."""
    size = 16
    while size < 2 * count:
        size *= 2
    if len(table) < size:
        return np.zeros(size, np.uint64)
    for index in range(size):
        table[index] = _U0
    return table


@part
def _distinct(hashes: Any, table: Any) -> Any:
    """Move the first of each hash to the front; how many there are."""
    size = 16
    while size < 2 * len(hashes):
        size *= 2
    kept = 0
    for index in range(len(hashes)):
        value = hashes[index]
        place = np.int64(value >> _U1) & (size - 1)
        while table[place] != _U0 and table[place] != value:
            place = (place + 1) & (size - 1)
        if table[place] == _U0:
            table[place] = value
            hashes[kept] = value
            kept += 1
    return kept


@kernel
def _jaccards(offsets: Any, hashes: Any, pairs: Any) -> Any:
    """The exact Jaccard of pairs; the first set of a run of pairs is put in a table once."""
    out = np.zeros(len(pairs), np.float64)
    table, size, held = np.zeros(16, np.uint64), 16, -1
    for index in range(len(pairs)):
        one, other = pairs[index]
        first, last = offsets[one], offsets[one + 1]
        if one != held:
            table, held, size = _room(table, last - first), one, 16
            while size < 2 * (last - first):
                size *= 2
            _distinct(hashes[first:last], table)
        common = 0
        for value in hashes[offsets[other] : offsets[other + 1]]:
            place = np.int64(value >> _U1) & (size - 1)
            while table[place] != _U0 and table[place] != value:
                place = (place + 1) & (size - 1)
            common += table[place] == value
        union = last - first + offsets[other + 1] - offsets[other] - common
        if union > 0:
            out[index] = common / union
    return out
