"""Two texts word by word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.comparing.words import Piece, split, word_diff

TEXTS = st.lists(st.sampled_from(["the", "order", "W1", " ", "\n", ".", "é", "is", "open"]), max_size=40).map("".join)


@given(TEXTS | st.text(max_size=60), TEXTS | st.text(max_size=60))
def test_the_pieces_of_each_side_are_its_text(before, after):
    found = word_diff(before, after)
    assert "".join(piece.text for piece in found.side("before")) == before
    assert "".join(piece.text for piece in found.side("after")) == after
    assert found.changed == (before != after) and found.stopped is None


@given(TEXTS, TEXTS, st.integers(1, 6))
def test_a_diff_that_stops_says_where(before, after, most):
    found = word_diff(before, after, max_words=most)
    old, new = found.stopped or (len(before), len(after))
    assert "".join(piece.text for piece in found.side("before")) == before[:old]
    assert "".join(piece.text for piece in found.side("after")) == after[:new]


def test_a_changed_word_is_shown_between_words_that_stay():
    assert word_diff("I need the order.", "I read the order.").pieces == (
        Piece("same", "I "),
        Piece("removed", "need"),
        Piece("added", "read"),
        Piece("same", " the order."),
    )


def test_words_changed_beside_each_other_are_one_change():
    found = word_diff("see order W1 now", "see parcel P2 now")
    assert [piece.text for piece in found.pieces] == ["see ", "order W1", "parcel P2", " now"]
    assert found.words == (2, 2)


def test_equal_texts_have_no_change():
    assert not word_diff("same", "same").changed
    assert word_diff("", "").pieces == ()


def test_spaces_alone_are_a_change():
    assert word_diff("a b", "a  b").changed


@pytest.mark.parametrize("hostile", ["a " * 500_000, "\\" * 1_000_000, "([{<" * 250_000, "x" * 1_000_000])
def test_a_megabyte_ends_and_says_where_it_stopped(hostile):
    found = word_diff(hostile, "b " + hostile[::-1] + " é")
    assert "".join(piece.text for piece in found.side("before")) == hostile[: (found.stopped or (len(hostile),))[0]]


def test_a_megabyte_with_one_change_is_compared_whole():
    long = "one two three. " * 70_000
    found = word_diff(f"{long}yes {long}", f"{long}no {long}")
    assert found.stopped is None
    assert [piece.text for piece in found.pieces if piece.kind != "same"] == ["yes", "no"]


@given(st.text())
def test_words_joined_are_the_text(text):
    assert "".join(split(text)) == text
