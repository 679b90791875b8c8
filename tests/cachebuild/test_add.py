"""`--add`: what was compiled and added to answers as one compile of all would."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cachebuild import ToolCache
from cachebuild.__main__ import main
from cachebuild.compact import main as compact
from cachebuild.withdraw import main as withdraw
from curate.folder import DatasetFolder
from curate.manifest import is_index

READ = ("get_order", {"order_id": "W1"}, '{"status": "open"}')


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not is_index(path.name)}


def table(folder, name):
    return list(DatasetFolder.open(folder).rows(name))


def shards(folder):
    return {path.name: path.stat().st_ino for path in folder.glob("entries-*.parquet")}


def some_rows(make, numbers, prefix, count):
    """Trajectories of a world whose tools read, write, fail, change their minds and keep a file a task."""

    def call():
        kind = numbers.randrange(6)
        number = numbers.randrange(3)
        if kind == 0:
            return "get_order", {"order_id": f"W{number}"}, numbers.choice(["open", "done", "Error: no"])
        if kind == 1:
            return "cancel_order", {"order_id": f"W{number}"}, numbers.choice(["ok", "Error: late"])
        if kind == 2:
            return "read_file", {"path": f"f{number}"}, f"of {task}"
        if kind == 3:
            return "find_shop", {"q": f"shop {number}", "page": number}, json.dumps({"found": number})
        if kind == 4:
            return "get_time", {"zone": f"z{number}"}, str(numbers.random())
        return "frob", "{not json", "x"

    rows = []
    for number in range(count):
        task = numbers.choice("abc")
        env = numbers.choice(["shop", "store"])
        turns = [[call() for _ in range(numbers.randrange(1, 3))] for _ in range(numbers.randrange(1, 7))]
        rows.append(make(f"{prefix}{number}", *turns, env_id=env, task_id=task, task_group=task))
    return rows


def answers(cache, rows):
    """What the cache says to each recorded call, at its own place in its dialogue and in no state at all."""
    opened, said = ToolCache.open(cache), []
    for row in rows:
        for at, message in enumerate(row["messages"]):
            for call in message["tool_calls"]:
                for history in (row["messages"][:at], ()):
                    session = opened.session(row["env_id"], None, row["task_id"], history)
                    answer = session.call(call["name"], call["arguments"])
                    said.append((answer.tier, answer.p, answer.result, answer.reason, answer.outcomes))
    return said


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), first=st.integers(0, 12), more=st.integers(0, 12), parts=st.integers(1, 3))
def test_compile_and_add_answer_as_one_compile(make, write_folder, tmp_path, seed, first, more, parts):
    numbers = random.Random(f"{seed}|{first}|{more}|{parts}")
    name = f"{len(list(tmp_path.iterdir()))}"
    batches = [some_rows(make, numbers, f"p{part}.", more if part else first) for part in range(parts + 1)]
    rows = [row for batch in batches for row in batch]
    one, grown = tmp_path / f"one{name}", tmp_path / f"grown{name}"
    assert main([str(write_folder(rows, name=f"all{name}")), "--out", str(one)]) == 0
    for number, batch in enumerate(batches):
        folder = write_folder(batch, name=f"part{number}-{name}")
        assert main([str(folder), "--out", str(grown), *(["--add"] if number else [])]) == 0
    for held in ("entries", "tools", "calibration"):
        assert table(grown, held) == table(one, held)
    assert answers(grown, rows) == answers(one, rows)
    counts, wanted = (DatasetFolder.open(folder).manifest.counts for folder in (grown, one))
    assert {key: counts[key] for key in wanted} == wanted
    assert compact([str(grown)]) == compact([str(one)]) == 0
    assert shard_bytes(grown) == shard_bytes(one)
    assert answers(grown, rows) == answers(one, rows)


def shard_bytes(folder):
    return {name: data for name, data in files(folder).items() if name.endswith(".parquet")}


@pytest.fixture
def grown(make, write_folder, tmp_path):
    numbers = random.Random(1)
    for name in ("a", "b"):
        write_folder(some_rows(make, numbers, name, 12), name=name)
    assert main([str(tmp_path / "a"), "--out", str(tmp_path / "cache"), "--splits", "all"]) == 0
    return tmp_path / "cache"


def test_old_shards_are_linked_and_the_lineage_names_both(grown, tmp_path, capsys):
    (tmp_path / "cache" / "entries-00000.parquet").touch()
    before = shards(grown)
    assert main([str(tmp_path / "b"), "--out", str(grown), "--add"]) == 0
    said = capsys.readouterr()
    assert "added: " in said.out and "--splits all, as" in said.err
    if "now hold within" not in said.err:
        assert before.items() <= shards(grown).items() and len(shards(grown)) == 2
    manifest = DatasetFolder.open(grown).manifest
    assert len(manifest.inputs) == 2 and len(list(grown.glob("*.mmap"))) == 1
    held = files(grown)
    assert main([str(tmp_path / "b"), "--out", str(grown), "--add"]) == 0
    assert "up to date: it holds the calls of" in capsys.readouterr().err
    assert files(grown) == held
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "cache"}


def test_what_is_in_the_cache_is_not_stored_twice(make, write_folder, tmp_path, capsys):
    first = make("one", [READ], task_id="t1")
    again = make("one", [READ], "another end", task_id="t1")
    cache = tmp_path / "cache"
    assert main([str(write_folder([first, make("two", [READ])], name="a")), "--out", str(cache)]) == 0
    assert withdraw([str(cache), "--trajectory", make("two")["trajectory_id"], "--reason", "x"]) == 0
    more = [again, make("two", [READ]), make("three", [READ])]
    assert main([str(write_folder(more, name="b")), "--out", str(cache), "--add"]) == 0
    said = capsys.readouterr().err
    assert "2 trajectories are in" in said and "1 of them with other messages" in said
    assert DatasetFolder.open(cache).manifest.counts["entries"] == 2, "what was withdrawn does not come back"
    assert DatasetFolder.open(cache).manifest.counts["added"] == [
        {"entries": 1, "trajectories": 1, "known": 2, "other_version": 1}
    ]


def test_evidence_of_another_scope_rewrites_what_it_must(make, write_folder, tmp_path, capsys):
    def rows(task):
        reads = [[("read_file", {"path": f"f{n}"}, f"{task} {n}")] for n in range(6)]
        return [make(f"{task}{trial}", *reads, [READ], task_id=task) for trial in range(2)]

    cache = tmp_path / "cache"
    assert main([str(write_folder(rows("t1"), name="a")), "--out", str(cache)]) == 0
    assert {row["scope"] for row in table(cache, "entries")} == {"env"}
    assert main([str(write_folder(rows("t2"), name="b")), "--out", str(cache), "--add"]) == 0
    assert "results of read_file in env shop now hold within one task" in capsys.readouterr().err
    opened = ToolCache.open(cache)
    for task in ("t1", "t2"):
        assert opened.session("shop", None, task).call("read_file", {"path": "f0"}).result == f"{task} 0"
    before = files(cache)
    assert withdraw([str(cache), "--task", "t2", "--reason", "x"]) == 0
    assert "now hold within all tasks" in capsys.readouterr().err
    assert ToolCache.open(cache).session("shop", None, "t3").call("read_file", {"path": "f0"}).result == "t1 0"
    assert withdraw([str(cache), "--task", "t2", "--undo"]) == 0
    assert files(cache) == before


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--splits", "test"], "was compiled with --splits all, not test"),
        (["--include-rejects", "outcome"], "was compiled with --include-rejects (none), not outcome"),
        (["--weight", "3"], "was compiled with --weight 10.0, not 3.0"),
        (["--min-keys", "9"], "was compiled with --min-keys 5, not 9"),
        (["--overwrite"], "give one of them"),
    ],
)
def test_other_settings_are_refused(grown, tmp_path, capsys, flags, said):
    before = files(grown)
    assert main([str(tmp_path / "b"), "--out", str(grown), "--add", *flags]) == 2
    assert said in capsys.readouterr().err
    assert files(grown) == before and {path.name for path in tmp_path.iterdir()} == {"a", "b", "cache"}


def test_other_rules_and_kinds_are_refused(make, write_folder, tmp_path, capsys):
    def hinted(hint):
        return json.dumps([{"function": {"name": "frob", "annotations": {"readOnlyHint": hint}}}])

    cache = tmp_path / "cache"
    row = make("a", [("frob", {}, "x")], tools=hinted(True))
    assert main([str(write_folder([row], name="a")), "--out", str(cache)]) == 0
    before = files(cache)
    ruled = write_folder([make("b", [READ])], env_rules={"shop": {"kinds": {"frob": "pure"}}}, name="b")
    assert main([str(ruled), "--out", str(cache), "--add"]) == 2
    assert "the rules of env 'shop' are not those" in capsys.readouterr().err
    assert main([str(write_folder([make("c", [READ])], name="c")), "--out", str(cache), "--add"]) == 0
    assert table(cache, "tools")[0]["kind_evidence"] == "mcp"
    assert files(cache) != before
    plain = tmp_path / "plain"
    assert main([str(tmp_path / "c"), "--out", str(plain)]) == 0
    hinting = write_folder(
        [
            make(
                "d",
                [READ],
                tools=json.dumps([{"function": {"name": "get_order", "annotations": {"readOnlyHint": False}}}]),
            )
        ],
        name="d",
    )
    before = files(plain)
    assert main([str(hinting), "--out", str(plain), "--add"]) == 2
    assert "says that get_order of env shop is a write tool (mcp)" in capsys.readouterr().err
    assert files(plain) == before


def test_rollouts_against_the_cache_may_be_added_to_it(grown, make, tmp_path):
    from curate.folder import FolderWriter, Manifest, folder_input
    from curate.schema import TRAJECTORY

    manifest = Manifest("rollouts", "test", {}, [folder_input(DatasetFolder.open(grown))])
    with FolderWriter(tmp_path / "rollouts", manifest) as writer:
        writer.table("trajectories", TRAJECTORY).write([make("live", [("get_fee", {"n": 1}, "two")])])
    assert main([str(tmp_path / "rollouts"), "--out", str(grown), "--add"]) == 0
    assert ToolCache.open(grown).session("shop").call("get_fee", {"n": 1}).result == "two"


def test_a_replacement_that_was_cut_in_two_is_told(grown, tmp_path, capsys):
    grown.rename(tmp_path / ".cache.old")
    for code in main([str(tmp_path / "b"), "--out", str(grown), "--add"]), compact([str(grown)]):
        assert code == 2
    assert f"rename {tmp_path}/.cache.old to {grown}" in capsys.readouterr().err


def test_there_must_be_a_cache_to_add_to(grown, tmp_path, capsys):
    assert main([str(tmp_path / "b"), "--out", str(tmp_path / "none"), "--add"]) == 2
    assert main([str(tmp_path / "b"), "--out", str(tmp_path / "a"), "--add"]) == 2
    said = capsys.readouterr().err
    assert "does not exist" in said and "kind 'curated'" in said


def test_a_cache_that_changed_meanwhile_is_not_overwritten(grown, tmp_path, capsys, monkeypatch):
    from cachebuild import withdraw as module

    real = module._chosen

    def meanwhile(*given):
        monkeypatch.setattr(module, "_chosen", real)
        assert withdraw([str(grown), "--task", "b", "--reason", "first"]) == 0
        return real(*given)

    monkeypatch.setattr(module, "_chosen", meanwhile)
    assert withdraw([str(grown), "--task", "a", "--reason", "second"]) == 2
    assert "was changed by another run meanwhile" in capsys.readouterr().err
    assert {row["reason"] for row in table(grown, "withdrawn")} == {"first"}
