"""Secrets in what a cache would serve are said, refused or let be; they are never printed whole."""

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cachebuild.__main__ import main
from cachebuild.secret_check import worth_a_look
from curate.folder import DatasetFolder
from curate.secrets import may_hold_secrets

KEY = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PARTS = [
    "glpat-",
    "-----BEGIN",
    "@",
    "://",
    "Key",
    "TOKEN",
    "passW",
    "a1" * 8,
    "a-" * 16,
    "\n",
    " ",
    "é",
    "\u017fecret",
]


@pytest.fixture
def folder(make, write_folder):
    rows = [
        make("one", [("read_env", {}, f"TOKEN={KEY}")], task_id="t1"),
        make("two", [("read_env", {}, f"TOKEN={KEY}")], [("login", {"key": KEY}, "fine")], task_id="t2"),
        make("three", [("get_order", {"order_id": "W1"}, "open")]),
    ]
    return write_folder(rows)


def test_they_are_counted_by_kind_with_first_places_and_masked(folder, tmp_path, capsys):
    assert main([str(folder), "--out", str(tmp_path / "cache")]) == 0
    said = capsys.readouterr().err
    assert "warning: github in 3 recorded calls, first " in said and "result of read_env: ghp_..." in said
    assert "arguments of login" in said and KEY not in said
    assert DatasetFolder.open(tmp_path / "cache").manifest.counts["secrets"] == {"github": 3}
    report = (tmp_path / "cache" / "report.md").read_text()
    assert "Recorded calls with secrets" in report and KEY not in report


def test_refuse_writes_nothing_and_skip_does_not_look(folder, tmp_path, capsys):
    assert main([str(folder), "--out", str(tmp_path / "cache"), "--secrets", "refuse"]) == 2
    said = capsys.readouterr().err
    assert "github in 3 recorded calls" in said and KEY not in said and not (tmp_path / "cache").exists()
    assert main([str(folder), "--out", str(tmp_path / "cache"), "--secrets", "skip"]) == 0
    assert "github" not in capsys.readouterr().err


def test_refuse_holds_for_what_is_added(make, write_folder, folder, tmp_path, capsys):
    clean = write_folder([make("clean", [("get_order", {"order_id": "W1"}, "open")])], name="clean")
    assert main([str(clean), "--out", str(tmp_path / "cache")]) == 0
    assert main([str(folder), "--out", str(tmp_path / "cache"), "--add", "--secrets", "refuse"]) == 2
    assert "github" in capsys.readouterr().err
    assert main([str(folder), "--out", str(tmp_path / "cache"), "--add"]) == 0
    assert DatasetFolder.open(tmp_path / "cache").manifest.counts["secrets"] == {"github": 3}


@given(st.lists(st.sampled_from(PARTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=6))
@example(["user://", "a@b"])
def test_nothing_that_curate_would_look_at_is_passed_over(parts):
    text = "".join(parts)
    looked = pl.DataFrame({"text": [text]}).select(worth_a_look("text")).item()
    assert looked or not may_hold_secrets(text)


def test_a_long_hostile_text_takes_no_time(make, write_folder, tmp_path):
    texts = ["a" * 2**20, "key=" * 2**18, "://@" * 2**18, "-----BEGIN " * 2**16]
    folder = write_folder([make("one", *([("read_file", {"path": str(n)}, text)] for n, text in enumerate(texts)))])
    assert main([str(folder), "--out", str(tmp_path / "cache")]) == 0
