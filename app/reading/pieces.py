"""Long texts in pieces, so that a result of megabytes can be read at once, and found in."""

from __future__ import annotations

import json

from curate.canonical import parse_json

PIECE = 20_000
"""Characters of a piece."""
MAX_JSON = 200_000
"""Characters up to which a text is laid out as JSON; beyond, it is read in pieces."""


def pieces(text: str) -> int:
    """How many pieces a text has; at least one."""
    return max(1, -(-len(text) // PIECE))


def piece(text: str, number: int) -> str:
    """One piece; the first has the number 1, and one that is not there is the nearest."""
    at = min(max(number, 1), pieces(text)) - 1
    return text[at * PIECE : (at + 1) * PIECE]


def piece_with(text: str, wanted: str, after: int = 0) -> int | None:
    """Number of the next piece in which a text begins, letters' case aside; after the last it starts anew."""
    lowered, wanted = text.lower(), wanted.lower()
    if not wanted:
        return None
    at = lowered.find(wanted, after * PIECE)
    at = at if at >= 0 else lowered.find(wanted)
    return None if at < 0 else at // PIECE + 1


def laid_out(text: str) -> str | None:
    """A JSON text with its levels indented; None for what is no object or list, or too long."""
    if len(text) > MAX_JSON or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = parse_json(text)
    except (ValueError, RecursionError):
        return None
    return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, (dict, list)) else None
