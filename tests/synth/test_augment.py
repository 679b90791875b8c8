"""`python -m synth.augment` as a user runs it: what it writes, how it goes on after a kill, what it refuses."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.folder import DatasetFolder
from curate.manifest import sha256_file
from curate.trajectory import Trajectory
from synth.augment import main

COMMAND = [sys.executable, "-m", "synth.augment"]


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}


def run(*args: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    words = [*COMMAND, *map(str, args)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, **(env or {})})


@pytest.fixture
def small(write_curated, message, trajectory) -> Path:
    rows = [
        trajectory(
            message("user", "I want to cancel order W123."),
            message("assistant", None, ("get_order", '{"order_id": "W123"}')),
            message("tool", '{"order_id": "W123", "status": "pending"}'),
            message("assistant", "It is pending. Shall I cancel it?"),
            message("assistant", ""),
            trajectory_id=f"{at:032x}",
        )
        for at in range(3)
    ]
    return write_curated(rows)


def test_rows_thoughts_report_and_counts(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(small), "--out", str(tmp_path / "out"), "--teacher", "offline"]) == 0
    folder = DatasetFolder.open(tmp_path / "out", kinds=["augmented"])
    rows = list(folder.rows("trajectories"))
    before = list(DatasetFolder.open(small).rows("trajectories"))
    assert [row["trajectory_id"] for row in rows] == [row["trajectory_id"] for row in before]
    assert all(new["content_hash"] != old["content_hash"] for new, old in zip(rows, before, strict=True))
    counts = folder.manifest.counts
    assert counts["turns"]["silent"] == {"rule": 3}
    assert counts["turns"]["final"] == {"rule": 3, "none": 3}
    assert counts["without_thought"] == {"empty_turn": 3}
    assert counts["arguments"] == {"user": 3}
    assert folder.manifest.inputs[0]["kind"] == "curated"
    assert "empty_turn" in (tmp_path / "out" / "report.md").read_text()
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()
    printed = capsys.readouterr().out
    assert "silent" in printed and "report.html" in printed
    assert not (tmp_path / "out.journal").exists()


def test_the_same_again_is_up_to_date_and_overwriting_gives_the_same_bytes(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(small), "--out", str(out)]) == 0
    first = hashes(out)
    assert main([str(small), "--out", str(out)]) == 0
    assert main([str(small), "--out", str(out), "--overwrite"]) == 0
    assert main([str(small), "--out", str(tmp_path / "other")]) == 0
    assert hashes(out) == first == hashes(tmp_path / "other")


def test_bad_calls_exit_2_with_a_message_and_no_traceback(small, write_curated, tmp_path, capsys) -> None:
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in small.iterdir():
        (changed / path.name).write_bytes(path.read_bytes() + (b"x" if path.suffix == ".parquet" else b""))
    (tmp_path / "bare").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("mine")
    other = write_curated([], "rollouts", kind="rollouts")
    cases = [
        ([tmp_path / "absent", "--out", tmp_path / "o"], "does not exist"),
        ([tmp_path / "bare", "--out", tmp_path / "o"], "manifest.json"),
        ([other, "--out", tmp_path / "o"], "rollouts"),
        ([changed, "--out", tmp_path / "o"], "changed"),
        ([small, "--out", tmp_path / "taken"], "exists"),
        ([small, "--out", tmp_path / "no" / "parent"], "parent"),
        ([small, "--out", tmp_path / "o", "--min-chars", "9", "--max-chars", "5"], "min-chars"),
    ]
    for args, words in cases:
        assert main(list(map(str, args))) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    assert (tmp_path / "taken" / "file").read_text() == "mine"
    with pytest.raises(SystemExit) as wrong:
        main([str(small), "--out", str(tmp_path / "o"), "--recorded", "perhaps"])
    assert wrong.value.code == 2


def test_settings_from_a_file(small: Path, tmp_path: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("checks: {min_chars: 1, max_chars: 30}\n")
    assert main([str(small), "--out", str(tmp_path / "out"), "--config", str(config)]) == 0
    counts = DatasetFolder.open(tmp_path / "out").manifest.counts
    assert counts["without_thought"] == {"empty_turn": 3, "too_long": 6}


def test_an_error_at_the_shell_shows_no_traceback(tmp_path: Path) -> None:
    failed = run(tmp_path / "absent", "--out", tmp_path / "o")
    assert failed.returncode == 2 and "Traceback" not in failed.stderr


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    real_rows: dict[str, list[Trajectory]], write_curated, tmp_path: Path
) -> None:
    rows = []
    for copy_of in range(8):
        for row in real_rows["tau_bench_retail_gpt4o"]:
            again = copy.copy(row)
            again["trajectory_id"] = f"{copy_of}{row['trajectory_id'][1:]}"
            rows.append(again)
    source, out = write_curated(rows), tmp_path / "out"
    assert main([str(source), "--out", str(tmp_path / "whole")]) == 0
    journal, made = tmp_path / "out.journal", set[str]()
    for _ in range(2):
        process = subprocess.Popen([*COMMAND, str(source), "--out", str(out), "--workers", "1"], stderr=-3)
        wait_for_another(journal, made, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not out.exists()
        stamps = {path.name: path.stat().st_mtime_ns for path in journal.glob("*.arrow")}
        assert made <= set(stamps), "finished parts are kept"
        made = set(stamps)
    assert main([str(source), "--out", str(out)]) == 0
    assert hashes(out) == hashes(tmp_path / "whole")
    assert not journal.exists()


def wait_for_another(journal: Path, made: set[str], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if {path.name for path in journal.glob("*.arrow")} - made:
            return
        time.sleep(0.002)
    raise AssertionError("the run ended before it could be killed")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_bytes_do_not_depend_on_the_workers(workers: str, real_rows, write_curated, tmp_path: Path) -> None:
    source = write_curated(real_rows["tau_bench_airline_gpt4o"])
    run(source, "--out", tmp_path / "two", "--workers", "2")
    assert main([str(source), "--out", str(tmp_path / "out"), "--workers", workers]) == 0
    assert hashes(tmp_path / "out") == hashes(tmp_path / "two")


def test_flags_of_models_are_refused_offline(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (["--batch"], ["--budget-usd", "3"], ["--dry-run"], ["--limit", "4"]):
        assert main([str(small), "--out", str(tmp_path / "out"), *flags]) == 2
        assert flags[0] in capsys.readouterr().err
