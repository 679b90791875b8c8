"""`cachebuild.compact`: fewer shards, the same answers."""

import random

import pytest

from cachebuild import ToolCache
from cachebuild.__main__ import main
from cachebuild.compact import main as compact
from cachebuild.withdraw import main as withdraw
from curate import table_writer, verify
from curate.folder import DatasetFolder
from curate.manifest import is_index


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not is_index(path.name)}


@pytest.fixture
def cache(make, write_folder, tmp_path):
    """A cache of four parts."""
    numbers = random.Random(2)
    for part in range(4):
        rows = [
            make(
                f"{part}.{number}",
                *([("find_shop", {"q": f"near {numbers.randrange(5)}"}, numbers.choice("ab"))] for _ in range(4)),
                [("get_order", {"order_id": f"W{number}"}, f"o{part % 2}")],
                task_id=f"t{number}",
            )
            for number in range(6)
        ]
        folder = write_folder(rows, name=f"in{part}")
        assert main([str(folder), "--out", str(tmp_path / "cache"), *(["--add"] if part else [])]) == 0
    return tmp_path / "cache"


def answers(cache):
    opened, said = ToolCache.open(cache), []
    for number in range(6):
        for tool, arguments in ("find_shop", {"q": f"near {number}"}), ("get_order", {"order_id": f"W{number}"}):
            for seed in range(3):
                answer = opened.session("shop", task_id="t0", seed=seed).call(tool, arguments)
                said.append((answer.tier, answer.p, answer.result, answer.source_trajectory_id, answer.outcomes))
    return said


def test_the_answers_stay_and_once_is_enough(cache, tmp_path, capsys):
    before = answers(cache)
    assert compact([str(cache)]) == 0
    assert "120 recorded calls, 4 shards before, 1 now" in capsys.readouterr().out
    assert answers(cache) == before
    held = files(cache)
    assert compact([str(cache)]) == 0
    assert "is compact" in capsys.readouterr().err
    assert files(cache) == held and verify.main([str(cache)]) == 0
    assert main([str(tmp_path / "in3"), "--out", str(cache), "--add"]) == 0
    assert "up to date" in capsys.readouterr().err
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "cache."))]


def test_withdrawn_calls_go_for_good_when_that_is_asked_for(cache, capsys):
    assert withdraw([str(cache), "--task", "t1", "t4", "--reason", "a leak"]) == 0
    before, held = answers(cache), files(cache)
    assert compact([str(cache)]) == 2
    assert "40 recorded calls" in (said := capsys.readouterr().err) and "--drop" in said and "--undo" in said
    assert files(cache) == held
    assert compact([str(cache), "--drop"]) == 0
    assert "dropped for good: 40 withdrawn calls" in capsys.readouterr().out
    assert answers(cache) == before
    assert "withdrawn" not in DatasetFolder.open(cache).manifest.tables
    assert "a leak" in (cache / "report.md").read_text()
    assert withdraw([str(cache), "--task", "t1", "--undo"]) == 2
    assert "no recorded call with task_id 't1'" in capsys.readouterr().err
    assert compact([str(cache), "--drop"]) == 0
    assert "is compact" in capsys.readouterr().err


def test_full_shards_stay_and_the_bytes_are_those_of_rewriting_all(make, write_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(table_writer, "MAX_GROUP_ROWS", 8)
    monkeypatch.setattr(table_writer, "MAX_SHARD_BYTES", 6_000)
    rows = [make(f"{n}", [("find_shop", {"q": f"near {n}"}, "r")], task_id=f"t{n}") for n in range(90)]
    one, two = tmp_path / "one", tmp_path / "two"
    assert main([str(write_folder(rows, name="all")), "--out", str(one)]) == 0
    assert main([str(write_folder(rows[:50], name="first")), "--out", str(two)]) == 0
    for cache in one, two:
        assert compact([str(cache)]) == 0
    inodes = [path.stat().st_ino for path in sorted(two.glob("entries-*"))]
    assert main([str(write_folder(rows[50:], name="more")), "--out", str(two), "--add"]) == 0
    assert compact([str(two)]) == 0
    wanted, found = (sorted(folder.glob("entries-*")) for folder in (one, two))
    assert len(wanted) > 3 and [path.read_bytes() for path in found] == [path.read_bytes() for path in wanted]
    assert [path.stat().st_ino for path in found][: len(inodes) - 1] == inodes[:-1] and len(inodes) > 2
    assert withdraw([str(two), "--task", "t40", "--reason", "x"]) == 0
    assert compact([str(two), "--drop"]) == 0
    assert next(iter(sorted(two.glob("entries-*")))).stat().st_ino == inodes[0]
    assert DatasetFolder.open(two).manifest.rows("entries") == 89
