"""The compiled loops under `minhash.py`: from bytes to words, shingles, signatures and exact Jaccards.

One pass over the bytes finds the edges of words 64 bytes at a time, hashes words eight bytes at a time, five of them to
a shingle's hash, and keeps the least hash of each of K bins: one-permutation hashing, whose empty bins are filled by
optimal densification (Shrivastava, "Optimal Densification for Fast and Accurate Minwise Hashing", ICML 2017,
arXiv:1703.04664). What is in flight fits the first cache. Kernels of this file call nothing but `jit.py` outside it:
numba's cache does not see changes elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.jit import inlined, kernel, load64, part, trailing_zeros
from curate.words import SHINGLE_WORDS

EMPTY = 0xFFFFFFFF
"""Every value of the signature of a text without words; no other signature holds it."""

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
                window: Any = load64(data, place + 8 * index)
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
    """The shingle hashes of the next `_STEP` bytes of a text, into `fresh`: (place, seen, how many).

    `seen` counts the words of this text so far, or is -1 - n while word n is cut by the step before, its start in
    `edges[0]`. At the front of `words` stand the hashes of the last four words, zeros before the first word.
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
    fresh_ones = found - short
    for index in range(fresh_ones):
        fresh[index] = fresh[short + index]
    for index in range(_BEFORE):
        words[index] = words[found + index]
    seen += found
    if place >= end and 0 < seen < SHINGLE_WORDS:
        hashed = _U0
        for index in range(_BEFORE):
            hashed = hashed * _ROLL + words[index]
        fresh[0] = _mix(hashed)
        fresh_ones = 1
    if count & 1 == 1:
        edges[0] = edges[count - 1]
        seen = -1 - seen
    return place, seen, fresh_ones


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
def sign_texts(offsets: Any, data: Any, classes: Any, out: Any) -> Any:
    """Fill the signatures of texts; `out` is all `EMPTY` before."""
    edges, words, fresh = np.empty(_STEP + 80, np.int64), np.empty(_STEP + 80, np.uint64), np.empty(_STEP, np.uint64)
    bins, taken = np.uint64(out.shape[1]), np.empty(out.shape[1], np.uint32)
    for text in range(len(offsets) - 1):
        row, place, end, seen = out[text], offsets[text], offsets[text + 1], np.int64(0)
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
def sets_of_texts(offsets: Any, data: Any, classes: Any) -> Any:
    """(how many, the distinct shingle hashes) of texts."""
    edges, words, fresh = np.empty(_STEP + 80, np.int64), np.empty(_STEP + 80, np.uint64), np.empty(_STEP, np.uint64)
    sizes = np.zeros(len(offsets) - 1, np.int64)
    found, table, total = np.empty(_STEP * 16, np.uint64), np.zeros(16, np.uint64), 0
    for text in range(len(offsets) - 1):
        place, end, seen, start = offsets[text], offsets[text + 1], np.int64(0), total
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
def jaccards_of_pairs(offsets: Any, hashes: Any, pairs: Any) -> Any:
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
