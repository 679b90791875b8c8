from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.checks.computed import computed
from synth.checks.words import number_of, words_of


@given(st.integers(0, 10**9), st.integers(0, 99))
def test_a_number_is_one_word_however_it_is_written(whole: int, cents: int) -> None:
    value = whole + cents / 100
    forms = [f"{whole}.{cents:02}", f"{whole:,}.{cents:02}", f"${whole:,}.{cents:02}", f'{{"a":{whole}.{cents:02}}}']
    words = {words_of(form)[-1] for form in forms}
    assert len(words) == 1
    assert number_of(words.pop()) == pytest.approx(value)


@given(st.text())
def test_a_text_has_the_same_words_in_json(text: str) -> None:
    kept = "".join(char for char in text if char not in "\\'\u2019" and char.isprintable() and char.lower() == char)
    assert words_of(json.dumps(kept)) == words_of(kept)


@given(st.text())
def test_words_are_never_empty_nor_hold_spaces(text: str) -> None:
    assert all(word and not any(map(str.isspace, word)) for word in words_of(text))


@pytest.mark.parametrize(
    ("word", "shown", "known", "follows"),
    [
        ("340", [], ["155", "185"], True),
        ("340", ["155", "185"], [], True),
        ("415", ["117", "140", "158"], [], True),
        ("310", [], ["155"], True),
        ("10p52", [], ["105p2", "10"], True),
        ("94p68", [], ["105p2", "10"], True),
        ("341", [], ["155", "185"], False),
        ("8190333", [], ["155", "185"], False),
        ("0", [], ["1"], False),
    ],
)
def test_what_follows_from_known_numbers(word: str, shown: list[str], known: list[str], follows: bool) -> None:
    assert computed(word, shown, known) is follows
