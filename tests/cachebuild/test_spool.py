"""The first pass in several processes: the same bytes for any number, and a clear end where one is lost or stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cachebuild import distinct_calls, spool
from cachebuild.__main__ import main
from curate.folder import DatasetFolder
from curate.manifest import is_index

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not is_index(path.name)}


@pytest.fixture
def folder(make, write_folder, monkeypatch):
    """A folder of several row groups, with a tool whose results hold within one task."""
    rows = [
        make(
            f"{n}",
            [("read_file", {"path": f"f{n % 5}"}, f"task {n % 3} {n % 5}"), ("find_shop", {"q": f"near {n % 9}"}, "r")],
            [("cancel_order", {"order_id": f"W{n}"}, "done")],
            [("get_order", {"order_id": f"W{n}"}, '{"status": "cancelled"}'), ("get_order", {"order_id": "W"}, None)],
            task_id=f"t{n % 3}",
            tools=f'[{{"name": "declared_{n % 4}"}}]',
        )
        for n in range(60)
    ]
    rejects = [(make(f"reject {n}", [("find_shop", {"q": f"{n}"}, "far")]), "call_loop") for n in range(9)]
    with monkeypatch.context() as patched:
        patched.setattr("curate.table_writer.MAX_GROUP_ROWS", 7)
        return write_folder(rows, rejects)


def test_the_number_of_workers_does_not_show(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "_GROUPS", 2)
    monkeypatch.setattr(distinct_calls, "MOST_CALLS", 12)
    made = {}
    for workers in ("1", "2", "3"):
        out = tmp_path / f"cache{workers}"
        flags = ["--include-rejects", "loop", "--workers", workers]
        assert main([str(folder), "--out", str(out), *flags]) == 0
        made[workers] = files(out)
    assert made["1"] == made["2"] == made["3"]
    assert len([name for name in made["1"] if name.startswith("entries")]) == 6
    cache = DatasetFolder.open(tmp_path / "cache1")
    assert {row["scope"] for row in cache.rows("entries") if row["tool"] == "read_file"} == {"task"}
    assert {f"declared_{n}" for n in range(4)} <= {row["tool"] for row in cache.rows("tools")}
    assert cache.manifest.counts["left_out"] == {"unanswered": 60}


def test_how_the_folder_is_cut_does_not_show_in_what_is_said(folder, tmp_path, monkeypatch):
    said = []
    for name, groups in ("one", 1), ("all", 1_000):
        monkeypatch.setattr(spool, "_GROUPS", groups)
        assert main([str(folder), "--out", str(tmp_path / name)]) == 0
        cache = DatasetFolder.open(tmp_path / name)
        said.append([list(cache.rows(table)) for table in ("entries", "tools", "calibration")])
    assert said[0] == said[1]


def test_a_tool_of_many_calls_is_calibrated_on_some(make, write_folder, tmp_path, monkeypatch):
    rows = [make(f"{n}", [("get_order", {"order_id": f"W{n}"}, f"order {n}")]) for n in range(20)]
    monkeypatch.setattr(distinct_calls, "MOST_CALLS", 5)
    assert main([str(write_folder(rows)), "--out", str(tmp_path / "cache")]) == 0
    (row,) = DatasetFolder.open(tmp_path / "cache").rows("calibration")
    assert (row["field"], row["pairs"]) == ("order_id", 10)


def test_an_empty_folder_gives_an_empty_cache(write_folder, tmp_path, capsys):
    assert main([str(write_folder([])), "--out", str(tmp_path / "cache")]) == 0
    assert "the cache is empty" in capsys.readouterr().err
    (shard,) = (tmp_path / "cache").glob("entries-*.parquet")
    assert pq.read_metadata(shard).num_rows == 0


def workers_of(pid):
    """The worker processes of a command."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def at_work(worker):
    """Whether a worker process is behind its start: it has loaded what it works with."""
    return "libarrow" in Path(f"/proc/{worker}/maps").read_text()


def started(folder, out):
    """A compile with two workers, at the moment at which both are at work."""
    command = [sys.executable, "-m", "cachebuild", str(folder), "--out", str(out), "--workers", "2"]
    code = "import sys; from cachebuild import spool; spool._GROUPS = 1; from cachebuild.__main__ import main; "
    command[1:3] = ["-c", code + "sys.exit(main(sys.argv[1:]))"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    while process.poll() is None:
        found = workers_of(process.pid)
        if len(found) == 2 and all(map(at_work, found)):
            return process, found
        time.sleep(0.01)
    pytest.fail(f"no worker was seen: {process.communicate()[1]}")


@needs_proc
def test_a_lost_worker_is_said_and_leaves_nothing(folder, tmp_path):
    process, workers = started(folder, tmp_path / "cache")
    os.kill(workers[0], signal.SIGKILL)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert "error: a worker process was killed, most likely for lack of memory; run again with fewer --workers" in said
    assert [path.name for path in tmp_path.iterdir()] == ["curated"]


@needs_proc
def test_ctrl_c_ends_all_processes_and_leaves_nothing(folder, tmp_path):
    process, workers = started(folder, tmp_path / "cache")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Traceback" not in said
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert [path.name for path in tmp_path.iterdir()] == ["curated"]
