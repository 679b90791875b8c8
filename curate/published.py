"""Texts of rows of published sets, read from their shards where a new row must be compared with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.dedup_text import View, dedup_text
from curate.folder import DatasetFolder

TABLE = "trajectories"


class PublishedTexts:
    """The rows of several folders as one long list, each folder's in its own order.

    Args:
        folders: as given to `SignatureStore.of`.
        view: of the texts.
    """

    def __init__(self, folders: Sequence[DatasetFolder], view: View) -> None:
        self._view = view
        self._groups: list[tuple[Any, int]] = []  # file, row group
        starts = [0]
        for folder in folders:
            for shard in folder.manifest.tables.get(TABLE, []):
                path = folder.path / shard.path
                metadata = pq.read_metadata(path)
                for group in range(metadata.num_row_groups):
                    self._groups.append((path, group))
                    starts.append(starts[-1] + metadata.row_group(group).num_rows)
        self._starts = np.array(starts, np.int64)

    def fetch(self, rows: NDArray[np.int64]) -> pa.Array[Any]:
        """Texts of rows by ascending row numbers; each row group that holds some is read once."""
        texts: list[str] = []
        groups = np.searchsorted(self._starts, rows, side="right") - 1
        for group in np.unique(groups).tolist():
            path, number = self._groups[group]
            with pq.ParquetFile(path) as file:
                messages = file.read_row_group(number, columns=["messages"])
            here = messages.take(pa.array(rows[groups == group] - self._starts[group]))
            texts += [dedup_text(row, self._view) for row in here.to_pylist()]  # type: ignore[arg-type]
        return pa.array(texts, pa.large_string())
