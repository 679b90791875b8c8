from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from curate import against
from curate import minhash_reference as reference
from curate.buckets import band_keys
from curate.errors import FolderError
from curate.folder import DatasetFolder, FolderWriter, Manifest
from curate.minhash import Signatures, signatures
from curate.neardup import near_duplicates
from curate.signature_store import (
    SignatureStore,
    band_rows,
    from_arrow,
    signature_batch,
    signature_schema,
    to_arrow,
)


def sentences(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(str(rng.randrange(10**6)) for _ in range(50)) for _ in range(count)]


def changed(text: str, words: int) -> str:
    return " ".join(text.split()[:-words] + ["other"] * words) if words else text


def shard(path: Path, texts: list[str], first: int = 0, **facts: str) -> Path:
    ids = pa.array([f"old-{first + number}" for number in range(len(texts))])
    table = pa.table([ids, to_arrow(signatures(pa.array(texts)))], schema=signature_schema(**facts))
    pq.write_table(table, path, row_group_size=7)
    return path


def facts(texts: list[str]) -> pa.Table:
    sizes = pc.binary_length(pa.array(texts)).cast(pa.int64())
    ids = [f"new-{number}" for number in range(len(texts))]
    return pa.table({"trajectory_id": ids, "reward": pa.nulls(len(texts), pa.float32()), "size": sizes})


def test_new_rows_that_stand_in_published_sets_are_removed(tmp_path: Path) -> None:
    old = sentences(60, 0)
    store = SignatureStore([[shard(tmp_path / "a.parquet", old[:25])], [shard(tmp_path / "b.parquet", old[25:], 25)]])
    new = [*sentences(20, 1), changed(old[7], 2), changed(old[40], 2), changed(old[50], 25), *sentences(2, 1), ""]
    read: list[int] = []

    def base_texts(rows: np.ndarray) -> pa.Array:
        read.extend(rows.tolist())
        return pa.array([old[row] for row in rows.tolist()])

    array = pa.array(new)
    found = near_duplicates(
        signatures(array), lambda rows: array.take(pa.array(rows)), facts(new), base=store, base_texts=base_texts
    )
    assert found.removed_by_base == {
        20: (7, reference.jaccard(new[20], old[7])),
        21: (40, reference.jaccard(new[21], old[40])),
    }
    assert set(found.removed) == {23, 24}
    assert sorted(read) == [7, 40]
    assert found.figures["removed_by_base"] == 2
    assert not set(found.clusters["index"].to_pylist()) & {20, 21}


def test_a_row_removed_for_the_base_removes_no_other() -> None:
    """a stands in the base; b is like a but not like the base's row: b stays."""
    old = sentences(1, 2)[0]
    near = changed(old, 4)
    far = " ".join(["first"] * 4 + near.split()[4:])
    assert reference.jaccard(old, near) >= 0.8 <= reference.jaccard(near, far) and reference.jaccard(old, far) < 0.8
    array = pa.array([near, far])
    found = near_duplicates(
        signatures(array),
        lambda rows: array.take(pa.array(rows)),
        facts([near, far]),
        base=InMemory([old]),
        base_texts=lambda rows: pa.array([old]),
    )
    assert (set(found.removed_by_base), found.removed) == ({0}, {})


class InMemory:
    """A base that hands out its rows a few at a time."""

    def __init__(self, texts: list[str], step: int = 3) -> None:
        self.values, self.step = signatures(pa.array(texts)), step

    def batches(self) -> list[tuple[int, Signatures]]:
        return [(first, self.values[first : first + self.step]) for first in range(0, len(self.values), self.step)]


def test_batches_and_threads_change_nothing_and_the_likest_is_verified_first() -> None:
    text = sentences(1, 3)[0]
    old = [changed(text, words) for words in range(12, 0, -1)] * 3
    new = pa.array([text, *sentences(5, 4)])
    sizes = pc.binary_length(new).to_numpy()
    found = []
    for step, threads in ((1, 1), (5, 2), (100, 3)):
        read: list[int] = []

        def fetch(rows: np.ndarray, read: list[int] = read) -> pa.Array:
            read.extend(rows.tolist())
            return pa.array([old[row] for row in rows.tolist()])

        base = InMemory(old, step)
        found.append(
            against.like_base(signatures(new), lambda rows: new.take(pa.array(rows)), sizes, base, fetch, 0.8, threads)
        )
        assert len(read) == 1
    assert found[0] == found[1] == found[2]
    assert list(found[0]) == [0]


@pytest.mark.parametrize("count", [500, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_base_of_identical_rows_is_looked_at_a_bounded_number_of_times(count: int) -> None:
    text = sentences(1, 5)[0]
    new = pa.array([text] * min(count, 10_000))
    sizes, base = pc.binary_length(new).to_numpy(), InMemory([text])
    base.values, base.step = np.repeat(base.values, count, axis=0), 65_536
    found = against.like_base(
        signatures(new),
        lambda rows: new.take(pa.array(rows)),
        sizes,
        base,
        lambda rows: pa.array([text] * len(rows)),
        0.8,
    )
    assert found == {row: (0, 1.0) for row in range(len(new))}


def test_an_empty_base_and_no_new_rows() -> None:
    nothing = pa.array([], pa.string())
    text = pa.array(sentences(1, 6))
    sizes = pc.binary_length(text).to_numpy()
    fetch = lambda rows: text  # noqa: E731
    assert against.like_base(signatures(text), fetch, sizes, InMemory([]), fetch, 0.8) == {}
    assert against.like_base(signatures(nothing), fetch, sizes[:0], InMemory(["a b"]), fetch, 0.8) == {}


def test_rows_of_a_store_are_found_again(tmp_path: Path) -> None:
    store = SignatureStore(
        [[shard(tmp_path / "a.parquet", sentences(20, 0))], [], [shard(tmp_path / "b.parquet", sentences(5, 1), 20)]]
    )
    assert len(store) == 25
    assert store.trajectory_ids([24, 0, 13, 0]) == ["old-24", "old-0", "old-13", "old-0"]
    folders, rows = store.locate(np.array([0, 19, 20, 24]))
    assert (folders.tolist(), rows.tolist()) == ([0, 0, 2, 2], [0, 19, 0, 4])
    assert [first for first, _ in store.batches()] == [0, 20]


def test_signatures_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.parquet", sentences(3, 0), view="whole")
    SignatureStore([[path]], view="whole")
    with pytest.raises(FolderError, match="view is whole, not calls"):
        SignatureStore([[path]], view="calls")
    with pytest.raises(FolderError, match="number of permutations"):
        SignatureStore([[path]], 64)


def test_a_folder_carries_its_signatures(tmp_path: Path) -> None:
    texts = sentences(4, 0)
    values = to_arrow(signatures(pa.array(texts))).to_pylist()
    with FolderWriter(tmp_path / "out", Manifest("curated", "test", {}, [])) as writer:
        table = writer.table("signatures", signature_schema())
        table.write([{"trajectory_id": f"id-{n}", "signature": value} for n, value in enumerate(values)])
    store = SignatureStore.of([DatasetFolder.open(tmp_path / "out")])
    assert (next(iter(store.batches()))[1] == signatures(pa.array(texts))).all()
    with FolderWriter(tmp_path / "bare", Manifest("curated", "test", {}, [])):
        pass
    with pytest.raises(FolderError, match="holds no signatures"):
        SignatureStore.of([DatasetFolder.open(tmp_path / "bare")])


def test_batches_for_an_engine_give_what_one_machine_finds() -> None:
    texts = [*sentences(30, 0), "", *sentences(2, 0)]
    whole = pa.record_batch({"text": texts, "index": np.arange(len(texts))})
    parts = [signature_batch(whole[first : first + 9]) for first in range(0, len(texts), 9)]
    signed = pa.concat_tables(pa.Table.from_batches([part]) for part in parts).combine_chunks().to_batches()[0]
    expected = signatures(pa.array(texts))
    assert signed.schema.names == ["index", "signature"]
    assert (from_arrow(signed.column("signature")) == expected).all()
    assert (from_arrow(signed.column("signature")[3:8]) == expected[3:8]).all()
    rows = band_rows(signed, 18, 5)
    assert rows.num_rows == 18 * 32 and 30 not in rows.column("index").to_pylist()
    keys = band_keys(expected, 18, 5)
    assert all(keys[row["index"], row["band"]] == row["bucket"] for row in rows.to_pylist())
