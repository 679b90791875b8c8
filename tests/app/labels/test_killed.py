"""Two annotators in processes that are killed again and again: no label is lost, none is doubled."""

from __future__ import annotations

import gzip
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from app.labels.backing_up import copies
from app.labels.events import Event, Target
from app.labels.queues import Queue
from curate.errors import UsageError

TEAM = ("ann", "bob")
ROOT = Path(__file__).parents[3]


def start(place, name: str, done: Path) -> subprocess.Popen:
    command = [sys.executable, str(Path(__file__).with_name("labeller.py")), str(place.folder), place.url or "", name]
    return subprocess.Popen([*command, str(done)], env={**os.environ, "PYTHONPATH": str(ROOT)})


def count(done: Path) -> int:
    return done.read_bytes().count(b"\n") if done.exists() else 0


def label_under_fire(place, done: dict[str, Path], size: int, kills: int, rng: random.Random) -> None:
    """Both label at the same time; each is killed so often, at random points, and started again."""
    limits = {name: sorted(rng.sample(range(1, size), kills)) for name in TEAM}
    running = {name: start(place, name, done[name]) for name in TEAM}
    while running:
        for name, process in list(running.items()):
            if process.poll() is not None:
                assert process.returncode == 0
                del running[name]
            elif limits[name] and count(done[name]) >= limits[name][0]:
                time.sleep(rng.random() * 0.01)
                process.send_signal(signal.SIGKILL)
                process.wait()
                stood = count(done[name])
                limits[name] = [limit for limit in limits[name] if limit > stood]
                running[name] = start(place, name, done[name])
        time.sleep(0.002)


@pytest.mark.parametrize(("size", "kills"), [(30, 2), pytest.param(200, 12, marks=pytest.mark.slow)])
def test_killed_annotators_lose_and_double_nothing(place, tmp_path, size, kills):
    targets = tuple((Target(f"t{number}", "h"), 0.0) for number in range(size))
    with place.open() as store:
        store.add_queue(Queue("q", "random", annotators=TEAM, targets=targets))
    done = {name: tmp_path / f"{name}.done" for name in TEAM}
    label_under_fire(place, done, size, kills, random.Random(size))
    with place.open() as store:
        events = store.events()
        kept = set(events["event_id"])
        assert {line for path in done.values() for line in path.read_text().split()} <= kept
        assert events.height == 2 * size == events.select("annotator", "trajectory_id").n_unique()
        assert all(store.finished("q", name) for name in TEAM)
        assert store.latest().height == 2 * size
        for copy in copies(place.folder / "backups"):  # taken by servers that were killed at it
            assert whole(copy)


def whole(copy: Path) -> bool:
    if copy.suffix == ".gz":
        return gzip.decompress(copy.read_bytes()).endswith(b'{"end": true}\n')
    with closing(sqlite3.connect(copy)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


OPEN_ONCE = """
import sys
from pathlib import Path
from app.labels.store import LabelStore
from app.settings import LabelSettings
with LabelStore.open(LabelSettings(Path(sys.argv[1]), sys.argv[2] or None)) as store:
    print(store.events().height)
"""


def test_several_processes_may_open_a_new_database_at_once(place):
    command = [sys.executable, "-c", OPEN_ONCE, str(place.folder), place.url or ""]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=120)[0] for process in started] == ["0\n"] * 4


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_labelling_goes_on_when_the_database_server_was_killed_and_is_back(place, server):
    with place.open() as store:
        assert store.record(Event("before", "ann", Target("t1", "h"), "good"))
        server.stop()
        try:
            with pytest.raises(UsageError, match="cannot be written"):
                store.record(Event("after", "ann", Target("t2", "h"), "good"))
        finally:
            server.start()
        assert store.record(Event("after", "ann", Target("t2", "h"), "good"))
        assert not store.record(Event("before", "ann", Target("t1", "h"), "good"))
        assert store.latest()["event_id"].to_list() == ["before", "after"]
