"""What a cache serves: its recorded calls without the withdrawn ones. Whoever reads table `entries` reads it here.

The shards of `entries` hold all recorded calls; table `withdrawn` names those that are out of service by their
position among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from curate.errors import FolderError

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.folder import DatasetFolder

Positions: TypeAlias = npt.NDArray[np.int64]
"""Numbers of rows of table `entries`, ascending, shape (n,)."""


def withdrawn_positions(folder: DatasetFolder) -> Positions:
    """The positions of the recorded calls that are withdrawn.

    Raises:
        FolderError: if a position is none of table `entries`.
    """
    if "withdrawn" not in folder.manifest.tables:
        return np.empty(0, dtype=np.int64)
    found = folder.scan("withdrawn").select("position").collect()["position"].to_numpy()
    positions = np.sort(found.astype(np.int64))
    if len(positions) and not 0 <= positions[0] <= positions[-1] < folder.manifest.rows("entries"):
        raise FolderError(f"{folder.path} withdraws calls that it does not hold. Compile it again.")
    return positions


def served_entries(folder: DatasetFolder) -> pl.LazyFrame:
    """The served calls as a LazyFrame with the columns of table `entries`."""
    withdrawn, rows = withdrawn_positions(folder), folder.scan("entries")
    if not len(withdrawn):
        return rows
    hidden = pl.Series("position", withdrawn.astype(np.uint32)).to_frame().lazy()
    return (
        rows.with_row_index("position").join(hidden, on="position", how="anti", maintain_order="left").drop("position")
    )


def served_batches(folder: DatasetFolder, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The served calls in the order they were recorded; batches as `DatasetFolder.batches` cuts them."""
    return kept(folder.batches("entries", columns), withdrawn_positions(folder))


def kept(batches: Iterable[pa.RecordBatch], hidden: Positions, start: int = 0) -> Iterator[pa.RecordBatch]:
    """The rows whose positions are not hidden; the first batch begins at position `start`."""
    for batch in batches:
        first, last = np.searchsorted(hidden, (start, start + batch.num_rows)).tolist()
        if first == last:
            yield batch
        elif last - first < batch.num_rows:
            yield batch.filter(_mask(batch.num_rows, hidden[first:last] - start))
        start += batch.num_rows


def _mask(rows: int, hidden: Positions) -> Any:
    import pyarrow as pa

    mask = np.ones(rows, dtype=bool)
    mask[hidden] = False
    return pa.array(mask)
