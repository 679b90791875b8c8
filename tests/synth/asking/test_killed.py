"""Runs that are killed, stopped and started again: nothing is lost, and nothing is paid for twice.

The fast form kills a small run a few times; the slow one a run of 5,000 turns at 25 random points.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curate.folder import DatasetFolder
from tests.synth.asking.conftest import PRICES
from tests.synth.stub_teacher import Stub

COMMAND = [sys.executable, "-m", "synth.augment"]
CONCURRENCY = 16
FAULTS = [
    {"fault": "429_ms", "p": 0.02, "seed": 1},
    {"fault": "500", "p": 0.02, "seed": 2},
    {"fault": "reset", "p": 0.01, "seed": 3},
    {"fault": "cut", "p": 0.01, "seed": 4},
    {"fault": "html", "p": 0.01, "seed": 5},
    {"fault": "truncated", "p": 0.01, "seed": 6},
    {"fault": "empty", "p": 0.02, "seed": 7},
    {"fault": "cut_off", "p": 0.02, "seed": 8},
    {"fault": "529", "p": 0.005, "seed": 9},
]


class Run:
    """One output and its journal, driven by the command."""

    def __init__(self, source: Path, folder: Path, stub: Stub, cap: float = 50.0) -> None:
        self.out, self.journal, self.stub = folder / "out", folder / "journal", stub
        (folder / "prices.yaml").write_text(PRICES)
        self.command = [
            *(*COMMAND, source, "--out", self.out, "--teacher", "openai:stub-1", "--base-url", stub.url),
            *("--prices", folder / "prices.yaml", "--budget-usd", cap, "--concurrency", CONCURRENCY),
            *("--journal", self.journal, "--progress", "json"),
        ]

    def start(self, *more: str) -> subprocess.Popen[str]:
        env = {**os.environ, "OPENAI_API_KEY": "sk-test-0123456789"}
        words = [str(word) for word in (*self.command, *more)]
        # A test run that was started in the background hands on an ignored SIGINT.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        finally:
            signal.signal(signal.SIGINT, before)

    def killed_after(self, requests: int, how: signal.Signals = signal.SIGKILL) -> tuple[int, str]:
        """Start, and kill after about so many more requests; returns the exit code and what it said."""
        process, goal = self.start(), len(self.stub.requests()) + requests
        while process.poll() is None and len(self.stub.requests()) < goal:
            time.sleep(0.005)
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
        return process.returncode, said

    def finish(self, *more: str) -> str:
        process = self.start(*more)
        _, said = process.communicate(timeout=500)
        assert process.returncode == 0, said
        return said

    def records(self, kind: str) -> list[dict[str, Any]]:
        found = []
        for path in sorted(self.journal.glob("segment-*.jsonl")):
            for line in path.read_text().splitlines():
                record = json.loads(line)
                if record["t"] == kind:
                    found.append(record)
        return found

    def dollars(self) -> float:
        """What the journal says was or may have been spent."""
        replies = self.records("reply")
        answered = {record["id"] for record in replies}
        orphans = [record["usd"] for record in self.records("sent") if record["id"] not in answered]
        return sum(record["usd"] for record in replies) + sum(orphans)

    def check_whole(self, turns: int, cap: float) -> None:
        outcomes = Counter(record["key"] for record in self.records("turn"))
        assert len(outcomes) == turns and set(outcomes.values()) == {1}
        assert self.dollars() <= cap
        rows = list(DatasetFolder.open(self.out).rows("trajectories"))
        entries = [entry for row in rows for entry in row["thinking"]]
        assert len(entries) == turns
        for row in rows:
            for entry in row["thinking"]:
                message = row["messages"][entry["message_index"]]
                assert (message["reasoning_content"] is None) == (entry["origin"] == "none") == (not message["train"])


def _kill_and_finish(run: Run, kills: int, turns: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(kills):
        run.killed_after(chance.randint(1, max(2, turns // (kills + 2) * 2)))
    run.finish()


SIZES = [pytest.param(120, 4, id="fast"), pytest.param(1000, 25, id="slow", marks=pytest.mark.slow)]


@pytest.mark.parametrize(("rows", "kills"), SIZES)
def test_without_faults_a_kill_costs_at_most_what_was_under_way(orders, tmp_path: Path, rows: int, kills: int) -> None:
    with Stub(tmp_path, "--latency-ms", "5") as stub:
        run = Run(orders(rows), tmp_path, stub)
        _kill_and_finish(run, kills, rows * 5, seed=rows)
        assert len(stub.requests()) <= rows * 5 + CONCURRENCY * kills
        run.check_whole(rows * 5, 50.0)
        assert all(record["outcome"] == "accepted" for record in run.records("turn"))


@pytest.mark.parametrize(("rows", "kills"), SIZES)
def test_with_faults_every_turn_is_decided_once(orders, tmp_path: Path, rows: int, kills: int) -> None:
    with Stub(tmp_path, "--latency-ms", "5", faults=FAULTS) as stub:
        run = Run(orders(rows), tmp_path, stub)
        _kill_and_finish(run, kills, rows * 5, seed=rows + 1)
        assert len(stub.requests()) <= len(run.records("sent")) + CONCURRENCY * kills
        run.check_whole(rows * 5, 50.0)
        before = len(stub.requests())
        run.out.rename(tmp_path / "first")
        run.finish()
        assert len(stub.requests()) == before, "tombstones are not paid for again"


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_notes_what_is_under_way_and_says_how_to_go_on(
    orders, tmp_path: Path, how: signal.Signals, code: int
) -> None:
    with Stub(tmp_path, "--latency-ms", "300") as stub:
        run = Run(orders(40), tmp_path, stub)
        ended, said = run.killed_after(20, how)
        assert ended == code, said
        assert "run the same command again" in said and "Traceback" not in said
        assert len(run.records("sent")) == len(run.records("reply")) == len(stub.requests())
        run.finish()
        assert len(stub.requests()) == 200
        run.check_whole(200, 50.0)


def test_the_budget_ends_a_run_and_a_larger_one_goes_on(orders, tmp_path: Path) -> None:
    with Stub(tmp_path, "--latency-ms", "2") as stub:
        run = Run(orders(40), tmp_path, stub, cap=0.05)
        process = run.start()
        _, said = process.communicate(timeout=100)
        assert process.returncode == 3 and "budget" in said and not run.out.exists()
        spent = run.dollars()
        assert 0.03 < spent <= 0.05
        process = run.start()
        process.communicate(timeout=100)
        assert process.returncode == 3 and run.dollars() <= 0.05
        run.finish("--accept-partial")
        counts = DatasetFolder.open(run.out).manifest.counts
        assert counts["without_thought"]["not_asked"] > 0
        run.finish("--budget-usd", "50", "--overwrite")
        run.check_whole(200, 50.0)
