from __future__ import annotations

import random

import pytest

from synth.checks import templating
from synth.checks.settings import CheckSettings
from synth.checks.templating import Templating

WORDS = [f"word{number}" for number in range(500)]


def thoughts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=30)) for _ in range(count)]


def test_different_thoughts_are_fine() -> None:
    corpus = Templating()
    corpus.add_all(thoughts(300))
    result = corpus.result()
    assert result.warnings == ()
    assert result.thoughts == result.compared == 300
    assert result.near_duplicate_share == 0


def test_common_openings_and_near_duplicates_are_warned_of() -> None:
    corpus = Templating()
    rng = random.Random(1)
    texts = [f"First of all, I {text}" if at % 4 == 0 else text for at, text in enumerate(thoughts(200))]
    texts += [f"{text} too" for text in texts[1:40:2]]
    rng.shuffle(texts)
    corpus.add_all(texts)
    result = corpus.result()
    assert result.top_opening == "first of all i"
    assert result.share == pytest.approx(50 / 220)
    assert result.near_duplicate_share == pytest.approx(20 / 220)
    assert len(result.warnings) == 2
    quiet = CheckSettings(max_opening_share=0.5, max_near_duplicates=0.5)
    other = Templating(quiet)
    other.add_all(reversed(texts))
    assert other.result().warnings == ()
    assert other.result().near_duplicate_share == result.near_duplicate_share


def test_a_sample_keeps_near_duplicates_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templating, "SAMPLE", 300)
    corpus = Templating()
    texts = thoughts(1500)
    corpus.add_all([*texts, *(f"{text} indeed" for text in texts)])
    result = corpus.result()
    assert result.compared == 300
    assert 0.35 < result.near_duplicate_share <= 0.5


def test_a_full_table_of_openings_keeps_the_common_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templating, "OPENINGS", 50)
    corpus = Templating()
    for text in thoughts(1000):
        corpus.add(text)
        corpus.add(f"I go on and {text}")
        assert len(corpus._openings) <= 50
    assert corpus.result().top_opening == "i go on and"
    assert corpus.result().share == pytest.approx(0.5, abs=0.01)


def test_nothing_added_is_no_fault() -> None:
    assert Templating().result().warnings == ()
