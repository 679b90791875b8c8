"""The oracle of the kernels: the same words, hashes and signatures in plain numpy, written to be read, not quick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.words import LETTER, SHINGLE_WORDS, SOLO, class_table

_MASK = 2**64 - 1
_K0, _K1, _K2 = 0x243F6A8885A308D3, 0x13198A2E03707345, 0xA4093822299F31D1
_K3, _K4, _ROLL = 0xB7E151628AED2A6B, 0xBF7158809CF4F3C7, 0x9E3779B97F4A7C15
_EMPTY = 0xFFFFFFFF


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    classes = class_table()
    found, letters = [], ""
    for character in text:
        kind = classes[ord(character)]
        if kind == LETTER:
            letters += character
            continue
        if letters:
            found.append(letters)
            letters = ""
        if kind == SOLO:
            found.append(character)
    return [*found, letters] if letters else found


def shingle_hashes(text: str) -> NDArray[np.uint64]:
    """The distinct shingle hashes of a text, sorted; the lowest bit, which exact sets leave out, is set."""
    return np.unique(_shingles(text) | np.uint64(1))


def signature(text: str, count: int = 90) -> NDArray[np.uint32]:
    """The signature of a text, shape (K,)."""
    hashes = _shingles(text)
    bins = (hashes >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)
    values = np.minimum(hashes & np.uint64(_EMPTY), np.uint64(_EMPTY - 1)).astype(np.uint32)
    least = np.full(count, _EMPTY, np.uint32)
    np.minimum.at(least, bins.astype(np.intp), values)
    return _densified(least) if len(hashes) else least


def jaccard(one: str, other: str) -> float:
    """The exact Jaccard of two texts' shingle sets; 0 where a text is empty."""
    first, second = shingle_hashes(one), shingle_hashes(other)
    common = len(np.intersect1d(first, second, assume_unique=True))
    union = len(first) + len(second) - common
    return common / union if len(first) and len(second) else 0.0


def band_keys(signatures: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]:
    """Bucket keys, shape (n, bands): a hash of a band's number and its `rows` values."""
    keys = np.empty((len(signatures), bands), np.uint64)
    for band in range(bands):
        key = np.full(len(signatures), (band + 1) * _K0 & _MASK, np.uint64)
        for value in signatures[:, band * rows : (band + 1) * rows].T:
            key = _mix((key ^ value) * np.uint64(_K1))
        keys[:, band] = key
    return keys


def _shingles(text: str) -> NDArray[np.uint64]:
    hashes = _word_hashes([word.encode() for word in words(text)])
    if not len(hashes):
        return hashes
    missing = max(0, SHINGLE_WORDS - len(hashes))
    padded = np.concatenate([np.zeros(missing, np.uint64), hashes])
    windows = np.lib.stride_tricks.sliding_window_view(padded, SHINGLE_WORDS)
    powers = [pow(_ROLL, SHINGLE_WORDS - 1 - index, 2**64) for index in range(SHINGLE_WORDS)]
    return _mix((windows * np.array(powers, np.uint64)).sum(axis=1, dtype=np.uint64))


def _word_hashes(found: Sequence[bytes]) -> NDArray[np.uint64]:
    hashes = []
    for word in found:
        value = len(word) * _K0 & _MASK
        for first in range(0, len(word), 8):
            value = (value ^ int.from_bytes(word[first : first + 8], "little")) * _K1 & _MASK
            value ^= value >> 32
        hashes.append(value * _K2 & _MASK)
    return np.array(hashes, np.uint64)


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ value >> np.uint64(32)) * np.uint64(_K3)
    value = (value ^ value >> np.uint64(29)) * np.uint64(_K4)
    return value ^ value >> np.uint64(32)


def _densified(least: NDArray[np.uint32]) -> NDArray[np.uint32]:
    filled = least.copy()
    for index in np.flatnonzero(least == _EMPTY):
        draw = int(index) * _K0 & _MASK
        while filled[index] == _EMPTY:
            draw = draw + _ROLL & _MASK
            other = int(_mix(np.array([draw], np.uint64))[0] >> np.uint64(32)) * len(least) >> 32
            filled[index] = least[other]
    return filled
