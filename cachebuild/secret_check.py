"""Secrets in the results and arguments that a cache would serve: counted by kind, with the first places.

Almost all texts are let through by one regex in Polars; what is left is read once, however often it was recorded. Held
in memory are one batch and eight bytes a text that was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachebuild.settings import SecretsMode
from curate.cli import say
from curate.errors import UsageError
from curate.folder import read_batches
from curate.secrets import find_secrets

if TYPE_CHECKING:
    import polars as pl

QUICK_LOOK = r"[0-9A-Za-z]{16}|[0-9A-Za-z_\-]{32}|glpat-|-----BEGIN|(?i:passw|passphrase|secret|token|key)"
"""What the quick look of `curate.secrets` lets through, in the words of Rust's regex; addresses apart."""

_TEXTS = ("result", "arguments")
_FIRST = 3
"""Places that are named for each kind."""


def search_secrets(shards: Iterable[Path], mode: SecretsMode) -> dict[str, int]:
    """Search the texts of recorded calls; says what was found, masked.

    Args:
        shards: Parquet files with columns trajectory_id, message_index, tool, arguments, result.
        mode: warn, refuse, or skip the search.

    Returns:
        kind -> recorded calls in whose result or arguments one stands.

    Raises:
        UsageError: with mode refuse, if there are any.
    """
    if mode == "skip":
        return {}
    counts: Counter[str] = Counter()
    places: dict[str, list[str]] = {}
    for place, found in _calls_with_secrets(shards):
        counts.update(found.keys())
        for kind, text in found.items():
            if counts[kind] <= _FIRST:
                places.setdefault(kind, []).append(f"{place}, {text}")
    lines = [f"{kind} in {count:,} recorded calls: {'; '.join(places[kind])}" for kind, count in sorted(counts.items())]
    if lines and mode == "refuse":
        raise UsageError(
            f"secrets stand in what would be served: {' | '.join(lines)}. Curate without --keep-secrets, or let them "
            "stand with --secrets warn"
        )
    for line in lines:
        say(f"warning: secrets of kind {line}")
    return dict(sorted(counts.items()))


def _calls_with_secrets(shards: Iterable[Path]) -> Iterator[tuple[str, dict[str, str]]]:
    """(where a call stands, kind -> the first secret of that kind, masked)."""
    clean: set[int] = set()
    unclean: dict[int, dict[str, str]] = {}
    for row in _suspects(shards):
        found: dict[str, str] = {}
        for column in _TEXTS:
            text, number = row[column], row[f"{column}_hash"]
            if text is None or number in clean:
                continue
            if number not in unclean:
                secrets = {secret.kind: secret.masked for secret in reversed(find_secrets(text))}
                if not secrets:
                    clean.add(number)
                    continue
                unclean[number] = secrets
            found = {kind: f"{column} of {row['tool']}: {masked}" for kind, masked in unclean[number].items()} | found
        if found:
            yield f"{row['trajectory_id']} message {row['message_index']}", found


def _suspects(shards: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The calls with a text that needs a reading; the other text is null if it needs none."""
    import polars as pl

    columns = ["trajectory_id", "message_index", "tool", *_TEXTS]
    for batch in (batch for path in shards for batch in read_batches(path, columns)):
        texts = [pl.when(worth_a_look(name)).then(name).alias(name) for name in _TEXTS]
        hashes = [pl.col(name).hash().alias(f"{name}_hash") for name in _TEXTS]
        suspects = pl.DataFrame(batch).with_columns(texts).filter(pl.any_horizontal(pl.col(_TEXTS).is_not_null()))
        yield from suspects.with_columns(hashes).iter_rows(named=True)


def worth_a_look(column: str) -> pl.Expr:
    """Whether a text may hold a secret: true wherever `curate.secrets.may_hold_secrets` is."""
    import polars as pl

    text = pl.col(column)
    address = text.str.contains("@", literal=True) & text.str.contains("://", literal=True)
    return text.str.contains(QUICK_LOOK) | address
