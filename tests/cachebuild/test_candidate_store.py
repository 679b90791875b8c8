import os
import resource
import subprocess
import sys

import pytest

from cachebuild import ToolCache
from cachebuild.compile import compile_cache
from cachebuild.lookup import LookupSettings
from cachebuild.settings import CompileSettings
from curate import verify
from curate.manifest import is_index

WORDS = "red blue green warm cheap old new fine big small".split()
ASKED = ["red hats", "Red hat!", "hat red", "blue shoe 12", "purple shoe", "nothing like it"]


@pytest.fixture
def cache(make, write_folder, tmp_path, monkeypatch):
    """A cache whose calls are enough for a file."""
    monkeypatch.setattr("cachebuild.candidate_store.MOST_IN_MEMORY", 4)
    things = "hat shoe coat bag".split()
    turns = [[("find", {"query": f"{word} {thing}"}, f"{word} {thing}")] for word in WORDS for thing in things]
    folder = write_folder([make("one", *turns)])
    compile_cache(CompileSettings(folder, tmp_path / "cache", splits=("all",)))
    return tmp_path / "cache"


def answers(cache, **settings):
    opened = ToolCache.open(cache, LookupSettings(**settings))
    found = [opened.session("shop").explain("find", {"query": query}) for query in ASKED]
    return [(str(one), one.answer.p) for one in found]


def in_memory(cache, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("cachebuild.candidate_store.MOST_IN_MEMORY", 1_000)
        return answers(cache)


def files(folder):
    return sorted(folder.rglob("index-*-*.mmap"))


def test_a_file_answers_as_memory_does_and_is_made_once(cache, monkeypatch):
    expected = in_memory(cache, monkeypatch)
    assert not files(cache)
    assert answers(cache) == expected
    (file,) = files(cache)
    inode = file.stat().st_ino
    monkeypatch.setattr("cachebuild.candidate_store.build_table", None)
    assert answers(cache) == expected and files(cache)[0].stat().st_ino == inode
    assert is_index(file.name) and is_index(f".{file.name}.partial")


def test_two_bars_that_group_alike_share_a_file(cache):
    answers(cache, fuzzy_at=0.8)
    answers(cache, fuzzy_at=0.9, unknown_state_p=0.1, max_candidates=3)
    assert len(files(cache)) == 1


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9, 0.999, "cut", "version"])
def test_a_damaged_file_is_made_again(cache, monkeypatch, place):
    expected = answers(cache)
    (file,) = files(cache)
    sound = file.read_bytes()
    data = bytearray(sound)
    if place == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif place == "version":
        monkeypatch.setattr("cachebuild.candidate_store.TABLE_VERSION", 0)
    else:
        data[int(place * len(data))] ^= 1
        file.write_bytes(data)
    assert answers(cache) == expected
    assert (file.read_bytes() == sound) == (place != "version")


def test_a_file_whose_numbers_lead_out_of_it_is_not_read(cache):
    from cachebuild.array_file import ArrayFile, write_arrays

    expected = answers(cache)
    (path,) = files(cache)
    file = ArrayFile(path)
    for name in ("codes", "holders", "posts", "group_order", "stems"):
        wrong = {key: array.copy() for key, array in file.arrays.items()}
        wrong[name].reshape(-1)[-1] = 10**6
        with path.open("wb") as handle:
            write_arrays(handle, wrong, file.info)
        assert answers(cache) == expected


def test_no_place_for_a_file_leaves_memory(cache, tmp_path, monkeypatch):
    expected = in_memory(cache, monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    real = os.open

    def refuse(path, flags, *rest, **named):
        if str(path).startswith(str(cache)) and flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr("cachebuild.index_place.os.open", refuse)
        assert answers(cache) == expected
        assert not files(cache) and len(files(tmp_path / "xdg")) == 1
    files(tmp_path / "xdg")[0].unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        assert answers(cache) == expected
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not files(tmp_path) and not list(cache.glob(".*"))


def test_processes_that_ask_at_once_make_one_file(cache):
    code = (
        "import sys; import cachebuild.candidate_store as store; store.MOST_IN_MEMORY = 4; "
        "from cachebuild import ToolCache; "
        "print(ToolCache.open(sys.argv[1]).session('shop').call('find', {'query': 'red hats'}).result)"
    )
    run = [sys.executable, "-c", code, str(cache)]
    started = [subprocess.Popen(run, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert {process.communicate()[0] for process in started} == {"red hat\n"}
    assert len(files(cache)) == 1 and not list(cache.glob(".*"))


def test_the_file_goes_with_its_manifest(cache, tmp_path, capsys):
    answers(cache)
    assert verify.main([str(cache)]) == 0 and "also holds" not in capsys.readouterr().out
    settings = CompileSettings(tmp_path / "curated", cache, splits=("train", "test"), overwrite=True)
    compile_cache(settings)
    assert not files(cache)
    ToolCache.open(cache)
    assert len(list(cache.glob("index-*.mmap"))) == 1
