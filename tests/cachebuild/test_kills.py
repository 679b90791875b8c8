"""SIGKILL at any moment of compile, add and compact: the cache before or the one after, and the next run ends it."""

import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from cachebuild import ToolCache
from cachebuild.__main__ import main
from cachebuild.compact import main as compact
from cachebuild.withdraw import main as withdraw
from curate import verify
from curate.manifest import is_index

RUN = """
import importlib, sys
module = importlib.import_module(sys.argv[1])
import cachebuild.add, cachebuild.candidates, cachebuild.compile, cachebuild.revision, curate.plots, matplotlib.figure
print("ready", flush=True)
sys.exit(module.main(sys.argv[2:]))
"""
MAINS = {"cachebuild.__main__": main, "cachebuild.compact": compact, "cachebuild.withdraw": withdraw}


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not is_index(path.name)}


def rows(make, name, count):
    return [
        make(
            f"{name}{number}",
            *(
                [("find_shop", {"q": f"{name} near {n} {number % 7}", "page": n}, f"{n} {number % 3}")]
                for n in range(8)
            ),
            [("get_order", {"order_id": f"W{number % 40}"}, f"order {number % 2}")],
            task_id=f"t{number % 9}",
        )
        for number in range(count)
    ]


@pytest.fixture
def folders(make, write_folder, tmp_path):
    """Two dataset folders, and caches of one, of both, and of both with withdrawn calls."""
    first, more = (str(write_folder(rows(make, name, 300), name=name)) for name in "ab")
    for name in ("one", "both", "less"):
        assert main([first, "--out", str(tmp_path / name)]) == 0
    for name in ("both", "less"):
        assert main([more, "--out", str(tmp_path / name), "--add"]) == 0
    assert withdraw([str(tmp_path / "less"), "--task", "t1", "--reason", "x"]) == 0
    return tmp_path


def said(cache):
    session, found = ToolCache.open(cache).session("shop"), []
    for number in range(0, 40, 3):
        calls = [("find_shop", {"q": f"{name} near 1 {number % 7}", "page": 1}) for name in "ab"]
        for tool, arguments in [*calls, ("get_order", {"order_id": f"W{number}"})]:
            answer = session.call(tool, arguments)
            found.append((answer.tier, answer.result, answer.p, answer.outcomes))
    return found


def started(module, arguments):
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, module, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout.readline() == b"ready\n"
    return process


def kill_at_points(folders, base, module, arguments, points):
    """Kill the command at moments spread over an unkilled run of it; returns how many kills left the old cache."""
    cache, kept = folders / "cache", 0

    def fresh():
        shutil.rmtree(cache, ignore_errors=True)
        if base is not None:
            shutil.copytree(folders / base, cache)

    fresh()
    old = None if base is None else (files(cache), said(cache))
    begun = time.monotonic()
    process = started(module, arguments)
    process.stdout.close()
    begun = time.monotonic()
    assert process.wait() == 0
    took, new = time.monotonic() - begun, (files(cache), said(cache))
    assert old is None or (old[0] != new[0])
    draw = random.Random(points)
    for point in range(points):
        fresh()
        process = started(module, arguments)
        time.sleep(took * (point + draw.random()) / points)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if cache.exists():
            found = files(cache)
            state = new if found == new[0] else old
            assert state is not None and found == state[0] and said(cache) == state[1]
            assert verify.main([str(cache)]) == 0
            kept += state is old
        else:
            assert old is None
            kept += 1
        again = MAINS[module](arguments)
        assert again == 0 and files(cache) == new[0] and said(cache) == new[1]
        left = {path.name for path in folders.iterdir()}
        assert left == {"a", "b", "one", "both", "less", "cache"}
    return kept


COMMANDS = {
    "compile": (None, "cachebuild.__main__", ["{a}", "--out", "{cache}"]),
    "overwrite": ("one", "cachebuild.__main__", ["{b}", "--out", "{cache}", "--overwrite"]),
    "add": ("one", "cachebuild.__main__", ["{b}", "--out", "{cache}", "--add"]),
    "compact": ("less", "cachebuild.compact", ["{cache}", "--drop"]),
}


def killed(folders, name, points):
    base, module, arguments = COMMANDS[name]
    paths = {key: str(folders / key) for key in ("a", "b", "cache")}
    return kill_at_points(folders, base, module, [argument.format(**paths) for argument in arguments], points)


@pytest.mark.parametrize("name", COMMANDS)
def test_five_kills_leave_the_last_good_cache(folders, name):
    killed(folders, name, 5)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_fifty_kills_leave_the_last_good_cache(folders, name):
    kept = killed(folders, name, 50)
    sys.stdout.write(f"{name}: {kept} of 50 kills left the old cache\n")
    assert 0 < kept <= 50
