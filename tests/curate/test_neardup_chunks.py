from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curate import buckets, neardup_chunks
from curate.buckets import bands_and_rows, candidate_pairs, decoded, distinct
from curate.minhash import EMPTY, signatures
from curate.neardup import verify
from curate.neardup_chunks import ChunkRows, GroupPairs, GroupRows, Pairs, compare, measure, part_bits

from .planted import chunk_files, planted

TEXTS = planted(3, 60, 150)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> ChunkRows:
    return chunk_files(tmp_path_factory.mktemp("chunks"), TEXTS, 64)


def grouped(rows: ChunkRows, order: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Candidates as an engine finds them: rows of jobs, brought together by group, in whatever order they come."""
    bands, band_rows = bands_and_rows(threshold, 90)
    tables = [GroupRows(bands, band_rows, part_bits(len(order)))(job) for job in rows.jobs(order)]
    random.Random(0).shuffle(tables)
    table = pa.concat_tables(tables)
    task = GroupPairs(bands, band_rows, threshold, len(order))
    groups = table.column("group").unique().to_pylist()
    found = pa.concat_tables([task(table.filter(pa.compute.equal(table.column("group"), group))) for group in groups])
    codes, members = found.column("code").to_numpy(), found.column("crowded").to_numpy(zero_copy_only=False)
    crowded = np.zeros(len(order), np.bool_)
    crowded[codes[members].astype(np.int64)] = True
    return decoded(distinct(codes[~members])), crowded


@pytest.mark.parametrize("group_rows", [1, 16, 1 << 18])
@pytest.mark.parametrize("threshold", [0.6, 0.8])
@pytest.mark.parametrize("small", [2, 32])
def test_groups_find_the_pairs_that_all_rows_together_find(
    rows: ChunkRows, group_rows: int, threshold: float, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neardup_chunks, "GROUP_ROWS", group_rows)
    monkeypatch.setattr(buckets, "SMALL", small)
    order = np.random.default_rng(1).permutation(len(TEXTS))[:-20]
    values = signatures(pa.array(TEXTS))
    expected, expected_crowded = candidate_pairs(values, order, *bands_and_rows(threshold, 90), threshold)
    pairs, crowded = grouped(rows, order, threshold)
    assert expected_crowded.sum() > 100
    assert pairs.tolist() == expected.tolist()
    assert crowded.tolist() == expected_crowded.tolist()


def test_a_group_is_about_as_large_as_a_worker_can_bear() -> None:
    assert [part_bits(total) for total in (0, 1, 1 << 18, (1 << 18) + 1, 1 << 20, 10**12)] == [0, 0, 0, 1, 2, 12]


def test_pairs_are_compared_by_the_texts_of_the_chunk_files(rows: ChunkRows) -> None:
    rng = np.random.default_rng(2)
    pairs = rng.integers(0, len(TEXTS), (50, 2))
    needed = np.unique(pairs)
    job = Pairs([(path, places) for path, places, _ in rows.by_chunk(needed)], np.searchsorted(needed, pairs))
    texts: Any = pa.array(TEXTS, pa.large_string())
    sizes = np.array([len(text.encode()) for text in TEXTS])
    assert compare(job).tolist() == verify(pairs, lambda wanted: texts.take(pa.array(wanted)), sizes).tolist()


def test_texts_are_measured_where_they_lie(rows: ChunkRows) -> None:
    every = np.arange(len(TEXTS))
    found = [measure((path, places)) for path, places, _ in rows.by_chunk(every)]
    assert np.concatenate([sizes for sizes, _ in found]).tolist() == [len(text.encode()) for text in TEXTS]
    assert sum(empty for _, empty in found) == (signatures(pa.array(TEXTS))[:, 0] == EMPTY).sum() > 0


def test_rows_are_named_by_their_position(rows: ChunkRows) -> None:
    wanted = np.array([70, 3, 200, 64])
    found = {
        int(at): (path, int(place))
        for path, places, ats in rows.by_chunk(wanted)
        for place, at in zip(places, ats, strict=True)
    }
    assert found == {at: (rows.paths[row // 64], row % 64) for at, row in enumerate(wanted.tolist())}
    assert list(rows.jobs(np.empty(0, np.int64))) == []
