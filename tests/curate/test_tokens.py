from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UsageError
from curate.normalise import Input, normalise
from curate.readers.openai_chat import OpenAIChat
from curate.tokens import (
    TokenCounter,
    TokenCounts,
    TokenSettings,
    count_tokens,
    outside_bounds,
    token_table,
    too_many_tokens,
)
from curate.trajectory import Trajectory

estimate = TokenCounter.of(None)


@pytest.fixture(scope="module")
def tokenizer_json(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny tokenizer: a token a word, with the bounds and special tokens that real files carry."""
    tokenizers = pytest.importorskip("tokenizers")
    from tokenizers import models, pre_tokenizers, processors, trainers

    tokenizer = tokenizers.Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordLevelTrainer(special_tokens=["[UNK]", "[PAD]", "[CLS]"])
    tokenizer.train_from_iterator(["where is order #W1 ? it was sent"], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 2)])
    tokenizer.enable_truncation(max_length=4)
    tokenizer.enable_padding(length=8)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def row(**facts: Any) -> Trajectory:
    call = {"function": {"name": "get", "arguments": '{"order": 1}'}}
    record: dict[str, Any] = {
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "where is it ?"},
            {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "I must look"},
            {"role": "tool", "content": "sent on Monday by mail"},
            {"role": "assistant", "content": "it was sent", "reasoning_content": "done"},
        ],
        **facts,
    }
    return normalise(OpenAIChat().convert(record), record, 0, Input("x", "x"))


def test_the_estimate_is_a_quarter_of_the_bytes_and_says_so() -> None:
    assert estimate.count(["", "a", "abcd", "abcde", "\u6211\u6211"]) == [0, 1, 1, 2, 2]
    assert estimate.named("thinking") == "thinking_tokens_est"
    assert (estimate.estimated, estimate.fingerprint) == (True, "bytes/4")


def test_a_tokenizer_counts_all_of_a_text_and_nothing_around_it(tokenizer_json: Path) -> None:
    counter = TokenCounter.of(str(tokenizer_json))
    assert counter.count(["where is order #W1 ? it was sent now", "", "where"]) == [9, 0, 1]
    assert counter.count([]) == []
    assert counter.named("thinking") == "thinking_tokens"
    assert not counter.estimated


def test_a_folder_with_a_tokenizer_will_do(tokenizer_json: Path) -> None:
    counter = TokenCounter.of(str(tokenizer_json.parent))
    assert counter.fingerprint == TokenCounter.of(str(tokenizer_json)).fingerprint
    assert len(counter.fingerprint) == 32


def test_a_counter_goes_to_other_processes(tokenizer_json: Path) -> None:
    for counter in (estimate, TokenCounter.of(str(tokenizer_json))):
        copy = pickle.loads(pickle.dumps(counter))
        assert copy.count(["one two three four five"]) == counter.count(["one two three four five"])
        assert (copy.estimated, copy.fingerprint) == (counter.estimated, counter.fingerprint)


def test_what_is_counted_of_a_row(tokenizer_json: Path) -> None:
    counter = TokenCounter.of(str(tokenizer_json))
    # be kind 2, where is it ? 4, get 1, {"order": 1} 2, it was sent 3; thinking 3 + 1; result 5
    assert count_tokens([row()], counter) == [TokenCounts(21, 4, 5)]
    assert count_tokens([], counter) == []


def test_rows_counted_together_are_counted_as_each_alone(tokenizer_json: Path) -> None:
    other = row(messages=[{"role": "user", "content": "be kind"}])
    for counter in (estimate, TokenCounter.of(str(tokenizer_json))):
        alone = [count_tokens([item], counter)[0] for item in (row(), other, row())]
        assert count_tokens([row(), other, row()], counter) == alone


def test_bounds(tokenizer_json: Path) -> None:
    counter = TokenCounter.of(str(tokenizer_json))
    assert too_many_tokens(row(), counter, 21) is None
    assert too_many_tokens(row(), counter, 20) == "21 tokens; at most 20 are kept"
    assert too_many_tokens(row(), estimate, 5) == "23 tokens (estimated); at most 5 are kept"
    counts = TokenCounts(1500, 0, 0)
    assert outside_bounds(counts, counter, TokenSettings(min_tokens=1500, max_tokens=1500)) is None
    short = outside_bounds(counts, counter, TokenSettings(min_tokens=2000))
    assert short == "1,500 tokens; at least 2,000 are asked for"


def test_the_table_names_estimates() -> None:
    counts = [TokenCounts(n, 0, n // 2) for n in range(1, 101)]
    headers, rows = token_table(counts, estimate)
    assert headers == ["figure", "sum", "mean", "median", "95 %", "largest"]
    assert rows[0] == ["trajectory_tokens_est", 5050, 50.5, 50, 95, 100]
    assert [line[0] for line in rows] == ["trajectory_tokens_est", "thinking_tokens_est", "tool_results_tokens_est"]
    assert token_table([], estimate)[1] == []


@pytest.mark.parametrize("name", ["gone.json", "/no/such/tokenizer"])
def test_a_file_that_is_not_there(name: str) -> None:
    pytest.importorskip("tokenizers")
    with pytest.raises(UsageError, match=f"--tokenizer {name}: no such file"):
        TokenCounter.of(name)


def test_a_file_that_is_no_tokenizer(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": 1}))
    with pytest.raises(UsageError, match=r"no tokenizer\.json that can be read"):
        TokenCounter.of(str(path))


def test_a_hub_id_without_a_network_says_what_is_wrong() -> None:
    pytest.importorskip("tokenizers")
    code = (
        "from curate.tokens import TokenCounter; from curate.errors import UsageError\n"
        "try: TokenCounter.of('nobody/nothing@abc')\n"
        "except UsageError as error: print(error)"
    )
    env = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": ":".join(sys.path), "HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "--tokenizer nobody/nothing@abc: no such file, nor can it be fetched" in done.stdout


def test_without_the_library_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match="pip install tokenizers"):
        TokenCounter.of("some/model")
    assert TokenCounter.of(None).count(["abcd"]) == [1]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (TokenSettings(min_tokens=-1), "--min-tokens must be at least 0"),
        (TokenSettings(max_tokens=0), "--max-tokens must be at least 1"),
        (TokenSettings(min_tokens=5, max_tokens=4), "--max-tokens must be at least 5"),
    ],
)
def test_bounds_that_keep_nothing(settings: TokenSettings, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        settings.check()


@given(st.lists(st.text(), max_size=5))
def test_an_estimate_is_at_least_one_token_of_a_text(texts: list[str]) -> None:
    encodable = [text.encode(errors="ignore").decode() for text in texts]
    counts = estimate.count(encodable)
    assert [count > 0 for count in counts] == [text != "" for text in encodable]


def test_real_rows(three_inputs: list[Path], tokenizer_json: Path) -> None:
    from curate.readers.files import read_records
    from curate.readers.tau_bench import TauBench

    rows = []
    for record in read_records(three_inputs[1]):
        rows.append(normalise(TauBench().convert(record.value), record.value, record.row, Input("x", "x")))
    for counter in (estimate, TokenCounter.of(str(tokenizer_json))):
        counts = count_tokens(rows, counter)
        assert len(counts) == 100
        assert all(item.trajectory > item.tool_results > 0 and item.thinking == 0 for item in counts)
