from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

ray = pytest.importorskip("ray", reason="the engine on Ray is an extra: pip install 'ray[data]'")

from curate import neardup_chunks  # noqa: E402
from curate.engine import WorkerLost  # noqa: E402
from curate.errors import InputError, UsageError  # noqa: E402
from curate.folder import DatasetFolder  # noqa: E402
from curate.minhash import signatures  # noqa: E402
from curate.neardup import near_duplicates, search  # noqa: E402
from curate.ray_engine import LOOPBACK, OBJECT_STORE, RayEngine, _check_node, _connect  # noqa: E402

from .planted import chunk_files, planted  # noqa: E402


@pytest.fixture(scope="module")
def engine() -> Iterator[RayEngine]:
    """A Ray of two workers on loopback, which the commands under test find and use; it ends with the module."""
    with RayEngine(workers=2) as started:
        yield started
    assert not ray.is_initialized()


def square(number: int) -> int:
    if number == 13:
        raise InputError("number 13", "leave it out")
    return number * number


def die(number: int) -> int:
    os._exit(9) if number else None
    return number


def test_results_come_in_the_order_of_the_jobs(engine: RayEngine) -> None:
    asked: list[int] = []
    found = engine.map(square, (asked.append(number) or number for number in range(12)))
    assert next(found) == 0
    assert len(asked) == 4  # no more jobs than the workers can take up
    assert list(found) == [number * number for number in range(1, 12)]
    assert list(engine.map(square, [])) == []


def test_an_error_of_a_task_comes_out_as_it_was_raised(engine: RayEngine) -> None:
    with pytest.raises(InputError, match=r"^number 13; leave it out$"):
        list(engine.map(square, range(20)))


def test_a_dead_worker_is_said_in_one_line(engine: RayEngine) -> None:
    with pytest.raises(WorkerLost, match="run again") as caught:
        list(engine.map(die, range(3)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("seed", "group_rows", "on_cluster"),
    [(1, 1 << 18, False), (2, 64, False), pytest.param(3, 64, True, marks=pytest.mark.slow)],
)
def test_what_is_found_is_what_this_process_finds(
    engine: RayEngine, tmp_path: Path, seed: int, group_rows: int, on_cluster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "on_cluster", on_cluster)
    monkeypatch.setattr(neardup_chunks, "GROUP_ROWS", group_rows)
    texts = planted(seed, 60, 200)
    array = pa.array(texts, pa.large_string())
    rows = pa.table(
        {
            "trajectory_id": [f"id-{number}" for number in range(len(texts))],
            "reward": pa.array([number % 3 / 2 for number in range(len(texts))], pa.float32()),
            "size": pa.array([len(text.encode()) for text in texts], pa.int64()),
        }
    )
    expected = near_duplicates(signatures(array), lambda wanted: array.take(pa.array(wanted)), rows)
    comparer = engine.comparer(chunk_files(tmp_path, texts, 50), 90)
    found = search(comparer, rows, 0.8)
    assert expected.figures["crowded"] > 60 and expected.figures["rounds"] > 1 and len(expected.removed) > 60
    assert comparer.sizes.tolist() == rows["size"].to_pylist()
    assert (found.removed, found.figures) == (expected.removed, expected.figures)
    assert found.clusters.equals(expected.clusters)


def test_nothing_to_compare(engine: RayEngine, tmp_path: Path) -> None:
    comparer = engine.comparer(chunk_files(tmp_path, [""] * 120, 50), 90)
    assert comparer.empty == 120
    pairs, crowded = comparer.candidates(np.arange(120), 0.8)
    assert (len(pairs), crowded.any()) == (0, False)
    assert comparer.candidates(np.empty(0, np.int64), 0.8)[0].tolist() == []
    assert comparer.verify(np.empty((0, 2), np.int64)).tolist() == []


def copies(make_chat: Callable[..., Any]) -> list[Any]:
    """Records of which one in two is an edited copy of the one before."""
    texts = planted(5, 20, 0)
    records = []
    for number, text in enumerate(texts):
        for answer in (text, text + " Bye."):
            record = make_chat(number)
            record["messages"][-1]["content"] = answer
            records.append(record)
    return records


def same_bytes(one: Path, other: Path) -> None:
    names = [sorted(str(path.relative_to(root)) for path in root.rglob("*")) for root in (one, other)]
    assert names[0] == names[1]
    for name in names[0]:
        assert (one / name).is_dir() or (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_curated_folder_is_the_local_one_byte_by_byte(
    engine: RayEngine,
    tmp_path: Path,
    make_chat: Callable[..., Any],
    jsonl: Callable[..., Path],
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from curate import spool

    monkeypatch.setattr(spool, "CHUNK_RECORDS", 25)
    path = jsonl([*copies(make_chat), {"messages": 3}])
    assert run(path, "--out", tmp_path / "local") == 0
    assert run(path, "--out", tmp_path / "ray", "--engine", "ray") == 0
    same_bytes(tmp_path / "local", tmp_path / "ray")
    assert DatasetFolder.open(tmp_path / "ray").manifest.counts["near_duplicates"]["removed"] > 30


def test_published_sets_are_compared_too(
    engine: RayEngine,
    tmp_path: Path,
    make_chat: Callable[..., Any],
    jsonl: Callable[..., Path],
    run: Callable[..., int],
) -> None:
    records = copies(make_chat)
    old, new = jsonl(records[:40], "old.jsonl"), jsonl(records[20:], "new.jsonl")
    assert run(old, "--out", tmp_path / "old") == 0
    assert run(new, "--against", tmp_path / "old", "--out", tmp_path / "local") == 0
    assert run(new, "--against", tmp_path / "old", "--out", tmp_path / "ray", "--engine", "ray") == 0
    same_bytes(tmp_path / "local", tmp_path / "ray")


def test_a_node_that_sees_another_folder_or_runs_another_version_is_named() -> None:
    from curate import __version__

    folder = Path("/data/out.journal")
    _check_node("10.0.0.2", folder, (b"here", __version__), b"here")
    with pytest.raises(UsageError, match=r"10\.0\.0\.2 .* does not see /data/out\.journal; choose an --out"):
        _check_node("10.0.0.2", folder, (None, __version__), b"here")
    with pytest.raises(UsageError, match=r"10\.0\.0\.2 .* runs 0\.0 cacherl, not"):
        _check_node("10.0.0.2", folder, (b"here", "0.0"), b"here")
    with pytest.raises(UsageError, match="runs no cacherl"):
        _check_node("10.0.0.2", folder, (None, None), b"here")


def test_all_nodes_of_a_cluster_are_asked(engine: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "on_cluster", True)
    engine.reach(tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("curate.ray_engine._answer", lambda node, probe: (b"another folder", "0"))
    with pytest.raises(UsageError, match=r"^node [0-9.]+ of the Ray cluster"):
        engine.reach(tmp_path)


def test_a_ray_that_we_start_keeps_to_this_machine(engine: RayEngine) -> None:
    worker: Any = ray.get_runtime_context()
    assert {node["NodeManagerAddress"] for node in ray.nodes()} == {LOOPBACK} or sys.platform != "linux"
    assert worker.gcs_address.startswith("127.") or sys.platform != "linux"
    assert ray.cluster_resources()["object_store_memory"] <= OBJECT_STORE


def test_ray_leaves_the_signals_to_the_command(engine: RayEngine) -> None:
    assert signal.getsignal(signal.SIGTERM) in (signal.SIG_DFL, None)


def test_an_address_where_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    for wrong in (address, f"ray://{address}", "127.0.0.1:99999"):
        with pytest.raises(UsageError, match=f"^no Ray at {wrong}: .*; give --ray-address"):
            _connect(wrong, 2)
