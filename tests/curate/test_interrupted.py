"""SIGKILL at any moment leaves the old folder or the new one, whole, and the next run ends as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate import verify

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("interrupted.py")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def killed_at_every_step(tmp_path: Path, argv: list[str], old: Path | None, every: int) -> list[dict[str, Any]]:
    (tmp_path / "work").mkdir(exist_ok=True)
    out = tmp_path / "work" / "out"
    job = {
        "argv": [*argv, "--out", str(out)],
        "root": str(tmp_path / "work"),
        "out": str(out),
        "old": str(old) if old else None,
        "every": every,
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], input=json.dumps(job), cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert found[-1]["code"] == 0
    return found


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_before_any_step_of_a_first_run(
    tmp_path: Path, make_chat: Any, jsonl: Callable[..., Path], every: int
) -> None:
    path = jsonl([make_chat(n) for n in range(3)])
    found = killed_at_every_step(tmp_path, [str(path)], None, every)
    new = found[-1]["after"]
    assert len(found) >= 12
    assert {item["after"] for item in found} == {"absent", new}
    assert [item for item in found if item["again"] or item["end"] != new or item["litter"]] == []


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_before_any_step_of_replacing(
    tmp_path: Path, make_chat: Any, jsonl: Callable[..., Path], run: Any, every: int
) -> None:
    path = jsonl([make_chat(n) for n in range(3)])
    assert run(path, "--min-calls", 0, "--out", tmp_path / "older") == 0
    found = killed_at_every_step(tmp_path, [str(path), "--overwrite"], tmp_path / "older", every)
    new = found[-1]["after"]
    states = {item["after"] for item in found}
    assert len(states) == 2
    assert new in states
    assert not states & {"absent", "broken"}
    assert [item for item in found if item["again"] or item["end"] != new or item["litter"]] == []


def curate_and_kill(argv: list[str], seconds: float) -> int:
    process = subprocess.Popen([sys.executable, "-m", "curate", *argv], cwd=ROOT, stdout=-3, stderr=-3)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return process.wait()


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_killed_at_any_of_40_moments_on_real_data(shared: Path, tmp_path: Path) -> None:
    moments = 40
    source = str(shared / "tau_bench_retail_gpt4o.json.gz")
    started = time.perf_counter()
    assert curate_and_kill([source, "--out", str(tmp_path / "whole")], 60) == 0
    took = time.perf_counter() - started
    assert curate_and_kill([source, "--out", str(tmp_path / "older"), "--min-calls", "3"], 60) == 0
    old, new, out = tree(tmp_path / "older"), tree(tmp_path / "whole"), tmp_path / "out"
    for moment in range(moments):
        if not out.exists():
            (tmp_path / "older").rename(out)
        curate_and_kill([source, "--out", str(out), "--overwrite"], took * (moment + 1) / (moments + 1))
        assert verify.main([str(out)]) == 0
        assert tree(out) in (old, new)
        if tree(out) == new:
            break
    assert curate_and_kill([source, "--out", str(out), "--overwrite"], 60) == 0
    assert tree(out) == new
