import os
import random
import signal
import subprocess
import sys
import time

import pytest

from cachebuild import ToolCache
from cachebuild.__main__ import main as compile_cache
from cachebuild.withdraw import main
from curate.__main__ import main as curate
from curate.folder import DatasetFolder
from curate.manifest import is_index

ORDER = {"order_id": "W1"}


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not is_index(path.name)}


@pytest.fixture
def built(make, write_folder, tmp_path):
    rows = [make(f"{n}", [("get_order", ORDER, "ab"[n % 2])], task_id=f"t{n}", source=f"s{n}") for n in range(4)]
    out = tmp_path / "cache"
    assert (
        compile_cache([str(write_folder([*rows, make("w", [("get_user", {}, "u")], task_id="tw")])), "--out", str(out)])
        == 0
    )
    return out


def results(cache):
    answer = ToolCache.open(cache).session("shop").call("get_order", ORDER)
    return answer.tier, [(outcome.result, outcome.count) for outcome in answer.outcomes]


def test_what_is_withdrawn_is_never_served_nor_counted_and_comes_back_with_undo(built, capsys):
    before = files(built)
    assert results(built) == ("best_effort", [("a", 2), ("b", 2)])
    assert main([str(built), "--source", "s0", "--reason", "a broken recorder"]) == 0
    assert "1 recorded calls withdrawn; 4 are served" in capsys.readouterr().out
    assert results(built) == ("exact", [("b", 2), ("a", 1)])
    assert main([str(built), "--task", "t1", "t3", "--reason", "leaked <b>"]) == 0
    assert results(built) == ("exact", [("a", 1)])
    counts = DatasetFolder.open(built).manifest.counts
    assert (counts["entries"], counts["keys"], counts["trajectories"]) == (2, 2, 2)
    report = (built / "report.md").read_text()
    assert "a broken recorder" in report and "leaked" in report
    assert "<b>" not in (built / "report.html").read_text().split("Recorded calls withdrawn")[1].split("</table>")[0]
    assert main([str(built), "--tool", "get_order", "--undo"]) == 0
    assert files(built) == before


def test_a_withdrawn_tool_is_unavailable(built):
    assert main([str(built), "--tool", "get_order", "--reason", "x"]) == 0
    assert results(built) == ("unavailable", [])
    assert ToolCache.open(built).session("shop").call("get_user", {}).tier == "exact"


def test_the_same_compile_does_not_bring_it_back_unasked(built, tmp_path, capsys):
    assert main([str(built), "--source", "s0", "--reason", "x"]) == 0
    assert compile_cache([str(tmp_path / "curated"), "--out", str(built)]) == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "exactly one of"),
        (["--tool", "get_order", "--task", "t1", "--reason", "x"], "exactly one of"),
        (["--tool", "get_order"], "--reason"),
        (["--tool", "get_oder", "--reason", "x"], "no recorded call with tool 'get_oder'"),
        (["--tool", "get_order", "--undo"], "none of it is withdrawn"),
    ],
)
def test_wrong_calls_change_nothing(built, capsys, given, said):
    before = files(built)
    assert main([str(built), *given]) == 2
    assert said in capsys.readouterr().err
    assert files(built) == before


def test_a_kill_leaves_the_old_cache_or_the_new_one(shared, tmp_path):
    curated, cache = tmp_path / "curated", tmp_path / "cache"
    raw = str(shared / "tau_bench_airline_gpt4o.json.gz")
    assert curate([raw, "--env", "airline", "--out", str(curated)]) == 0
    assert compile_cache([str(curated), "--out", str(cache), "--splits", "all"]) == 0
    command = [sys.executable, "-m", "cachebuild.withdraw", str(cache), "--tool", "get_user_details"]
    old = DatasetFolder.open(cache).manifest.counts["entries"]
    started = time.monotonic()
    assert subprocess.run([*command, "--reason", "x"], env=os.environ, capture_output=True).returncode == 0
    took = time.monotonic() - started
    new = DatasetFolder.open(cache).manifest.counts["entries"]
    assert new < old and subprocess.run([*command, "--undo"], capture_output=True).returncode == 0
    draw = random.Random(6)
    for _ in range(8):
        going = subprocess.Popen([*command, "--reason", "x"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(0.2, 1.1) * took)
        going.send_signal(signal.SIGKILL)
        going.wait()
        left = DatasetFolder.open(cache).manifest.counts["entries"]
        assert left in (old, new)
        if left == new:
            assert main([str(cache), "--tool", "get_user_details", "--undo"]) == 0
    assert main([str(cache), "--tool", "get_user_details", "--reason", "x"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"curated", "cache"}
