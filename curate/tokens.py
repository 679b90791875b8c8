"""How many tokens a trajectory has: counted by a tokenizer, or estimated from its bytes and then named `_est`.

The one home of the `tokenizers` library; without `--tokenizer` it is never imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.canonical import hash128
from curate.errors import UsageError
from curate.report import Cell
from curate.trajectory import Trajectory

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BYTES_PER_TOKEN = 4
"""Rough size of a token of English or JSON; figures made with it are named `_est`."""
PARTS = ("trajectory", "thinking", "tool_results")
"""What is counted of a row; the trajectory holds the other two."""


@dataclass(frozen=True)
class TokenSettings:
    """How tokens are counted, and how many a trajectory may have.

    Attributes:
        tokenizer: a tokenizer.json, a folder with one, or the id of a Hub repository (ID or ID@revision) with one;
            default an estimate from the bytes.
        min_tokens: tokens a trajectory needs.
        max_tokens: tokens a trajectory may have; None sets no bound.
    """

    tokenizer: str | None = None
    min_tokens: int = 0
    max_tokens: int | None = None

    def check(self) -> None:
        """Refuse bounds that keep nothing.

        Raises:
            UsageError: for a bound below 0, or a lower one above the upper one.
        """
        if self.min_tokens < 0:
            raise UsageError(f"--min-tokens must be at least 0, not {self.min_tokens}")
        if self.max_tokens is not None and self.max_tokens < max(1, self.min_tokens):
            raise UsageError(f"--max-tokens must be at least {max(1, self.min_tokens)}, not {self.max_tokens}")


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one row: of all its texts, of its thinking, of its tool results."""

    trajectory: int
    thinking: int
    tool_results: int


class TokenCounter:
    """Counts tokens of texts; it can be pickled.

    Attributes:
        estimated: whether the figures are a quarter of the bytes.
        fingerprint: names what counts, for the manifest: the hash of the tokenizer, or `bytes/4`.
    """

    def __init__(self, tokenizer: Tokenizer | None) -> None:
        self.estimated = tokenizer is None
        self.fingerprint = f"bytes/{BYTES_PER_TOKEN}" if tokenizer is None else hash128(tokenizer.to_str())
        if tokenizer is not None:  # a tokenizer.json may hold the bounds of the model it was made for
            tokenizer.no_truncation()
            tokenizer.no_padding()
        self._tokenizer = tokenizer

    @classmethod
    def of(cls, spec: str | None) -> TokenCounter:
        """The counter that a `--tokenizer` names.

        Args:
            spec: None, a tokenizer.json or a folder with one, or a Hub ID, which may end in @revision.

        Raises:
            UsageError: if it cannot be read or fetched.
        """
        if spec is None:
            return cls(None)
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise UsageError("--tokenizer needs the library tokenizers: pip install tokenizers") from error
        path = Path(spec)
        path = path / "tokenizer.json" if path.is_dir() else path
        try:
            if path.is_file():
                return cls(Tokenizer.from_file(str(path)))
            if path.suffix == ".json" or path.is_absolute():
                raise UsageError(f"--tokenizer {spec}: no such file")
            name, _, revision = spec.partition("@")
            return cls(Tokenizer.from_pretrained(name, revision=revision or "main"))
        except UsageError:
            raise
        except Exception as error:  # the library raises bare Exceptions
            what = "no tokenizer.json that can be read" if path.is_file() else "no such file, nor can it be fetched"
            raise UsageError(f"--tokenizer {spec}: {what} ({_first_line(error)})") from error

    def named(self, part: str) -> str:
        """The name of a column or figure: `thinking_tokens`, or `thinking_tokens_est` for an estimate."""
        return f"{part}_tokens_est" if self.estimated else f"{part}_tokens"

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the special tokens that a model puts around it."""
        if self._tokenizer is None:
            return [-(-len(text.encode()) // BYTES_PER_TOKEN) for text in texts]
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding) for encoding in encodings]


def count_tokens(rows: Sequence[Trajectory], counter: TokenCounter) -> list[TokenCounts]:
    """Tokens of each row; equal texts of the rows, as system messages are, are counted once.

    A trajectory's tokens are those of its messages' contents, thinking, and tools' names and arguments. What a chat
    template adds, and tool schemas, depend on the model and are not in it.
    """
    texts = [_texts(row) for row in rows]
    distinct = list(dict.fromkeys(text for parts in texts for part in parts for text in part))
    known = dict(zip(distinct, counter.count(distinct), strict=True))
    counts = []
    for parts in texts:
        said, thinking, results = (sum(known[text] for text in part) for part in parts)
        counts.append(TokenCounts(said + thinking + results, thinking, results))
    return counts


def too_many_tokens(row: Trajectory, counter: TokenCounter, max_tokens: int) -> str | None:
    """What is too long, in words, or None: the form of a filter's predicate.

    Counting many rows at once by `count_tokens` and asking `outside_bounds` is faster.
    """
    return outside_bounds(count_tokens([row], counter)[0], counter, TokenSettings(max_tokens=max_tokens))


def outside_bounds(counts: TokenCounts, counter: TokenCounter, settings: TokenSettings) -> str | None:
    """Which bound a row's tokens break, in words; None if they break none."""
    unit = "tokens (estimated)" if counter.estimated else "tokens"
    if settings.max_tokens is not None and counts.trajectory > settings.max_tokens:
        return f"{counts.trajectory:,} {unit}; at most {settings.max_tokens:,} are kept"
    if counts.trajectory < settings.min_tokens:
        return f"{counts.trajectory:,} {unit}; at least {settings.min_tokens:,} are asked for"
    return None


def token_table(counts: Iterable[TokenCounts], counter: TokenCounter) -> tuple[list[str], list[list[Cell]]]:
    """Tokens of a set: headers and rows (figure, sum, mean, median, 95th percentile, largest) of each part.

    Args:
        counts: of each row.
        counter: that counted them; it names the figures.
    """
    each = list(counts)
    rows: list[list[Cell]] = []
    for part in PARTS:
        sizes = sorted(getattr(item, part) for item in each)
        if sizes:
            total, last = sum(sizes), len(sizes) - 1
            shown = (total, round(total / len(sizes), 1), sizes[last // 2], sizes[round(last * 0.95)], sizes[-1])
            rows.append([counter.named(part), *shown])
    return ["figure", "sum", "mean", "median", "95 %", "largest"], rows


def _texts(row: Trajectory) -> tuple[list[str], list[str], list[str]]:
    """(what is said and called, thinking, tool results) of a row, none of them empty."""
    said, thinking, results = list[str](), list[str](), list[str]()
    for message in row["messages"]:
        content = message["content"] or ""
        (results if message["role"] == "tool" else said).append(content)
        thinking.append(message["reasoning_content"] or "")
        for call in message["tool_calls"]:
            said += (call["name"], call["arguments"])
    return list(filter(None, said)), list(filter(None, thinking)), list(filter(None, results))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
