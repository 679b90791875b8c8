"""What a request costs: a dated table of published prices, what a server counted, and the most that it could cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from curate.errors import UsageError
from synth.money import NANO, nano
from synth.teachers.asks import Usage

TABLE = Path(__file__).with_name("prices.yaml")

OVERHEAD_TOKENS = 256
"""What a server's chat template may add to the texts of a request."""

_DATED = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)")
_PER_MILLION = 1_000_000
_FIGURES = frozenset(("input", "cached", "write_5m", "write_1h", "output", "batch", "long", "source"))


@dataclass(frozen=True, slots=True)
class LongPrompts:
    """Factors on the prices of a request whose prompt has more than so many tokens."""

    above: int
    input: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one model, in USD per million tokens.

    Attributes:
        model: the name in the table.
        input: prompt tokens that no cache holds.
        cached: prompt tokens read from the server's cache.
        write_5m: prompt tokens written to it for minutes.
        write_1h: prompt tokens written to it for an hour.
        output: generated tokens, thinking included.
        batch: factor in the vendor's batch API.
        long: what long prompts cost more.
        source: where the figures were read; None if there is no price.
        looked_up: when.
    """

    model: str
    input: Decimal = Decimal(0)
    cached: Decimal = Decimal(0)
    write_5m: Decimal = Decimal(0)
    write_1h: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    batch: Decimal = Decimal(1)
    long: LongPrompts | None = None
    source: str | None = None
    looked_up: str | None = None

    @property
    def known(self) -> bool:
        """Whether the table has this model; if not, it counts as free."""
        return self.source is not None

    def about(self) -> str:
        """The figures in words, for a report."""
        if not self.known:
            return f"{self.model}: no price known, counted as 0"
        figures = f"${self.input} in, ${self.cached} from the cache, ${self.output} out, a million tokens"
        return f"{self.model}: {figures} (looked up {self.looked_up}, {self.source})"

    def cost(self, usage: Usage, batch: bool = False) -> int:
        """Nano-dollars of a request, from what the server counted; what is left of one is rounded up."""
        plain = max(0, usage.input - usage.cached - usage.written - usage.written_1h)
        read = usage.cached * self.cached + usage.written * self.write_5m + usage.written_1h * self.write_1h
        return self._nano(plain * self.input + read, usage.output * self.output, usage.input, batch)

    def worst(self, body_bytes: int, max_tokens: int, batch: bool = False, bytes_per_token: float = 1.0) -> int:
        """Nano-dollars that a request cannot exceed.

        No tokenizer in use makes more than one token of a byte, so the bytes of the body bound the prompt's tokens; all
        of them are taken as written to a cache. That is 3 to 4 times what text really has, which costs an online run
        nothing: the money is free again when the answer is there. A batch holds it for hours; a caller may divide by
        more bytes a token there, and an overrun is then counted by the ledger.

        Args:
            body_bytes: bytes of the request body as it is sent.
            max_tokens: most tokens of the answer.
            batch: whether it is part of a batch.
            bytes_per_token: fewest bytes of a token that the caller counts on.
        """
        tokens = int(body_bytes / bytes_per_token) + OVERHEAD_TOKENS
        return self._nano(tokens * max(self.input, self.write_5m), max_tokens * self.output, tokens, batch)

    def _nano(self, prompt: Decimal, answer: Decimal, tokens: int, batch: bool) -> int:
        if self.long is not None and tokens > self.long.above:
            prompt, answer = prompt * self.long.input, answer * self.long.output
        return nano((prompt + answer) * (self.batch if batch else 1) / _PER_MILLION)


@dataclass(frozen=True, slots=True)
class _Provider:
    name: str
    hosts: tuple[str, ...]
    prices: Mapping[str, Price]


def price_of(teacher: str, base_url: str | None = None, override: Path | None = None) -> Price:
    """The price of a teacher.

    Args:
        teacher: "offline", "openai:MODEL" or "anthropic:MODEL".
        base_url: another server than the vendor's. One that the table does not know by its host is taken as free,
            unless the override names the model.
        override: a table that goes before the built-in one.

    Raises:
        UsageError: if the vendor's model is in neither table, or the override is no table.
    """
    provider, _, model = teacher.partition(":")
    if not model:
        return Price(teacher)
    own = _read(override) if override is not None else []
    built_in = _read(TABLE)
    host = urlsplit(base_url).hostname if base_url is not None else None
    vendor = next((p.name for p in (*own, *built_in) if host in p.hosts), provider if host is None else None)
    for name, known in _offered(own, built_in, vendor, provider):
        if name == model or (model.startswith(name) and _DATED.fullmatch(model, len(name))):
            return known
    if vendor is None:
        return Price(model)
    near = get_close_matches(model, [name for name, _ in _offered(own, built_in, vendor, provider)], n=3, cutoff=0.4)
    hint = f"; near it are {', '.join(near)}" if near else ""
    raise UsageError(f"no price is known for {vendor}:{model}{hint}; give its price with --prices FILE")


def _offered(
    own: list[_Provider], built_in: list[_Provider], vendor: str | None, provider: str
) -> Iterator[tuple[str, Price]]:
    """(name, price) that may be meant, the override's first, of each table the longest name first."""
    for table, names in ((own, {vendor, provider}), (built_in, {vendor})):
        prices = [pair for item in table if item.name in names for pair in item.prices.items()]
        yield from sorted(prices, key=lambda pair: (-len(pair[0]), pair[0]))


def _read(path: Path) -> list[_Provider]:
    try:
        table = yaml.safe_load(path.read_text())
        looked_up, sources = str(table["looked_up"]), table.get("sources") or {}
        return [_provider(str(name), item, sources, looked_up, str(path)) for name, item in table["providers"].items()]
    except OSError as error:
        raise UsageError(f"--prices {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UsageError(
            f"--prices {path} is no table of prices ({type(error).__name__}: {' '.join(str(error).split())[:200]}); "
            f"write it as {TABLE} is written"
        ) from error


def _provider(name: str, item: Any, sources: Mapping[str, str], looked_up: str, path: str) -> _Provider:
    prices = {
        str(model): _price(str(model), figures, item.get("batch", 1), sources, looked_up, path)
        for model, figures in item["models"].items()
    }
    return _Provider(name, tuple(item.get("hosts") or ()), prices)


def _price(model: str, figures: Any, batch: Any, sources: Mapping[str, str], looked_up: str, path: str) -> Price:
    if unknown := sorted(set(figures) - _FIGURES):
        raise ValueError(f"{model} has {unknown[0]!r}")
    plain = _amount(figures["input"])
    write = _amount(figures.get("write_5m", plain))
    long = figures.get("long")
    return Price(
        model=model,
        input=plain,
        cached=_amount(figures.get("cached", plain)),
        write_5m=write,
        write_1h=_amount(figures.get("write_1h", write)),
        output=_amount(figures["output"]),
        batch=_amount(figures.get("batch", batch)),
        long=None if long is None else LongPrompts(int(long["above"]), _amount(long["input"]), _amount(long["output"])),
        source=str(sources.get(figures.get("source"), figures.get("source") or path)),
        looked_up=looked_up,
    )


def _amount(value: Any) -> Decimal:
    amount = Decimal(str(value))
    if not 0 <= amount < NANO:
        raise ValueError(f"{value} is no price")
    return amount
