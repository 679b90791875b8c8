"""Secrets in the results and arguments that a cache would serve: counted by kind, with the first places.

Almost all texts are let through by one regex in Polars; what is left is read once, however often it was recorded.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cachebuild.settings import SecretsMode
from curate.cli import say
from curate.errors import UsageError
from curate.secrets import find_secrets

if TYPE_CHECKING:
    import polars as pl

QUICK_LOOK = r"[0-9A-Za-z]{16}|[0-9A-Za-z_\-]{32}|glpat-|-----BEGIN|(?i:passw|passphrase|secret|token|key)"
"""What the quick look of `curate.secrets` lets through, in the words of Rust's regex; addresses apart."""

_FIRST = 3
"""Places that are named for each kind."""


def search_secrets(entries: pl.LazyFrame, mode: SecretsMode) -> dict[str, int]:
    """Search the texts of recorded calls; says what was found, masked.

    Args:
        entries: columns trajectory_id, message_index, tool, arguments, result.
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
    for column in ("result", "arguments"):
        for row in _suspects(entries, column):
            found = {finding.kind: finding.masked for finding in find_secrets(row[column])}
            for kind, masked in found.items():
                counts[kind] += row["calls"]
                place = f"{row['trajectory_id']} message {row['message_index']}, {column} of {row['tool']}: {masked}"
                places.setdefault(kind, []).append(place)
    lines = [
        f"{kind} in {count:,} recorded calls, first {'; '.join(places[kind][:_FIRST])}"
        for kind, count in sorted(counts.items())
    ]
    if lines and mode == "refuse":
        raise UsageError(
            f"secrets stand in what would be served: {' | '.join(lines)}. Curate without --keep-secrets, or let them "
            "stand with --secrets warn"
        )
    for line in lines:
        say(f"warning: {line}")
    return dict(sorted(counts.items()))


def worth_a_look(column: str) -> pl.Expr:
    """Whether a text may hold a secret: true wherever `curate.secrets.may_hold_secrets` is."""
    import polars as pl

    text = pl.col(column)
    address = text.str.contains("@", literal=True) & text.str.contains("://", literal=True)
    return text.str.contains(QUICK_LOOK) | address


def _suspects(entries: pl.LazyFrame, column: str) -> list[dict[str, Any]]:
    """The distinct texts of a column that need a reading, with where each was recorded first and how often."""
    import polars as pl

    found = (
        entries.select("trajectory_id", "message_index", "tool", column)
        .filter(worth_a_look(column))
        .group_by(column, maintain_order=True)
        .agg(pl.col("trajectory_id", "message_index", "tool").first(), calls=pl.len())
        .collect()
    )
    return found.to_dicts()
