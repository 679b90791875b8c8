from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import searching
from app.library import Library
from app.searching import holding
from curate.errors import UsageError
from curate.schema import TRAJECTORY
from tests.app.dataset_folders import message, order, reject, row, write_folder

TALKS = [
    row("content", message("user", "A Glacier (50% off).* please")),
    row("thought", message("assistant", "ok", reasoning_content="the GLACIER again")),
    row("arguments", message("assistant", None, ("find", '{"name": "glacier"}'))),
    row("elsewhere", message("assistant", None, ("glacier", "{}")), source="glacier"),
    row("silent"),
    row("accents", message("user", "ein Gläschen ÄRGER")),
]


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Rows in row groups of two, so that several are looked through."""
    monkeypatch.setattr("curate.table_writer.MAX_GROUP_ROWS", 2)
    folder = write_folder(tmp_path / "data", TALKS, [reject("read", "not_json"), reject("dedup", "exact", order(1))])
    return Library.open([folder], tmp_path / "index")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("glacier", [0, 1, 2]),
        ("GLACIER", [0, 1, 2]),
        ("(50% off).*", [0]),
        (".*", [0]),
        ("g.acier", []),
        ("gläschen är", [5]),
        ("GLÄSCHEN ÄR", [5]),
        ("order 1", [7]),
        ("order  1", [7]),
        ("\x00", []),
        ("", list(range(8))),
    ],
)
def test_a_literal_text_is_found_in_contents_thoughts_and_arguments(library, text, rows):
    assert library.search(text).to_list() == rows


def test_a_search_may_look_at_some_rows_alone(library):
    assert library.search("glacier", pl.Series([2, 5, 0])).to_list() == [0, 2]
    assert library.search("glacier", pl.Series([], dtype=pl.UInt32)).to_list() == []


def test_progress_is_told_and_may_end_the_search(library):
    told: list[float] = []
    library.search("glacier", progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 1

    def stop(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        library.search("glacier", progress=stop)


@pytest.mark.parametrize("letter", ["a", "ä"])
def test_long_and_hostile_texts_are_found_or_refused(tmp_path, letter):
    whole = letter * 1_000_000
    library = Library.open([write_folder(tmp_path / "data", [row("long", message("tool", whole))])], tmp_path / "index")
    assert library.search(letter.upper() * searching.LONGEST).to_list() == [0]
    assert library.search(letter * (searching.LONGEST - 1) + "!").to_list() == []
    with pytest.raises(UsageError, match="cannot be searched for"):
        library.search(whole)


@given(
    st.lists(st.lists(st.one_of(st.none(), st.text("abAB.*\\ (é", max_size=8)), max_size=4), min_size=1, max_size=8),
    st.text("abAB.*\\ (", min_size=1, max_size=3),
)
def test_what_is_found_is_what_a_plain_look_finds(talks, text):
    import pyarrow as pa

    rows = [row(str(at), *(message("user", said) for said in talk)) for at, talk in enumerate(talks)]
    messages = pa.Table.from_pylist(rows, schema=TRAJECTORY).select(["messages"])["messages"]
    plain = [any(text.lower() in (said or "").lower() for said in talk) for talk in talks]
    assert holding(messages, text).tolist() == plain
