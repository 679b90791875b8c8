"""MinHash signatures and exact shingle sets of texts, straight from the UTF-8 of Arrow arrays.

No seed is used, and each text's result depends on its bytes alone: not on threads, chunks or versions of a library.
`minhash_kernel.py` does the work, `minhash_reference.py` is its oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.engine import cores
from curate.jit import read_only
from curate.minhash_kernel import EMPTY, jaccards_of_pairs, sets_of_texts, sign_texts
from curate.words import class_table

Signatures: TypeAlias = NDArray[np.uint32]
Texts: TypeAlias = "pa.Array[Any] | pa.ChunkedArray[Any]"

__all__ = [
    "signatures",
    "signatures_of_bytes",
    "shingle_sets",
    "jaccards",
    "estimate",
    "Signatures",
    "EMPTY",
    "PERMUTATIONS",
    "SIGNATURE_VERSION",
]

SIGNATURE_VERSION = "1"
"""Changes when words, hashes or bins change: signatures are comparable only within one version."""
PERMUTATIONS = 90
_RANGE_BYTES = 4 * 2**20


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
        [
            np.empty((0, count), np.uint32),
            *(signatures_of_bytes(*buffers_of(chunk), count, threads) for chunk in _chunks(texts)),
        ]
    )


def signatures_of_bytes(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], count: int = PERMUTATIONS, threads: int | None = None
) -> Signatures:
    """As `signatures`, of n texts that lie at `data[offsets[i]:offsets[i + 1]]`; `offsets` has n + 1 entries."""
    out = np.full((len(offsets) - 1, count), EMPTY, np.uint32)

    def work(first: int, last: int) -> None:
        sign_texts(read_only(offsets[first : last + 1]), read_only(data), class_table(), out[first:last])

    _in_ranges(work, offsets, threads)
    return out


def shingle_sets(texts: Texts, threads: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The distinct 64-bit hashes of each text's shingles.

    Returns:
        (offsets, hashes): the set of text i is `hashes[offsets[i]:offsets[i + 1]]`, in the order of first occurrence.
    """
    counts, hashes = [np.zeros(1, np.int64)], [np.empty(0, np.uint64)]
    for chunk in _chunks(texts):
        offsets, data = buffers_of(chunk)

        def work(first: int, last: int, offsets: Any = offsets, data: Any = data) -> Any:
            return sets_of_texts(read_only(offsets[first : last + 1]), read_only(data), class_table())

        for sizes, found in _in_ranges(work, offsets, threads):
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
    work = [(offsets, hashes, pairs[first:last]) for first, last in pairwise(parts)]
    return np.concatenate(run_threads(jaccards_of_pairs, work, threads))


def estimate(one: Signatures, other: Signatures) -> NDArray[np.float64]:
    """The estimated Jaccard of two signatures, or of rows of two arrays: the share of equal values.

    Standard error as MinHash's, sqrt(J (1 - J) / K), or less. 0 where a text is empty.
    """
    equal: NDArray[np.float64] = np.mean((one == other) & (one != EMPTY), axis=-1)
    return equal


def run_threads(work: Callable[..., Any], items: Sequence[tuple[Any, ...]], threads: int | None) -> list[Any]:
    """`work(*item)` of each item in threads, results in the order of the items."""
    if len(items) <= 1 or (threads or cores()) == 1:
        return [work(*item) for item in items]
    with ThreadPoolExecutor(threads or cores()) as pool:
        return list(pool.map(lambda item: work(*item), items))


def buffers_of(texts: pa.Array[Any]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """(offsets, bytes) of a string array; a large_string's without a copy."""
    if texts.null_count:
        texts = texts.fill_null("")
    if not pa.types.is_large_string(texts.type):
        texts = texts.cast(pa.large_string())
    _, ends, data = texts.buffers()
    if len(texts) == 0 or ends is None or data is None:
        return np.zeros(len(texts) + 1, np.int64), np.empty(0, np.uint8)
    offsets = np.frombuffer(memoryview(ends), np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return offsets, np.frombuffer(memoryview(data), np.uint8)


def _chunks(texts: Texts) -> list[pa.Array[Any]]:
    return list(texts.chunks) if isinstance(texts, pa.ChunkedArray) else [texts]


def _in_ranges(work: Callable[[int, int], Any], offsets: NDArray[np.int64], threads: int | None) -> list[Any]:
    """`work(first, last)` over ranges of texts of about equal size in bytes."""
    steps = np.arange(offsets[0], offsets[-1] + 1, _RANGE_BYTES)
    edges = np.unique(np.append(np.searchsorted(offsets, steps, side="left"), [0, len(offsets) - 1]))
    return run_threads(work, list(pairwise(edges.tolist())), threads)
