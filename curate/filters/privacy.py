"""Secrets and personal data of a row: the filter that turns real-looking keys away, and the counts for the report."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from curate.filters.base import SHARED_CHARS, Context, View
from curate.secrets import find_personal


def secret(view: View, context: Context) -> str | None:
    """A real-looking key, token or password anywhere in the row; the detail shows its first characters only."""
    if context.settings.content.keep_secrets or not view.secrets:
        return None
    place, first = view.secrets[0]
    here = sum(where == place for where, _ in view.secrets)
    more = f", {here} in this text" if here > 1 else ""
    return f"{place if isinstance(place, str) else f'message {place}'}: {first.kind} {first.masked}{more}"


def privacy_counts(view: View) -> dict[str, int]:
    """How often each kind of secret and of personal data stands in a row: kind -> occurrences, by kind.

    The names are those of `curate.secrets.SECRET_KINDS` and `PERSONAL_KINDS`; kinds that do not occur are left out.
    """
    counts = Counter(finding.kind for _, finding in view.secrets)
    counts.update(_personal_kinds(view.own_text))
    for _, text, shared in view.texts:
        if shared:
            counts.update(_shared_kinds(text) if len(text) <= SHARED_CHARS else _personal_kinds(text))
    return dict(sorted(counts.items()))


def _personal_kinds(text: str) -> list[str]:
    return [finding.kind for finding in find_personal(text)]


_shared_kinds = lru_cache(maxsize=256)(_personal_kinds)
