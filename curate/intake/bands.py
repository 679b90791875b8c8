"""The bands of accepted rows: datasketch's MinHashLSH on Redis, whose writes become part of our transactions."""

from __future__ import annotations

from typing import Any

import numpy as np
from datasketch import MinHashLSH
from numpy.typing import NDArray

from curate.buckets import bands_and_rows, least_equal
from curate.intake.sketch import Sketch

Buckets = list[tuple[Any, bytes, bool]]
"""Of an accepted row: (datasketch's table, the row's band in it, whether no other row is in that bucket)."""


class Bands:
    """Which rows share a band with a sketch; rows are named by bytes, which datasketch stores as they are."""

    def __init__(self, client: Any, basename: str, threshold: float, permutations: int) -> None:
        bands, rows = bands_and_rows(threshold, permutations)
        if bands == 1:  # datasketch refuses a single band
            bands, rows = 2, permutations // 2
        self.cut = (bands, rows)
        self._enough = least_equal(threshold, bands * rows)
        redis = {"connection_pool": client.connection_pool}
        storage = {"type": "redis", "basename": basename.encode(), "redis": redis}
        self._lsh = MinHashLSH(threshold, permutations, params=self.cut, storage_config=storage, prepickle=False)

    def candidates(self, sketch: Sketch) -> list[bytes]:
        """Rows that share a band, and whose signatures are equal enough to be worth the exact look; sorted."""
        keys = sorted(self._lsh.query(sketch.minhash))
        if not keys:
            return []
        ours = sketch.minhash.hashvalues[: self.cut[0] * self.cut[1]]
        stored = zip(keys, self._lsh.keys.getmany(*keys), strict=True)
        return [key for key, bands in stored if _equal(ours, bands) >= self._enough]

    def queue_into(self, pipe: Any) -> None:
        """Send what `add` and `drop` write into a transaction; on its own datasketch sends it one by one."""
        for table in (self._lsh.keys, *self._lsh.hashtables):
            table._buffer = pipe

    def add(self, key: bytes, sketch: Sketch) -> None:
        """Queue a row's bands."""
        self._lsh.insertion_session().insert(key, sketch.minhash, check_duplication=False)

    def buckets_of(self, key: bytes) -> Buckets:
        """Where an accepted row stands, for `drop`; to be read before the transaction begins."""
        bands = zip(self._lsh.hashtables, self._lsh.keys.get(key), strict=False)
        return [(table, band, set(table.get(band)) <= {key}) for table, band in bands]

    def drop(self, key: bytes, buckets: Buckets) -> None:
        """Queue the removal of a row's bands; datasketch's own would leave the names of empty buckets behind."""
        for table, band, alone in buckets:
            table.remove_val(band, key, buffer=True)
            if alone:
                table.remove(band, buffer=True)
        if buckets:
            self._lsh.keys.remove(key, buffer=True)


def _equal(ours: NDArray[np.uint32], bands: list[bytes]) -> int:
    """How many values of two signatures are equal; datasketch keeps a row's bands big-endian."""
    stored = b"".join(bands)
    if len(stored) != ours.nbytes:
        return 0
    return int((np.frombuffer(stored, ours.dtype.newbyteorder(">")) == ours).sum())
