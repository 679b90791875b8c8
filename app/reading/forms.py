"""The forms in which a result is read: JSON that is folded to a size, Markdown without what could act, plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from curate.canonical import compact_json, parse_json

Form: TypeAlias = Literal["json", "markdown", "plain"]
FORMS: Mapping[Form, str] = {"json": "JSON", "markdown": "Markdown", "plain": "Plain"}

MAX_VALUES = 1_000
"""Values of one JSON text that are drawn."""
MAX_CHILDREN = 99
"""Values of one list or object in it that are drawn."""
MAX_TEXT = 2_000
"""Characters of one text in it that are drawn."""
MAX_NAME = 200
"""Characters of a name in it that are drawn."""
MAX_PARSED = 20_000_000
"""Characters beyond which a text is not parsed at all."""
_PROSE = ("\n#", "\n- ", "\n* ", "\n1. ", "**", "```", "\n|", "](http")


def parsed(text: str) -> Any:
    """The object or list that a text holds, None if it holds none."""
    if text.lstrip()[:1] not in ("{", "[") or len(text) > MAX_PARSED:
        return None
    try:
        return parse_json(text)
    except ValueError:
        return None


def form_of(text: str) -> Form:
    """The form that suits a text."""
    if text.lstrip()[:1] in ("{", "[") and parsed(text) is not None:
        return "json"
    return "markdown" if looks_like_markdown(text) else "plain"


def looks_like_markdown(text: str) -> bool:
    """Whether the beginning of a text has marks of Markdown."""
    head = "\n" + text[:4_000]
    return sum(mark in head for mark in _PROSE) >= 1


def folded(value: Any, most: int = MAX_VALUES) -> tuple[Any, int]:
    """A JSON value with at most so many values, and how many were left out; long texts are cut.

    The nearest to the top are kept, so that the outline of a large result is whole.
    """
    return _Fold(most).fold(value)


class _Fold:
    """Goes through a value level by level, so depth needs no stack and the outline comes first."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.cut = 0

    def fold(self, value: Any) -> tuple[Any, int]:
        top: list[Any] = [None]
        level: list[tuple[Any, Any, Any]] = [(top, 0, value)]
        while level:
            level = [inner for entry in level for inner in self._placed(*entry)]
        return top[0], self.cut

    def _placed(self, holder: Any, key: Any, value: Any) -> list[tuple[Any, Any, Any]]:
        """Put a value, without what it holds, into its place; what it holds is to be placed next."""
        if isinstance(value, str) and len(value) > MAX_TEXT:
            self.cut += 1
            value = f"{value[:MAX_TEXT]}\u2026 ({len(value) - MAX_TEXT:,} more characters)"
        if not isinstance(value, (dict, list)):
            holder[key] = _drawable(value)
            return []
        kept = min(len(value), MAX_CHILDREN, max(self.left, 0))
        self.left -= kept
        self.cut += len(value) - kept
        told = f"{len(value) - kept:,} more"
        if isinstance(value, dict):
            made: Any = {}
            entries = [(made, name[:MAX_NAME], value[name]) for name in list(value)[:kept]]
            made |= {name: None for _, name, _ in entries} | ({"\u2026": told} if kept < len(value) else {})
        else:
            made = [None] * kept + ([f"\u2026 {told}"] if kept < len(value) else [])
            entries = [(made, at, value[at]) for at in range(kept)]
        holder[key] = made
        return entries


def _drawable(value: Any) -> Any:
    """Integers that a browser's numbers cannot hold are shown as texts."""
    return str(value) if isinstance(value, int) and abs(value) > 2**53 else value


def pretty(text: str, most: int = MAX_PARSED) -> str:
    """A JSON text with its lines indented; other texts as they are."""
    import orjson

    value = parsed(text) if len(text) <= most else None
    if value is None:
        return text
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:  # integers beyond 64 bits
        return compact_json(value)
