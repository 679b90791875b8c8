"""Whether a number follows from others: a sum, a difference, a product, a quotient or a percentage of two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from synth.checks.words import number_of

NEWEST_WHOLE = 8
"""Latest numbers of the dialogue that may give a whole number; among more, some pair would give any number."""
NEWEST_DECIMAL = 48
"""The same for a number with decimals, which few pairs hit by chance."""
SHOWN = 24
"""Numbers that the thought itself names, any of which may be summed in a row."""
COUNTS = tuple(range(2, 10))
"""How many of a thing there may be: passengers, bags, items."""


def computed(word: str, shown: Sequence[str], known: Sequence[str]) -> bool:
    """Whether the number follows from two others.

    Args:
        word: the number, as `words_of` writes it.
        shown: numbers that the thought names and may know.
        known: numbers of the dialogue up to the turn, the latest first.
    """
    value = number_of(word)
    if not value:
        return False
    newest = NEWEST_DECIMAL if "p" in word else NEWEST_WHOLE
    named = [number for number in _values(shown[:SHOWN]) if number]
    pool = dict.fromkeys([*named, *(number for number in _values(known[:newest]) if number)])
    return _summed(value, named) or _of_two(value, set(pool))


def _values(words: Iterable[str]) -> list[float]:
    return [value for word in words if (value := number_of(word)) is not None]


def _summed(value: float, named: list[float]) -> bool:
    """Whether numbers that stand in a row add up to the value."""
    for first in range(len(named)):
        total = 0.0
        for number in named[first:]:
            total += number
            if _same(total, value):
                return True
    return False


def _of_two(value: float, pool: set[float]) -> bool:
    rounded = {round(number, 2) for number in pool}
    counts = {float(count) for count in COUNTS} | rounded
    for number in pool:
        if round(value - number, 2) in rounded or round(number - value, 2) in rounded:
            return True
        if _known(value / number, counts) or _known(number / value, counts):
            return True
        share = 100 * value / number
        if any(_known(part, rounded) for part in (share, share - 100, 100 - share)):
            return True
    return False


def _known(number: float, pool: set[float]) -> bool:
    """Whether the pool holds the number up to a rounding error: a factor must not be hit because it was rounded."""
    near = round(number, 2)
    return near in pool and abs(near - number) < 1e-4 * max(1.0, number)


def _same(one: float, other: float) -> bool:
    return abs(one - other) < 0.005
