from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import ngram_index
from curate.ngram_index import NgramIndex, Owner


def index(n: int, *owners: Sequence[str], max_owners: int | None = None) -> NgramIndex:
    texts = [[text.split() for text in owner] for owner in owners]
    return NgramIndex(n, [Owner(text, 0, number) for number, text in enumerate(texts)], max_owners)


def shared(found: NgramIndex, *texts: str, least: int = 1) -> list[tuple[int, int]]:
    """(owner, how many n-grams) of those that share any."""
    needed = np.minimum(found.sizes, least)
    return [(owner, len(places)) for owner, places in found.shared([text.split() for text in texts], needed)]


def brute(n: int, owners: Sequence[Sequence[str]], texts: Sequence[str]) -> dict[int, int]:
    def grams(lines: Sequence[str]) -> set[tuple[str, ...]]:
        return {tuple(w[i : i + n]) for w in map(str.split, lines) for i in range(len(w) - n + 1)}

    counts = {number: len(grams(owner) & grams(texts)) for number, owner in enumerate(owners)}
    return {number: count for number, count in counts.items() if count}


line = st.lists(st.sampled_from("ab"), max_size=14).map(" ".join)
lines = st.lists(line, max_size=3)


@given(st.integers(1, 7), st.lists(lines, max_size=4), lines)
def test_it_finds_what_brute_force_finds(n: int, owners: list[list[str]], texts: list[str]) -> None:
    assert dict(shared(index(n, *owners), *texts)) == brute(n, owners, texts)


@given(st.integers(5, 15), st.integers(0, 40), st.integers(0, 40))
def test_an_ngram_is_found_wherever_it_stands(n: int, before: int, after: int) -> None:
    gram = " ".join(f"g{i}" for i in range(n))
    text = " ".join(["x"] * before + [gram] + ["y"] * after)
    assert shared(index(n, [f"some words {gram} and more"]), text) == [(0, 1)]


def test_ngrams_do_not_cross_texts() -> None:
    found = index(3, ["a b", "c d e"])
    assert shared(found, "a b c d") == []
    assert shared(found, "a b c d e") == [(0, 1)]


def test_the_largest_share_comes_first() -> None:
    found = index(2, ["a b c d e f g"], ["a b c"], ["x y"])
    assert shared(found, "a b c d") == [(1, 2), (0, 3)]
    assert shared(found, "a b c d", least=3) == [(1, 2), (0, 3)]
    assert shared(found, "a b", least=2) == []


def test_templates_can_be_left_out() -> None:
    owners = [[f"you are a customer of the shop your order is number {n}"] for n in range(4)]
    text = "you are a customer of the shop your order is number 2"
    assert [count for _, count in shared(index(5, *owners), text)] == [8, 7, 7, 7]
    cut = index(5, *owners, max_owners=3)
    assert cut.ignored == {0: 7}
    assert cut.sizes.tolist() == [1, 1, 1, 1]
    assert shared(cut, text) == [(2, 1)]
    assert index(5, *owners, max_owners=4).ignored == {}


def test_owners_of_one_key_count_as_one() -> None:
    words = "the same words for each trial".split()
    trials = [Owner([words], 0, 7) for _ in range(4)]
    assert NgramIndex(3, trials, max_owners=1).ignored == {}


def test_equal_hashes_of_unequal_words_count_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_index.xxhash, "xxh3_64_intdigest", lambda raw: len(raw) % 2)
    found = index(3, ["a b c d e"], ["p q r"])
    assert shared(found, "x y z u v w") == []
    assert shared(found, "p q r") in ([(1, 1)], [])  # a collision may hide a match, never make one


def test_an_empty_index_finds_nothing() -> None:
    for found in (index(3), index(3, ["a b"])):
        assert len(found) == 0
        assert shared(found, "a b c d") == []


def test_it_survives_a_pickle() -> None:
    found = pickle.loads(pickle.dumps(index(3, ["a b c d e"])))
    assert shared(found, "b c d") == [(0, 1)]


@pytest.mark.parametrize("text", ["a " * 200_000, "a" * 1_000_000, "a b c d " * 50_000])
def test_a_hostile_text_is_looked_up_in_one_pass(text: str) -> None:
    found = index(13, ["a " * 40, "a b c d " * 10])
    assert len(shared(found, text)) == (text.count(" ") > 0)
