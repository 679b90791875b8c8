"""Secrets and personal data of a row: the filter that turns real-looking keys away, and the counts for the report."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from curate.filters.base import Context, View
from curate.secrets import find_personal, find_secrets, may_hold_secrets
from curate.trajectory import Trajectory

_APART = "\n\0\n"
"""Between texts that are searched together; no secret or number goes on across it."""
SHARED_CHARS = 100_000
"""System messages and tools up to this length are searched once for all rows that share them."""


def secret(view: View, context: Context) -> str | None:
    """A real-looking key, token or password anywhere in the row; the detail shows its first characters only."""
    if context.settings.content.keep_secrets:
        return None
    texts = _texts(view.row)
    unclear = may_hold_secrets("\n".join([text for _, text, shared in texts if not shared]))
    for place, text, shared in texts:
        if shared or unclear:
            found = _shared_secrets(text) if shared and len(text) <= SHARED_CHARS else find_secrets(text)
            if found:
                more = f", {len(found)} in this text" if found[1:] else ""
                return f"{_named(place)}: {found[0].kind} {found[0].masked}{more}"
    return None


def privacy_counts(row: Trajectory) -> dict[str, int]:
    """How often each kind of secret and of personal data stands in a row: kind -> occurrences, by kind.

    The names are those of `curate.secrets.SECRET_KINDS` and `PERSONAL_KINDS`; kinds that do not occur are left out.
    """
    counts: Counter[str] = Counter()
    own: list[str] = []
    for _, text, shared in _texts(row):
        if shared and len(text) <= SHARED_CHARS:
            counts.update(_shared_kinds(text))
        else:
            own.append(text)
    counts.update(_kinds(_APART.join(own)))  # one search, because starting one costs as much as a short text
    return dict(sorted(counts.items()))


def _texts(row: Trajectory) -> list[tuple[str | int, str, bool]]:
    """(place, text, whether rows are likely to share it); a number is a message."""
    texts: list[tuple[str | int, str, bool]] = [("tools", row["tools"], True), ("metadata", row["metadata"], False)]
    for index, message in enumerate(row["messages"]):
        shared = message["role"] in ("system", "developer")
        for text in (message["content"], message["content_json"], message["reasoning_content"]):
            if text:
                texts.append((index, text, shared))
        texts += [(index, call["arguments"], False) for call in message["tool_calls"]]
    return texts


def _named(place: str | int) -> str:
    return place if isinstance(place, str) else f"message {place}"


def _kinds(text: str) -> list[str]:
    return [found.kind for find in (find_secrets, find_personal) for found in find(text)]


_shared_kinds = lru_cache(maxsize=256)(_kinds)
_shared_secrets = lru_cache(maxsize=256)(find_secrets)
