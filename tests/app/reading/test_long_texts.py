"""Long results: pieces, search within, JSON folded to a size."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.reading.forms import MAX_CHILDREN, MAX_TEXT, folded, form_of, parsed, pretty
from app.reading.pieces import PIECE, count_matches, matches, piece, piece_of, pieces
from app.reading.searching import hits
from app.reading.turns import steps_of
from tests.app.reading.rows import large, shop

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=6),
    max_leaves=40,
)


@given(st.text(max_size=200), st.integers(1, 20))
def test_the_pieces_of_a_text_are_the_text(text: str, size: int) -> None:
    parts = [piece(text, number + 1, size) for number in range(pieces(text, size))]
    assert "".join(part.text for part in parts) == text
    assert all(len(part.text) <= size for part in parts)


def test_a_piece_that_there_is_not_is_the_nearest() -> None:
    assert piece("abc", 99, 2).text == "c"
    assert piece("abc", -1, 2).number == 1


def test_what_is_found_stands_in_its_piece() -> None:
    text = large(5_000_000)["messages"][3]["content"] or ""
    (match,) = matches(text, "THE NEEDLE")
    assert match.found == "the needle"
    assert "the needle" in piece(text, piece_of(match.start)).text
    assert len(piece(text, 1).text) == PIECE
    assert count_matches(text, "line", limit=500) == 500


def test_a_needle_is_looked_for_as_it_is_written() -> None:
    assert [match.start for match in matches("a.b axb (", "a.b")] == [0]
    assert matches("x" * 1_000_000, "(x+)+y") == []
    assert matches("anything", "") == []


def test_a_large_result_is_folded_to_its_outline() -> None:
    value = parsed(large(5_000_000)["messages"][2]["content"] or "")
    shown, cut = folded(value)
    assert shown[0] == {"id": "rec-0", "name": "Name 0", "values": [0, 1]}
    assert len(shown) == MAX_CHILDREN + 1
    assert shown[-1].endswith(" more")
    assert cut == len(value) - MAX_CHILDREN
    assert len(json.dumps(shown)) < 20_000


@given(values)
def test_a_small_value_is_folded_to_itself(value: Any) -> None:
    shown, cut = folded(value)
    assert cut == 0
    assert shown == json.loads(json.dumps(value), parse_int=lambda n: int(n) if abs(int(n)) <= 2**53 else n)


@given(values, st.integers(0, 10))
def test_what_is_left_out_is_told(value: Any, most: int) -> None:
    shown, cut = folded(value, most)
    assert (cut > 0) == ("\u2026" in json.dumps(shown, ensure_ascii=False) and shown != value)


def test_long_texts_in_a_result_are_cut_and_depth_needs_no_stack() -> None:
    shown, cut = folded({"log": "x" * 10_000})
    assert cut == 1
    assert len(shown["log"]) < MAX_TEXT + 50
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    assert folded(deep)[1] > 0


def test_the_form_that_suits_a_result() -> None:
    assert form_of('{"a": 1}') == "json"
    assert form_of("{not json") == "plain"
    assert form_of("Error: no such order") == "plain"
    assert form_of("# Title\n\n- one\n- two") == "markdown"
    assert pretty('{"b":1,"a":[2]}') == '{\n  "b": 1,\n  "a": [\n    2\n  ]\n}'
    assert pretty("no json") == "no json"
    assert json.loads(pretty('{"n": 123456789012345678901234567890}')) == {"n": 123456789012345678901234567890}


def test_search_tells_in_what_a_text_stands() -> None:
    found = hits(steps_of(shop()), "#w100")
    assert [(hit.message_index, hit.part, hit.tool) for hit in found] == [
        (3, "result", "get_user"),
        (4, "thinking", None),
        (4, "arguments", "get_order"),
        (6, "text", None),
    ]
    assert hits(steps_of(shop()), "  ") == []
