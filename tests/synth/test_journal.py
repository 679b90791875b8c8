from __future__ import annotations

from pathlib import Path

import pytest

from synth.journal import Journal


def test_records_come_back_after_reopening(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.add("a", {"text": "één\nline \u2028"})
        journal.add("b", {"text": "two"})
        assert journal.get("a") is None, "only what an earlier run made durable is resumed"
    with Journal(tmp_path / "j") as journal:
        assert len(journal) == 2
        assert journal.get("a") == {"text": "één\nline \u2028"}
        assert journal.get("c") is None


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_torn_tail_is_cut_before_anything_is_appended(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.add("a", {"n": 1})
        journal.add("b", {"n": 2})
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut] if cut < 24 else whole[:5])
    with Journal(path) as journal:
        kept = len(journal)
        journal.add("c", {"n": 3})
    with Journal(path) as journal:
        assert len(journal) == kept + 1
        assert journal.damaged == 0
        assert journal.get("c") == {"n": 3}


def test_a_damaged_line_in_the_middle_is_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"key": "a", "n": 1}\n{"key": "b", "n\x00\xff\n[1]\n{"n": 4}\n{"key": "c", "n": 3}\n')
    with Journal(path) as journal:
        assert (len(journal), journal.damaged) == (2, 3)
        assert journal.get("c") == {"n": 3}


def test_groups_become_durable_by_themselves(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", group=2) as journal:
        journal.add("a", {})
        assert (tmp_path / "j").stat().st_size == 0
        journal.add("b", {})
        assert (tmp_path / "j").read_bytes().count(b"\n") == 2
