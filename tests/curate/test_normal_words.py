from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import normal_words
from curate.normal_words import value_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't  cancel—it's (my) ORDER #W2378156!", ["dont", "cancelits", "my", "order", "w2378156"]),
        ("Don\u2019t cancel", ["dont", "cancel"]),
        ("on 2024-05-20,\nby\u00a0mia_li_3668", ["on", "20240520", "by", "miali3668"]),
        ("\uff28\uff41\uff54 \ufb01ve Stra\u00dfe", ["hat", "five", "strasse"]),
        ("\u6211\u8981\u9000\u8d27", ["\u6211", "\u8981", "\u9000", "\u8d27"]),
        ("\u8ba2\u5355W2378\uff0cplease", ["\u8ba2", "\u5355", "w2378please"]),
        (
            "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 krub",
            ["\u0e2a", "\u0e27", "\u0e31", "\u0e2a", "\u0e14", "\u0e35", "krub"],
        ),
        ("\ud658\ubd88 \ud574 \uc8fc\uc138\uc694", ["\ud658\ubd88", "\ud574", "\uc8fc\uc138\uc694"]),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", ["\u0939\u093f\u0928\u094d\u0926\u0940"]),
        ("... !?", []),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text(st.sampled_from(string.printable + "\u2019\u201c\u2014\u2026")))
def test_the_fast_way_and_the_way_for_any_script_agree(text: str) -> None:
    assert words_of(text) == normal_words._any_script(text)


@given(st.text())
def test_words_are_normal_already_and_hold_no_space(text: str) -> None:
    words = words_of(text)
    assert all(word and not any(char.isspace() for char in word) for word in words)
    assert words_of(text.upper().lower()) == words_of(text.upper().lower())
    assert words_of(unicodedata.normalize("NFD", "caf\u00e9")) == words_of("CAF\u00c9")


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "' " * 500_000, "\u2019" * 1_000_000, "\u6211" * 300_000, "_-" * 500_000]
)
def test_a_hostile_text_takes_no_longer_than_another(text: str) -> None:
    words_of(text)


def test_arguments_are_their_values_in_the_order_of_the_keys() -> None:
    given = {"b": ["x y", 2.0, None, True], "a": {"d": "Last-One", "c": 1.5}}
    assert value_words(given) == ["15", "lastone", "x", "y", "2", "true"]
    assert value_words("as text") == ["as", "text"]
    assert value_words(None) == []
    deep: object = "end"
    for _ in range(5_000):
        deep = [deep]
    assert value_words(deep) == ["end"]
