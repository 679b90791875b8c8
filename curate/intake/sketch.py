"""What the index compares: a trajectory's canonical text, its 5-word shingles, and datasketch's MinHash over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from datasketch import MinHash
from numpy.typing import NDArray

from curate.canonical import hash128
from curate.dedup_text import View, dedup_text
from curate.minhash import jaccards, shingle_sets
from curate.trajectory import Trajectory

SCHEME = "affine32"
"""datasketch's permutations, seeded by 1; signatures of another scheme cannot be compared."""
_STEP = 20_000  # shingles at once: datasketch makes a table of shingles x permutations


@dataclass(frozen=True)
class Sketch:
    """One text as the index sees it.

    Attributes:
        text: the canonical text.
        hashes: its distinct shingles, uint64; none where the text has no words.
        minhash: datasketch's MinHash over the upper halves of the hashes.
    """

    text: str
    hashes: NDArray[np.uint64]
    minhash: Any

    @cached_property
    def exact_key(self) -> bytes:
        """Equal for equal texts."""
        return hash128(self.text).encode()

    def jaccards(self, texts: Sequence[str]) -> list[float]:
        """The exact Jaccard with each of other texts."""
        sets = shingle_sets(pa.array([self.text, *texts], pa.large_string()))
        others = np.arange(1, len(texts) + 1)
        found: list[float] = jaccards(*sets, np.stack([np.zeros_like(others), others], axis=1)).tolist()
        return found


@dataclass(frozen=True)
class Sketcher:
    """Makes sketches, all with the same permutations."""

    view: View
    permutations: int

    def __call__(self, row: Trajectory) -> Sketch:
        """Sketch a trajectory."""
        text = dedup_text(row, self.view)
        _, hashes = shingle_sets(pa.array([text], pa.large_string()))
        minhash = MinHash(self.permutations, hashfunc=int, permutations=self._parameters, scheme=SCHEME)
        halves = (hashes >> np.uint64(32)).tolist()
        for first in range(0, len(halves), _STEP):
            minhash.update_batch(halves[first : first + _STEP])
        return Sketch(text, hashes, minhash)

    @cached_property
    def _parameters(self) -> Any:
        return MinHash(self.permutations, scheme=SCHEME).permutations
