import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.similarity import MOST_ALIKE, StemWeights, stem, text_similarity, words

TEXT = st.text(alphabet="abs 1?", max_size=12)


def test_texts_with_other_digits_are_not_alike():
    assert text_similarity("order 12 shoes", "order 13 shoes") == 0
    assert text_similarity("Red Shoes!", "red shoe") == 1
    assert text_similarity("red shoes", "red boots") == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("3667 GZ", "GZ 3667"),
        ("2 adults, 1 child", "1 child, 2 adults"),
        ("2 adults and 1 child", "2 children and 1 adult"),
        ("seat 12 to 14", "seat 14 to 12"),
        ("12 shoes", "12 red shoes"),
    ],
)
def test_a_number_belongs_to_the_word_behind_it(one, two):
    assert text_similarity(one, two) == 0 == text_similarity(two, one)


def test_words_around_a_number_and_its_word_may_move():
    assert text_similarity("shoes for 12 boys", "for 12 boys: shoes") == MOST_ALIKE
    assert text_similarity("3667 GZ", "3667-gz") == 1


def test_only_the_same_order_is_wholly_alike():
    assert text_similarity("Rome to Paris", "Paris to Rome") == MOST_ALIKE
    assert text_similarity("hats, hats", "hat") == MOST_ALIKE
    assert text_similarity("Rome  to PARIS", "rome to Paris!") == 1


def test_texts_without_words_are_not_alike():
    assert text_similarity("???", "!!!") == 0 == text_similarity("", "a")


def test_rare_stems_weigh_more():
    weights = StemWeights.of(["cheap red hat", "cheap blue hat", "cheap hat", "cheap green coat"])
    assert weights.counts == {"cheap": 4, "hat": 3}
    rare = text_similarity("cheap turban", "fine turban", weights)
    assert rare > text_similarity("cheap turban", "cheap fedora", weights)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("shoes", "shoe"), ("bakeries", "bakery"), ("glass", "glass"), ("bus", "bus"), ("virus", "virus"), ("red", "red")],
)
def test_stems(word, expected):
    assert stem(word) == expected


@given(TEXT, TEXT, st.lists(TEXT, max_size=5))
def test_bounds_and_symmetry(one, two, values):
    weights = StemWeights.of(values)
    found = text_similarity(one, two, weights)
    assert 0 <= found <= 1 and found == text_similarity(two, one, weights)
    assert (found == 1) == (words(one) == words(two) != ())


def test_long_texts_are_read_in_linear_time():
    assert text_similarity("a" * 1_000_000, "a!" * 500_000) == 0
