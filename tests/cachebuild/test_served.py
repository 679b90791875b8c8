"""What is withdrawn is seen by nothing that reads recorded calls."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.__main__ import main
from cachebuild.measures import chances
from cachebuild.served import kept, served_batches, served_entries, withdrawn_positions
from cachebuild.withdraw import main as withdraw
from curate.errors import FolderError
from curate.folder import DatasetFolder, FolderWriter, Manifest


@given(st.lists(st.integers(0, 5), max_size=6), st.sets(st.integers(0, 29)), st.integers(0, 3))
def test_hidden_rows_go_whatever_the_batches(sizes, hidden, start):
    batches, at = [], start
    for size in sizes:
        batches.append(pa.RecordBatch.from_pydict({"n": pa.array(range(at, at + size), pa.int64())}))
        at += size
    left = kept(batches, np.array(sorted(hidden), dtype=np.int64), start)
    assert [n for batch in left for n in batch["n"].to_pylist()] == [n for n in range(start, at) if n not in hidden]


@pytest.fixture
def cache(make, write_folder, tmp_path):
    rows = [make(f"{n}", [("get_order", {"order_id": f"W{n}"}, f"order {n}")], task_id=f"t{n % 3}") for n in range(9)]
    assert main([str(write_folder(rows)), "--out", str(tmp_path / "cache")]) == 0
    assert withdraw([str(tmp_path / "cache"), "--task", "t1", "--reason", "x"]) == 0
    return DatasetFolder.open(tmp_path / "cache")


def test_frame_and_batches_hold_what_is_served_in_its_order(cache):
    wanted = [row for row in cache.rows("entries") if row["task_id"] != "t1"]
    assert len(wanted) == 6 and cache.manifest.rows("entries") == 9
    assert served_entries(cache).collect().to_dicts() == wanted
    assert [row for batch in served_batches(cache) for row in batch.to_pylist()] == wanted
    assert served_entries(cache).filter(pl.col("task_id") == "t1").collect().is_empty()
    results = [result for batch in served_batches(cache, ["result"]) for result in batch["result"].to_pylist()]
    assert results == [row["result"] for row in wanted]


def test_tools_calibration_and_chances_count_what_is_served(cache, tmp_path, make, write_folder):
    rows = [make(f"{n}", [("get_order", {"order_id": f"W{n}"}, f"order {n}")], task_id=f"t{n % 3}") for n in range(9)]
    left = write_folder([row for row in rows if row["task_id"] != "t1"], name="left")
    assert main([str(left), "--out", str(tmp_path / "of-those")]) == 0
    other = DatasetFolder.open(tmp_path / "of-those")
    for table in ("tools", "calibration"):
        assert list(cache.rows(table)) == list(other.rows(table))
    assert chances(cache) == chances(other)


def test_a_position_that_is_none_is_refused(cache, tmp_path):
    manifest = Manifest("cache", "test", {}, [])
    with FolderWriter(tmp_path / "odd", manifest) as writer:
        writer.table("entries", pa.schema([("n", pa.int64())])).write([{"n": 1}])
        writer.table("withdrawn", pa.schema([("position", pa.int64())])).write([{"position": 1}])
    with pytest.raises(FolderError, match="withdraws calls that it does not hold"):
        withdrawn_positions(DatasetFolder.open(tmp_path / "odd"))
