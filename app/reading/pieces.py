"""Long texts in pieces: a result of megabytes is shown piece by piece, and searched without being drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

PIECE = 20_000
"""Characters that are drawn at once."""
AROUND = 60
"""Characters shown before and after what was found."""


@dataclass(frozen=True)
class Piece:
    """A part of a text; `number` counts from 1, `start` is its first character's place in the whole."""

    text: str
    number: int
    count: int
    start: int


@dataclass(frozen=True)
class Match:
    """Where a text was found, and the line around it."""

    start: int
    before: str
    found: str
    after: str


def pieces(text: str, size: int = PIECE) -> int:
    """How many pieces a text has; an empty one has one."""
    return max(1, -(-len(text) // size))


def piece(text: str, number: int, size: int = PIECE) -> Piece:
    """One piece, the nearest for a number that is none."""
    count = pieces(text, size)
    number = min(max(number, 1), count)
    start = (number - 1) * size
    return Piece(text[start : start + size], number, count, start)


def piece_of(offset: int, size: int = PIECE) -> int:
    """The number of the piece that holds a place."""
    return offset // size + 1


def matches(text: str, needle: str, limit: int = 100) -> list[Match]:
    """The first places where a text holds the needle, whatever the case."""
    return list(islice(_matches(text, needle), limit))


def count_matches(text: str, needle: str, limit: int = 10_000) -> int:
    """How often a text holds the needle, at most the limit."""
    return sum(1 for _ in islice(_found(text, needle), limit))


def _matches(text: str, needle: str) -> Iterator[Match]:
    for found in _found(text, needle):
        start, end = found.span()
        yield Match(start, text[max(0, start - AROUND) : start], found[0], text[end : end + AROUND])


def _found(text: str, needle: str) -> Iterator[re.Match[str]]:
    return re.finditer(re.escape(needle), text, re.IGNORECASE) if needle else iter(())
