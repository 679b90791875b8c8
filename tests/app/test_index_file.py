from __future__ import annotations

import json
import shutil

import pytest

from app.library import Library, TraceKey
from tests.app.dataset_folders import order, reject, write_folder


@pytest.fixture
def folder(tmp_path):
    rows = [order(number) for number in range(5)]
    return write_folder(tmp_path / "data", rows, [reject("read", "not_json"), reject("dedup", "exact", order(7))])


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "cache" / "index"


@pytest.fixture
def counted(monkeypatch):
    """How many times an index was made."""
    from app import index_file

    made = []
    original = index_file.index_batches
    monkeypatch.setattr(index_file, "index_batches", lambda *given: made.append(given[0].name) or original(*given))
    return made


def test_an_index_is_made_once(folder, kept, counted):
    first = Library.open([folder], kept).frame
    again = Library.open([folder], kept).frame
    assert again.equals(first) and again.schema == first.schema
    assert counted == ["data"]
    assert sorted(path.suffix for path in kept.iterdir()) == [".arrow", ".json"]


def test_a_folder_that_was_moved_or_copied_or_touched_keeps_its_index(folder, kept, counted, tmp_path):
    first = Library.open([folder], kept).frame
    copy = shutil.copytree(folder, tmp_path / "copy")
    (folder / "trajectories-00000.parquet").touch()
    library = Library.open([copy, folder], kept)
    assert library.frame.height == 2 * first.height
    assert library.trace(TraceKey("copy", "order-3")) is not None
    assert counted == ["data"]


@pytest.mark.parametrize("damage", [b"", b"ARROW1\0\0 and nothing else", None])
def test_a_damaged_index_is_made_anew(folder, kept, counted, damage):
    first = Library.open([folder], kept).frame.clone()
    path = next(kept.glob("*.arrow"))
    whole = path.read_bytes()
    path.unlink()  # as a copy or a backup would: what a reader has mapped is not written over
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert Library.open([folder], kept).frame.equals(first)
    assert counted == ["data", "data"]
    assert path.read_bytes() == whole


def test_the_index_of_another_folder_is_not_taken_for_this_ones(folder, kept, counted, tmp_path):
    other = write_folder(tmp_path / "other", [order(99)])
    Library.open([other], kept)
    foreign = next(kept.glob("*.arrow")).read_bytes()
    first = Library.open([folder], kept).frame.clone()
    for path in kept.glob("*.arrow"):
        path.unlink()
        path.write_bytes(foreign)
    assert Library.open([folder], kept).frame.equals(first)
    assert counted == ["other", "data", "data"]


@pytest.mark.parametrize("told", ["", "[]", "{}", "[" * 100_000, '{"version": 1, "index": 3, "places": {}}'])
def test_what_is_told_of_an_index_may_be_damaged_too(folder, kept, counted, told):
    first = Library.open([folder], kept).frame
    next(kept.glob("*.json")).write_text(told)
    assert Library.open([folder], kept).frame.equals(first)
    assert counted == ["data", "data"]


def test_an_index_of_another_version_is_made_anew(folder, kept, counted):
    Library.open([folder], kept)
    path = next(kept.glob("*.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 0}))
    Library.open([folder], kept)
    assert counted == ["data", "data"]


def test_where_nothing_can_be_written_the_index_is_kept_in_memory(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    library = Library.open([folder], tmp_path / "file" / "index")
    assert library.trace(TraceKey("data", "order-2")) is not None
    told = capsys.readouterr().err
    assert "the index of data is kept in memory" in told and told.count("\n") == 1


def test_without_a_word_indexes_are_kept_in_the_users_cache(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    Library.open([folder])
    assert list((tmp_path / "user" / "cacherl" / "app").glob("*.arrow"))


def test_the_same_folder_gives_the_same_bytes(folder, tmp_path):
    for name in ("one", "two"):
        Library.open([folder], tmp_path / name)
    one, two = (next((tmp_path / name).glob("*.arrow")).read_bytes() for name in ("one", "two"))
    assert one == two
