from __future__ import annotations

from pathlib import Path

import pytest

from curate.report import text_table
from curate.tokens import TokenCounter
from synth.estimate import HEADERS, estimate, measured_bytes_per_token, observed
from synth.journal.folder import Journal
from synth.prices import price_of

PRICE = price_of("openai:gpt-4o-mini")


def test_the_sums_of_a_run_online_as_a_batch_and_at_worst() -> None:
    done = estimate([(4_000, 0), (8_000, 4_000)], PRICE, max_tokens=1_000)
    assert (done.turns, done.input_tokens, done.cached_tokens, done.output_tokens) == (2, 3_000, 1_000, 500)
    assert done.online == 3_000 * 150 + 500 * 600
    assert done.online_cached == 2_000 * 150 + 1_000 * 75 + 500 * 600
    assert done.batch == done.online // 2
    assert done.worst == 3 * sum(PRICE.worst(size, 1_000) for size in (4_000, 8_000))
    shown = text_table(HEADERS, done.rows())
    assert "online, nothing cached" in shown and "worst case, 3 asks a turn" in shown
    assert "250 tokens" in done.notes()[0]


def test_nothing_to_ask_costs_nothing() -> None:
    done = estimate([], PRICE, max_tokens=1_000)
    assert (done.turns, done.online, done.worst) == (0, 0, 0)


def test_a_journal_of_twenty_answers_says_how_long_they_are_and_how_often_turns_are_asked(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        for n in range(30):
            key = f"k{n}"
            model = "gpt-4o-mini-2024-07-18" if n < 20 else "gpt-4o-2024-08-06"
            usage = [1_000, 100 + n, 0, 0, 0, 0]
            record = {"t": "reply", "id": key, "key": key, "kind": "ok", "usage": usage, "usd": 0.1, "model": model}
            journal.write_now(record)
            if n % 3 != 2 and n < 30:
                journal.write_now({"t": "turn", "key": key, "outcome": "accepted"})
        seen = observed(journal, "openai:gpt-4o-mini")
        assert (seen.answers, seen.answer_tokens, seen.asks_per_turn) == (20, 109.5, 1.5)
        assert "109" in seen.words() or "110" in seen.words()
        other = observed(journal, "openai:gpt-4o-2024-08-06")
        assert (other.answers, other.answer_tokens) == (0, 250), "ten answers are too few"
    done = estimate([(4_000, 0)], PRICE, 1_000, seen)
    assert done.output_tokens == 110
    assert any("1.50 asks a turn as so far" in str(row[0]) for row in done.rows())
    assert observed(None, "openai:gpt-4o-mini").answers == 0


def test_a_tokenizer_says_how_many_bytes_a_token_has() -> None:
    assert measured_bytes_per_token(TokenCounter(None), ["x" * 400]) == pytest.approx(4)
    assert measured_bytes_per_token(TokenCounter(None), []) == 4
