"""The checks on the real files: what the offline teacher writes passes, and it cannot have peeked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from curate.env import DEFAULT_RULES
from curate.trajectory import Trajectory
from synth.checks.row import RowChecks
from synth.checks.settings import CheckSettings
from synth.teachers import make_teacher, turn_view
from synth.thoughts import asked
from synth.turn_rule import plan_turns

ROOT = Path(__file__).resolve().parents[3]


def test_offline_thoughts_pass(real_rows: dict[str, list[Trajectory]]) -> None:
    for stem, rows in real_rows.items():
        codes, turns, failed = Counter[str](), 0, 0
        for row in rows:
            checks = RowChecks(row, CheckSettings())
            teacher = make_teacher("offline")
            for at in asked(plan_turns(row)):
                thought = teacher.write(turn_view(row, at, DEFAULT_RULES))
                found = checks.failed(at, None if thought is None else thought.text)
                codes.update(found)
                turns, failed = turns + 1, failed + bool(found)
        assert failed <= 0.02 * turns, (stem, codes)
        assert not codes["future_entity"] + codes["future_copy"]


def test_the_benchmark_shows_what_is_claimed(shared: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "checks.py"), "--each", "20"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CACHERL_SHARED": str(shared)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["planted_recall_min"] >= 0.9
    assert figures["false_positive_max"] <= 0.02
