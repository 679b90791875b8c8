"""A full disk, a real one (a tmpfs in a mount namespace of our own): the last good cache stays, one line says why."""

import json
import os
import subprocess
import sys

import pytest

from cachebuild.__main__ import main
from cachebuild.withdraw import main as withdraw

ON_A_SMALL_DISK = """
import contextlib, io, json, os, pathlib, shutil, subprocess, sys
from cachebuild import ToolCache
from cachebuild.__main__ import main
from cachebuild.compact import main as compact
from cachebuild.withdraw import main as withdraw
from curate.manifest import is_index

COMMANDS = {"main": main, "compact": compact, "withdraw": withdraw}
name, arguments, base, disk, levels = json.loads(sys.argv[1])
disk = pathlib.Path(disk)
cache, filler = disk / "cache", disk / "filler"

def files(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if not is_index(p.name)} if folder.exists() else {}

def said(folder):
    session = ToolCache.open(folder).session("shop")
    answers = [session.call("find_shop", {"q": f"a near {n}", "page": n}) for n in range(4)]
    return [[a.tier, a.result, a.p, [[o.result, o.count] for o in a.outcomes]] for a in answers]

def run():
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        code = COMMANDS[name](arguments)
    return code, errors.getvalue()

def fresh():
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if base:
        shutil.copytree(base, cache)

subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
fresh()
old, answers = files(cache), said(cache) if base else None
assert run()[0] == 0
new, after = files(cache), shutil.disk_usage(disk).used
right = said(cache)
refused = 0
for level in range(levels):
    fresh()
    free = 4096 * round(3 * after * level / levels / 4096)
    with filler.open("wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, shutil.disk_usage(disk).free - free)
    code, errors = run()
    if code:
        refused += 1
        lines = [line for line in errors.splitlines() if "it/s" not in line and not line.startswith("note")]
        last = lines[-1] if lines else ""
        assert code == 2 and last.startswith("error: ") and "No space left on device" in last, errors
        assert "Traceback" not in errors
        assert files(cache) == old, "the old cache is as it was"
    else:
        assert files(cache) == new, "a cache is whole"
    if cache.exists():
        assert said(cache) == (answers if code else right)
    filler.unlink()
    assert not code or run()[0] == 0
    assert files(cache) == new and said(cache) == right
    assert {path.name for path in disk.iterdir()} == {"cache"}, list(disk.iterdir())
print(json.dumps(refused))
"""


def rows(make, name, count):
    return [
        make(
            f"{name}{number}",
            *(
                [("find_shop", {"q": f"{name} near {n}", "page": n}, f"{n} {number % 3} " + "r" * 200)]
                for n in range(8)
            ),
            task_id=f"t{number % 9}",
        )
        for number in range(count)
    ]


@pytest.fixture
def folders(make, write_folder, tmp_path):
    tried = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], capture_output=True)
    if tried.returncode:
        pytest.skip(f"a tmpfs of our own cannot be mounted here: {tried.stderr.decode().strip()}")
    for name in "ab":
        write_folder(rows(make, name, 200), name=name)
    for name in ("one", "less"):
        assert main([str(tmp_path / "a"), "--out", str(tmp_path / name)]) == 0
    assert main([str(tmp_path / "b"), "--out", str(tmp_path / "less"), "--add"]) == 0
    assert withdraw([str(tmp_path / "less"), "--task", "t1", "--reason", "x"]) == 0
    (tmp_path / "disk").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("base", "name", "arguments"),
    [
        (None, "main", ["{a}", "--out", "{cache}"]),
        ("one", "main", ["{b}", "--out", "{cache}", "--overwrite"]),
        ("one", "main", ["{b}", "--out", "{cache}", "--add"]),
        ("less", "compact", ["{cache}", "--drop"]),
        ("less", "withdraw", ["{cache}", "--task", "t2", "--reason", "x"]),
    ],
    ids="compile overwrite add compact withdraw".split(),
)
def test_a_full_disk_leaves_the_last_good_cache(folders, base, name, arguments):
    paths = {"a": folders / "a", "b": folders / "b", "cache": folders / "disk" / "cache"}
    told = [argument.format(**paths) for argument in arguments]
    given = [name, told, str(folders / base) if base else None, str(folders / "disk"), 8]
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", ON_A_SMALL_DISK, json.dumps(given)],
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(folders / "xdg")},
    )
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout) < 8
