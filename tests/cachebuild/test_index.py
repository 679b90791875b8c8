"""The index of a cache: the same answers as a scan of the shards, whatever happens to its file."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild import ToolCache, index_build
from cachebuild.__main__ import main
from cachebuild.hash_file import Damaged, HashFile, HashFileWriter
from cachebuild.index import EntryIndex
from cachebuild.index_records import Record, pack_call, unpack_arguments, unpack_outcomes
from cachebuild.key import Place
from curate import verify
from curate.errors import FolderError
from curate.folder import DatasetFolder

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
HALF = st.integers(0, 2**64 - 1)


@pytest.fixture
def cache(make, write_folder, tmp_path):
    rows = [
        make(
            f"{task}{trial}",
            *([("find_shop", {"q": f"near {n}", "page": n % 3}, f"{n} {trial % 2}")] for n in range(8)),
            [("get_order", {"order_id": f"W{task}"}, '{"status": "open"}')],
            task_id=str(task),
            task_group=str(task),
        )
        for task in range(6)
        for trial in range(3)
    ]
    assert main([str(write_folder(rows)), "--out", str(tmp_path / "cache")]) == 0
    return tmp_path / "cache"


def index_of(cache):
    (path,) = cache.glob("*.mmap")
    return path


def load(cache):
    return EntryIndex.load(DatasetFolder.open(cache, unchecked=("entries",)))


def everything(index, cache):
    """All that the index says of the calls that the shards hold."""
    rows = list(DatasetFolder.open(cache).rows("entries"))
    said = [index.entries]
    for row in rows:
        said += [index.outcomes(row["key"]), index.outcomes(row["key"], row["trajectory_id"])]
        said += [index.normalised(row["normalised_key"]), index.trajectories(row["task_group"])]
        said.append(index.distinct(Place(row["env_id"], row["initial_state_id"], row["scope_value"]), row["tool"]))
    said += [index.outcomes("0" * 32), index.normalised("f" * 32), index.trajectories("none")]
    return said


def test_the_index_says_what_the_shards_say(cache):
    index, rows = load(cache), list(DatasetFolder.open(cache).rows("entries"))
    assert index.entries == len(rows)
    for row in rows:
        for exclude in (None, row["trajectory_id"]):
            seen = [r for r in rows if r["key"] == row["key"] and r["trajectory_id"] != exclude]
            counts = Counter(r["result"] for r in seen)
            outcomes = index.outcomes(row["key"], exclude)
            assert [(o.result, o.count) for o in outcomes] == sorted(counts.items(), key=lambda x: (-x[1], x[0]))
            for outcome in outcomes:
                first = next(r for r in seen if r["result"] == outcome.result)
                assert outcome.source_trajectory_id == first["trajectory_id"]
                assert outcome.source_message_index == first["message_index"]
                assert outcome.success == first["success"]
        same = dict.fromkeys(r["key"] for r in rows if r["normalised_key"] == row["normalised_key"])
        assert [call.key for call in index.normalised(row["normalised_key"])] == list(same)
        place = (row["env_id"], row["initial_state_id"], row["scope_value"])
        calls = {
            r["key"]: (r["canonical_arguments"], r["state_digest"])
            for r in rows
            if (r["env_id"], r["initial_state_id"], r["scope_value"], r["tool"]) == (*place, row["tool"])
        }
        found = index.distinct(Place(*place), row["tool"])
        assert [(c.key, (c.arguments, c.state_digest)) for c in found] == list(calls.items())
        group = {r["trajectory_id"] for r in rows if r["task_group"] == row["task_group"]}
        assert index.trajectories(row["task_group"]) == group


def test_entries_that_do_not_fit_into_memory_give_the_same_file(cache, monkeypatch):
    before = index_of(cache).read_bytes()
    expected = everything(load(cache), cache)
    index_of(cache).unlink()
    monkeypatch.setattr(index_build, "MEMORY_BYTES", 2_000)
    monkeypatch.setattr(index_build, "SPILL_BYTES", 2_000)
    monkeypatch.setattr(index_build, "folder_entries", lambda folder: folder_frames(folder))
    assert everything(load(cache), cache) == expected
    assert index_of(cache).read_bytes() == before
    assert not list(cache.glob(".*"))


def folder_frames(folder):
    frame = pl.concat(pl.from_arrow(batch) for batch in folder.batches("entries", index_build.COLUMNS))
    return frame.iter_slices(10)


@given(st.lists(st.builds(Record, TEXT, st.booleans(), TEXT, st.integers(-1, 2**31 - 1)), min_size=1), TEXT, TEXT)
def test_a_packed_call_gives_back_what_went_in(records, arguments, exclude):
    packed = pack_call(arguments.encode(), b"d" * 32, records)
    assert unpack_arguments(packed) == (arguments, "d" * 32)
    for hidden in (None, exclude, records[0].trajectory_id):
        seen = [record for record in records if record.trajectory_id != hidden]
        counts = Counter(record.result for record in seen)
        outcomes = unpack_outcomes(packed, hidden)
        assert [(o.result, o.count) for o in outcomes] == sorted(counts.items(), key=lambda x: (-x[1], x[0]))
        for outcome in outcomes:
            first = next(record for record in seen if record.result == outcome.result)
            given = Record(outcome.result, outcome.success, outcome.source_trajectory_id, outcome.source_message_index)
            assert given == first


@given(st.dictionaries(st.tuples(HALF | st.integers(0, 2), HALF), st.binary(max_size=20)), st.tuples(HALF, HALF))
def test_a_hash_file_finds_all_records_and_no_other(tmp_path_factory, records, other):
    path = tmp_path_factory.mktemp("hash") / "file"
    with path.open("wb") as handle:
        writer = HashFileWriter(handle)
        for (high, low), record in records.items():
            writer.add(high, low, record)
        writer.close({"name": "x"})
    file = HashFile(path)
    assert len(file) == len(records) and file.info == {"name": "x"}
    assert all(file.get(*key) == record for key, record in records.items())
    assert file.get(*other) == records.get(other)


def test_no_flipped_byte_changes_what_is_said(tmp_path):
    path, numbers = tmp_path / "file", random.Random(0)
    keys = [(numbers.getrandbits(64), numbers.getrandbits(64)) for _ in range(30)]
    with path.open("wb") as handle:
        writer = HashFileWriter(handle)
        for high, low in keys:
            writer.add(high, low, b"%d" % low)
        writer.close({})
    sound = path.read_bytes()
    noticed = 0
    for at in range(len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << at % 8]) + sound[at + 1 :])
        for (high, low), asked in zip(keys, keys, strict=True):
            try:
                file = HashFile(path)
                assert file.get(high, low) == b"%d" % low, (at, asked)
                assert file.get(high, low ^ 1) is None
            except Damaged:
                noticed += 1
    assert noticed > len(sound) / 4


@pytest.mark.parametrize("seed", range(25))
def test_a_damaged_index_is_built_again(cache, seed):
    expected, path, numbers = everything(load(cache), cache), index_of(cache), random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(1 + seed % 5 * 20):
        data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)
    path.write_bytes(data[: numbers.randrange(len(data))] if seed % 3 == 0 else data)
    assert everything(load(cache), cache) == expected
    assert everything(load(cache), cache) == expected


def test_damage_while_the_index_is_open_is_mended(cache):
    index = load(cache)
    expected = everything(index, cache)
    with index_of(cache).open("r+b") as handle:
        handle.seek(64)
        handle.write(bytes(range(1, 200)) * 10)
    assert everything(index, cache) == expected


@pytest.mark.parametrize("touch", ["missing", "grown", "flipped", "other time"])
def test_a_changed_shard_is_refused_and_an_equal_one_is_not(cache, touch):
    (shard,) = cache.glob("entries-*.parquet")
    data = bytearray(shard.read_bytes())
    if touch == "missing":
        shard.unlink()
    elif touch == "other time":
        os.utime(shard, ns=(0, 0))
        assert ToolCache.open(cache).lookup.index.entries
        return
    else:
        data[len(data) // 2] ^= 1
        shard.write_bytes(data + b"x" * (touch == "grown"))
    message = "is missing" if touch == "missing" else "was changed after it was written"
    with pytest.raises(FolderError, match=message):
        ToolCache.open(cache)


def test_an_index_of_an_older_layout_or_another_manifest_is_not_read(cache, monkeypatch):
    expected = everything(load(cache), cache)
    inode = index_of(cache).stat().st_ino
    monkeypatch.setattr("cachebuild.index_place.RECORDS_VERSION", 0)
    assert everything(load(cache), cache) == expected
    assert index_of(cache).stat().st_ino != inode
    (cache / f"index-{'0' * 32}.mmap").write_bytes(index_of(cache).read_bytes())
    index_of_all = list(cache.glob("*.mmap"))
    assert len(index_of_all) == 2
    monkeypatch.undo()
    assert everything(load(cache), cache) == expected
    assert len(list(cache.glob("*.mmap"))) == 1  # that of the manifest that is gone went too


def test_verify_and_overwrite_know_the_index(cache, tmp_path, capsys):
    (cache / f".{index_of(cache).name}.partial").write_bytes(b"left by a killed process")
    assert verify.main([str(cache)]) == 0
    assert "also holds" not in capsys.readouterr().out
    rebuilt = ["--out", str(cache), "--splits", "all", "--overwrite"]
    assert main([str(tmp_path / "curated"), *rebuilt]) == 0
    assert len(list(cache.glob("*.mmap"))) == 1 and not list(cache.glob(".*"))
    (cache / "notes.txt").write_text("mine")
    assert main([str(tmp_path / "curated"), "--out", str(cache), "--overwrite"]) == 2


def test_a_folder_that_cannot_be_written_has_its_index_in_the_users_cache(cache, tmp_path, monkeypatch):
    expected = everything(load(cache), cache)
    index_of(cache).unlink()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    real = os.open

    def refuse(path, flags, *rest, **named):
        if str(path).startswith(str(cache)) and flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *rest, **named)

    monkeypatch.setattr("cachebuild.index_place.os.open", refuse)
    assert everything(load(cache), cache) == expected
    assert not list(cache.glob("*.mmap")) and len(list((tmp_path / "xdg").rglob("*.mmap"))) == 1
    os.chmod(next((tmp_path / "xdg").rglob("*.mmap")).parent, 0o777)  # others could have put it there
    monkeypatch.setattr("cachebuild.index_place._user_folders", lambda: [tmp_path / "xdg" / "cacherl" / "index"])
    with pytest.raises(FolderError, match="set XDG_CACHE_HOME"):
        load(cache)


def test_a_full_disk_leaves_no_half_index(cache, monkeypatch):
    size = index_of(cache).stat().st_size
    index_of(cache).unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (0, 100, size // 2, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(FolderError, match="cannot be written: File too large"):
                load(cache)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not list(cache.glob("*index-*")) and not list(cache.glob(".*"))
    assert load(cache).entries


def test_first_opens_at_once_build_one_index(cache):
    expected = everything(load(cache), cache)
    index_of(cache).unlink()
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: load(cache), range(6)))
    assert all(everything(index, cache) == expected for index in found)
    assert len({index._file.inode for index in found}) == 1
    assert not list(cache.glob(".*"))


def killed(arguments, after):
    process = subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()


OPEN = "import sys; from cachebuild import ToolCache; ToolCache.open(sys.argv[1])"


def kill_and_open(cache, tmp_path, numbers):
    expected = everything(load(cache), cache)
    index_of(cache).unlink()
    killed(["-c", OPEN, str(cache)], numbers.uniform(0.2, 1.5))
    assert everything(load(cache), cache) == expected
    other = ["--splits", numbers.choice(["all", "train,test", "train,validation"]), "--overwrite"]
    killed(["-m", "cachebuild", str(tmp_path / "curated"), "--out", str(cache), *other], numbers.uniform(0.2, 2.5))
    assert everything(load(cache), cache) == expected
    assert verify.main([str(cache)]) == 0


def test_a_kill_leaves_a_cache_that_opens(cache, tmp_path):
    kill_and_open(cache, tmp_path, random.Random(0))


@pytest.mark.slow
def test_fifty_kills_leave_a_cache_that_opens(cache, tmp_path):
    for seed in range(50):
        kill_and_open(cache, tmp_path, random.Random(seed))


def test_a_copied_cache_opens(cache, tmp_path):
    expected = everything(load(cache), cache)
    shutil.copytree(cache, tmp_path / "copy")
    assert everything(load(tmp_path / "copy"), tmp_path / "copy") == expected
