"""The corpus that benchmarks of the reader open."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from app.library import Library
from curate.folder import DatasetFolder
from tests.conftest import ROOT


def make(out, count=1_200):
    script = ROOT / "benchmarks" / "app_corpus.py"
    command = [sys.executable, str(script), str(out), "--trajectories", str(count), "--seed", "3", "--episodes", "60"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_a_corpus_is_a_sound_folder_of_rows_that_all_differ(tmp_path):
    out = make(tmp_path / "one")
    folder = DatasetFolder.open(out)
    assert folder.miscounts() == []
    rows = list(folder.rows("trajectories"))
    assert len(rows) == 1_200 and len({json.dumps(row["messages"]) for row in rows}) == 1_200
    for row in rows:
        assert [each["role"] for each in row["messages"]].count("system") == 1
        for call in (call for each in row["messages"] for call in each["tool_calls"]):
            json.loads(call["arguments"])
        assert all(row["messages"][each["message_index"]]["tool_calls"] for each in row["evidence"])
        assert all(row["messages"][each["message_index"]]["reasoning_content"] for each in row["thinking"])
    frame = Library.open([out], tmp_path / "index").frame
    assert frame["reject_reason"].is_not_null().sum() == 24
    assert frame["messages"].n_unique() > 10 and frame["worst_tier"].n_unique() > 4
    again = make(tmp_path / "two")
    assert all((again / path.name).read_bytes() == path.read_bytes() for path in out.iterdir())
