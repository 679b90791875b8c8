"""Secrets and personal data of a row: the filter that turns real-looking keys away, and the counts for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from curate.filters.base import Context, View
from curate.secrets import find_personal, find_secrets, may_hold_secrets
from curate.trajectory import Trajectory

SHARED_CHARS = 100_000
"""System messages and tools up to this length are searched once for all rows that share them."""


def secret(view: View, context: Context) -> str | None:
    """A real-looking key, token or password anywhere in the row; the detail shows its first characters only."""
    if context.settings.content.keep_secrets:
        return None
    quick = "\n".join(text for _, text, shared in _texts(view.row) if not shared)
    unclear = may_hold_secrets(quick)
    for place, text, shared in _texts(view.row):
        if shared or unclear:
            found = _shared_secrets(text) if shared and len(text) <= SHARED_CHARS else find_secrets(text)
            if found:
                more = f", {len(found)} in this text" if found[1:] else ""
                return f"{place}: {found[0].kind} {found[0].masked}{more}"
    return None


def privacy_counts(row: Trajectory) -> dict[str, int]:
    """How often each kind of secret and of personal data stands in a row: kind -> occurrences, by kind.

    The names are those of `curate.secrets.SECRET_KINDS` and `PERSONAL_KINDS`; kinds that do not occur are left out.
    """
    counts: Counter[str] = Counter()
    for _, text, shared in _texts(row):
        found = _shared_kinds(text) if shared and len(text) <= SHARED_CHARS else _kinds(text)
        counts.update(found)
    return dict(sorted(counts.items()))


def _texts(row: Trajectory) -> Iterator[tuple[str, str, bool]]:
    """(place, text, whether rows are likely to share it)."""
    for index, message in enumerate(row["messages"]):
        shared = message["role"] in ("system", "developer")
        for text in (message["content"], message["content_json"], message["reasoning_content"]):
            if text:
                yield f"message {index}", text, shared
        for call in message["tool_calls"]:
            yield f"message {index}", call["arguments"], False
    yield "tools", row["tools"], True
    yield "metadata", row["metadata"], False


def _kinds(text: str) -> list[str]:
    return [found.kind for find in (find_secrets, find_personal) for found in find(text)]


_shared_kinds = lru_cache(maxsize=512)(_kinds)
_shared_secrets = lru_cache(maxsize=512)(find_secrets)
