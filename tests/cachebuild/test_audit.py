import pytest

from cachebuild.__main__ import main as compile_main
from cachebuild.audit import main
from cachebuild.tiers import tier_table
from curate.folder import DatasetFolder

READ = ("get_order", {"order_id": "W1"}, "open")
CANCEL = ("cancel_order", {"order_id": "W1"}, "done")


@pytest.fixture
def folders(make, write_folder, tmp_path):
    """A cache of two trials of one task and of another task, and the queries it was made of."""
    rows = [
        make("one", [READ], [CANCEL], [("get_order", {"order_id": "W1"}, "gone")]),
        make("two", [READ]),
        make("three", [("get_order", {"order_id": "W3"}, "open")], task_id="t3", task_group="g3"),
        make("four", [READ], task_id="t4", task_group="g4", split="test"),
    ]
    queries = write_folder(rows)
    assert compile_main([str(queries), "--out", str(tmp_path / "cache")]) == 0
    return tmp_path / "cache", queries


def test_rows_say_what_was_served_without_the_own_trajectory(folders, tmp_path, capsys):
    cache, queries = folders
    assert main([str(cache), "--queries", str(queries), "--out", str(tmp_path / "audit")]) == 0
    rows = list(DatasetFolder.open(tmp_path / "audit", kinds=("audit",)).rows("audit"))
    assert [(row["tool"], row["tier"], row["right"], row["seen_task"], row["own_in_cache"]) for row in rows] == [
        ("get_order", "exact", True, True, True),
        ("cancel_order", "unavailable", False, True, True),
        ("get_order", "unavailable", False, True, True),
        ("get_order", "exact", True, True, True),
        ("get_order", "unavailable", False, False, True),
        ("get_order", "exact", True, False, False),
    ]
    assert [row["own_found"] for row in rows] == [row["own_in_cache"] for row in rows]
    assert [row["after_write"] for row in rows] == [False, False, True, False, False, False]
    printed = capsys.readouterr().out
    assert "5 of 5 calls find their own result" in printed
    report = (tmp_path / "audit" / "report.md").read_text()
    assert "tasks seen in own alone | 1 | 0 |" in report and "Is p honest?" in report
    assert "held-out tasks | 1 | 100 |" in report
    headers, table = tier_table(rows)
    assert table[0][: headers.index("exact %") + 1] == ["all calls", 6, 50.0]
    assert [line[0] for line in table][-2:] == ["shop: cancel_order", "shop: get_order"]


def test_splits_and_printing_without_a_folder(folders, capsys, tmp_path):
    cache, queries = folders
    before = set(tmp_path.iterdir())
    assert main([str(cache), "--queries", str(queries), "--splits", "test"]) == 0
    assert "all calls" in (printed := capsys.readouterr().out) and "  1  " in printed
    assert main([str(cache), "--queries", str(queries), "--splits", "validation"]) == 0
    assert "no call was asked" in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before


def test_wrong_calls_exit_2_with_a_reason(folders, capsys, tmp_path):
    cache, queries = folders
    for arguments, message in [
        ([tmp_path / "nothing", "--queries", queries], "does not exist"),
        ([queries, "--queries", queries], "this needs cache"),
        ([cache, "--queries", cache], "this needs curated or augmented or rollouts"),
        ([cache, "--queries", queries, "--splits", "all,dev"], "no such split"),
        ([cache, "--queries", queries, "--out", queries], "is an input of this run"),
    ]:
        assert main([str(argument) for argument in arguments]) == 2
        assert message in capsys.readouterr().err


def test_equal_audits_give_equal_bytes(folders, tmp_path):
    cache, queries = folders
    for name in ("a", "b"):
        assert main([str(cache), "--queries", str(queries), "--out", str(tmp_path / name)]) == 0
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert one == two


@pytest.mark.parametrize("flags", ["--fuzzy-at 5", "--fuzzy-at nan", "--unknown-state-p 9", "--max-candidates -1"])
def test_look_ups_that_cannot_be_are_refused(folders, capsys, flags):
    cache, queries = folders
    assert main([str(cache), "--queries", str(queries), *flags.split()]) == 2
    assert flags.split()[0] in capsys.readouterr().err
