"""A folder that is replaced while it is read: one state of it, or a clear refusal."""

import os
import shutil

import pytest

from cachebuild import ToolCache, steady
from cachebuild.__main__ import main
from cachebuild.steady import TRIES, read_steady
from cachebuild.withdraw import main as withdraw
from curate.errors import FolderError, UsageError
from curate.folder import DatasetFolder

READ = ("get_order", {"order_id": "W1"}, "open")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "text").write_text("0")
    return tmp_path / "folder"


def swap(folder, text):
    other = folder.with_name("other")
    other.mkdir()
    (other / "text").write_text(text)
    shutil.rmtree(folder)
    other.rename(folder)


def test_a_reading_that_was_disturbed_is_done_again(folder):
    seen = []

    def read():
        seen.append((folder / "text").read_text())
        if len(seen) < 3:
            swap(folder, str(len(seen)))
        if len(seen) == 2:
            raise FolderError("half of one and half of the other")
        return seen[-1]

    assert read_steady(folder, read) == "2" and seen == ["0", "1", "2"]


def test_an_error_of_a_folder_that_stayed_is_told_at_once(folder):
    calls = []

    def read():
        calls.append(1)
        raise FolderError("damaged")

    with pytest.raises(FolderError, match="damaged"):
        read_steady(folder, read)
    assert len(calls) == 1
    with pytest.raises(UsageError, match="does not exist"):
        ToolCache.open(folder / "none")


def test_one_that_never_stays_is_refused(folder):
    turns = iter(range(100))
    with pytest.raises(FolderError, match=f"was replaced {TRIES} times while it was opened"):
        read_steady(folder, lambda: swap(folder, str(next(turns))))
    assert next(turns) == TRIES


def test_a_moment_without_the_folder_is_waited_out(folder, monkeypatch):
    aside = folder.with_name(f".{folder.name}.old")
    folder.rename(aside)
    monkeypatch.setattr(steady.time, "sleep", lambda _: aside.rename(folder))
    assert read_steady(folder, (folder / "text").read_text) == "0"


def test_tools_of_one_state_never_meet_the_index_of_another(make, write_folder, tmp_path, monkeypatch):
    """All files are checked, then the cache is replaced: its shards are links, so the old index would fit them."""
    cache = tmp_path / "cache"
    rows = [make(str(n), [READ], task_id=f"t{n}") for n in range(3)]
    assert main([str(write_folder(rows)), "--out", str(cache)]) == 0
    real, opened = DatasetFolder.rows, []

    def rows_then(self, table, columns=None):
        if table == "calibration" and not opened:
            opened.append(1)
            assert withdraw([str(cache), "--task", "t0", "t1", "--reason", "x"]) == 0
            opened.append(2)
        return real(self, table, columns)

    monkeypatch.setattr(DatasetFolder, "rows", rows_then)
    answer = ToolCache.open(cache).session("shop").call(*READ[:2])
    assert opened == [1, 2] and [outcome.count for outcome in answer.outcomes] == [1]


def test_links_and_renames_keep_the_index_and_a_reader_keeps_what_it_opened(make, write_folder, tmp_path):
    cache, moved = tmp_path / "cache", tmp_path / "moved"
    assert main([str(write_folder([make("one", [READ])])), "--out", str(cache)]) == 0
    (index,) = cache.glob("*.mmap")
    reader, inode = ToolCache.open(cache), index.stat().st_ino
    cache.rename(moved)
    shutil.copytree(moved, cache, copy_function=os.link)
    for folder in (cache, moved):
        assert ToolCache.open(folder).session("shop").call(*READ[:2]).result == "open"
        assert next(folder.glob("*.mmap")).stat().st_ino == inode
    shutil.rmtree(cache)
    shutil.rmtree(moved)
    assert reader.session("shop").call(*READ[:2]).result == "open"
