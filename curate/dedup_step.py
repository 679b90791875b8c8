"""Duplicates of a run: exact ones, near ones and what stands in published sets, marked on the frame of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.decisions import Decisions
from curate.dedup import DedupSettings, exact_duplicates
from curate.dedup_text import DEDUP_TEXT_VERSION
from curate.digest import read_chunk
from curate.engine import Engine
from curate.folder import DatasetFolder
from curate.minhash import Signatures
from curate.neardup import Comparer, NearDuplicates, near_duplicates, search
from curate.neardup_chunks import ChunkRows
from curate.neardup_texts import TextSpool
from curate.progress import track
from curate.published import PublishedTexts
from curate.signature_store import SignatureStore, from_arrow, signature_schema

_FIELDS: list[pa.Field[Any]] = [
    pa.field("cluster", pa.int64()),
    pa.field("trajectory_id", pa.string()),
    pa.field("kept", pa.string()),  # the row that stays for this one; itself if it stays
    pa.field("jaccard", pa.float64()),  # with the row that stays
]
CLUSTERS = pa.schema(_FIELDS)
"""The table `clusters` of a curated folder: rows that verified pairs connect, the best of each cluster first."""


@dataclass
class Duplicates:
    """What was found beside the marks: the clusters (of `CLUSTERS`) and counts for the report."""

    clusters: pa.Table = field(default_factory=CLUSTERS.empty_table)
    figures: dict[str, int] = field(default_factory=dict)


def signatures_schema(settings: DedupSettings) -> pa.Schema:
    """The schema of the table `signatures` that later runs compare with."""
    return signature_schema(settings.permutations, **_comparable(settings))


def _comparable(settings: DedupSettings) -> dict[str, str]:
    """What must be equal for signatures to be compared."""
    return {"view": settings.near_view, "text_version": DEDUP_TEXT_VERSION}


def open_published(settings: DedupSettings) -> list[DatasetFolder]:
    """The folders of `--against`, opened and checked.

    Raises:
        UsageError: if one is no curated folder.
        FolderError: if one was changed, or holds no signatures that can be compared.
    """
    folders = [DatasetFolder.open(path, kinds=("curated",)) for path in settings.against]
    _store(folders, settings)
    return folders


def drop_duplicates(
    decisions: Decisions,
    chunks: Sequence[str],
    settings: DedupSettings,
    published: list[DatasetFolder],
    scratch: Path,
    engine: Engine,
) -> Duplicates:
    """Mark the duplicates among the rows that are left.

    Args:
        decisions: the rows of the run; its frame has the columns `chunk`, `place` and `exact_key` beside the others.
        chunks: the files that the rows stand in.
        settings: of the search.
        published: sets whose rows are not to come again.
        scratch: folder for the texts while they are compared.
        engine: who compares rows.
    """
    exact = exact_duplicates(decisions.left())
    decisions.reject("dedup", "exact_duplicate", exact.select("index", detail="of " + pl.col("kept")))
    if not settings.near:
        return Duplicates()
    left = decisions.left().select("index", "chunk", "place", "trajectory_id", "reward")
    places = ChunkRows(chunks, left["chunk"].to_numpy(), left["place"].to_numpy())
    comparer = engine.comparer(places, settings.permutations)
    if comparer is not None and not published:
        found = search(comparer, _facts(left, comparer.sizes), settings.near_threshold)
    else:
        with TextSpool(scratch) as texts:
            signatures = _gathered(places, texts, settings.permutations)
            found = _search(signatures, texts, left, settings, published, comparer)
    ids = left["trajectory_id"]
    decisions.reject(
        "dedup", "published", _marks(found.removed_by_base, left, _published_ids(found, published, settings))
    )
    near = {row: ids[kept] for row, (kept, _) in found.removed.items()}
    decisions.reject("dedup", "near_duplicate", _marks(found.removed, left, near))
    return Duplicates(_named(found.clusters, ids), found.figures)


def _gathered(rows: ChunkRows, texts: TextSpool, permutations: int) -> Signatures:
    """Signatures of the rows, shape (n, K); their texts go into the spool."""
    parts: list[Signatures] = [np.empty((0, permutations), np.uint32)]
    everything = rows.by_chunk(np.arange(len(rows.place)))
    for path, places, _ in track(everything, "signatures", unit="chunks"):
        table = read_chunk(path, ("text", "signature")).take(pa.array(places, pa.int64()))
        texts.append(table.column("text").combine_chunks())
        parts.append(from_arrow(table.column("signature").combine_chunks()))
    return np.concatenate(parts)


def _search(
    signatures: Signatures,
    texts: TextSpool,
    left: pl.DataFrame,
    settings: DedupSettings,
    published: list[DatasetFolder],
    comparer: Comparer | None,
) -> NearDuplicates:
    return near_duplicates(
        signatures,
        texts.fetch,
        _facts(left, texts.sizes),
        settings.search,
        base=_store(published, settings) if published else None,
        base_texts=PublishedTexts(published, settings.near_view).fetch,
        comparer=comparer,
    )


def _facts(left: pl.DataFrame, sizes: NDArray[np.int64]) -> pa.Table:
    """What decides which of two rows stays."""
    columns: dict[str, Any] = {
        "trajectory_id": left["trajectory_id"].to_arrow().cast(pa.string()),
        "reward": left["reward"].to_arrow(),
        "size": pa.array(sizes),
    }
    return pa.table(columns)


def _store(published: list[DatasetFolder], settings: DedupSettings) -> SignatureStore:
    return SignatureStore.of(published, settings.permutations, **_comparable(settings))


def _published_ids(found: NearDuplicates, published: list[DatasetFolder], settings: DedupSettings) -> dict[int, str]:
    """Row -> the published row that it is like, and the set that this one stands in."""
    rows = [base for base, _ in found.removed_by_base.values()]
    if not rows:
        return {}
    store = _store(published, settings)
    folders, _ = store.locate(np.array(rows, np.int64))
    names = [
        f"{row_id} in set {number + 1}" for row_id, number in zip(store.trajectory_ids(rows), folders, strict=True)
    ]
    return dict(zip(found.removed_by_base, names, strict=True))


def _marks(removed: dict[int, tuple[int, float]], left: pl.DataFrame, kept: dict[int, str]) -> pl.DataFrame:
    details = [f"of {kept[row]}, Jaccard {jaccard:.3f}" for row, (_, jaccard) in removed.items()]
    rows: NDArray[np.int64] = np.fromiter(removed, np.int64, len(removed))
    return pl.DataFrame({"index": left["index"].gather(rows), "detail": pl.Series(details, dtype=pl.String)})


def _named(clusters: pa.Table, ids: pl.Series) -> pa.Table:
    """The clusters with the rows' ids."""
    names: Any = ids.to_arrow().cast(pa.string())
    columns = [clusters["cluster"], names.take(clusters["index"]), names.take(clusters["kept"]), clusters["jaccard"]]
    return pa.table(columns, names=CLUSTERS.names).cast(CLUSTERS)
