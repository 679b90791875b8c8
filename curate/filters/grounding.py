"""Argument values that nothing said before: ids, numbers and names that an agent made up.

A value is grounded if the tools, the system, the user or a result held it before the call, or if the assistant said it
and the user went on after reading it. What an agent may choose itself (think tools, small numbers, codes of three
letters, search words, coordinates) is not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curate.canonical import EXACT_FLOAT
from curate.env import name_words, tool_kind
from curate.filters.base import Context, View
from curate.filters.sayings import Sayings, is_date, sayings
from curate.pairing import PairedCall

MAX_LEAVES = 2_000
"""Argument values of one trajectory that are looked at; further ones count as grounded."""
SMALL = 100
"""Whole numbers up to here (and round ones: 500, 2000) are counts, limits and pages, which an agent sets itself."""
LARGEST_AMOUNT = 10**6
"""Numbers from here on, and all numbers written as texts without a fraction, are ids: equal or not, never computed."""
SHORT = 3
"""Texts up to this length are codes (SFO, EUR, TX, en) that world knowledge gives."""
FREE_WORDS = 5
"""Words from which a text is the agent's own wording, judged by its overlap with what was said."""
MIN_OVERLAP = 0.25
"""Share of the longer words of a free text that must have been said; its ids and numbers must all have been."""
LONG_TEXT = 400
"""Free texts above this are written work (code, a letter); their numbers may be new."""

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"[+\-]?\$?\d+(?:\.\d+)?%?")
_OWN_WORDS = frozenset(
    "query queries search keyword keywords question prompt content body message text code command script expression "
    "formula thought reason summary description title subject note notes comment explanation instruction instructions "
    "timezone".split()
)
_COORDINATES = frozenset("latitude longitude lat lon lng".split())


@dataclass(frozen=True, slots=True)
class Ungrounded:
    """One value that stands nowhere before its call."""

    message_index: int
    tool: str
    path: str
    value: Any


def ungrounded_arguments(view: View, context: Context) -> str | None:
    """More argument values than allowed that no earlier message holds."""
    most = context.settings.content.max_ungrounded
    if most is None:
        return None
    found = ungrounded(view)
    if len(found) <= most:
        return None
    first = found[0]
    shown = str(first.value)[:80]
    more = f" ({len(found)} values in all)" if found[1:] else ""
    return f"message {first.message_index}: {first.tool}: {first.path}: {shown!r} stands in no earlier message{more}"


def ungrounded(view: View) -> list[Ungrounded]:
    """The ungrounded argument values of a trajectory, each value once, in their order."""
    said = sayings(view.row)
    found: dict[str, Ungrounded] = {}
    left = MAX_LEAVES
    for pair, arguments in zip(view.pairs, view.arguments, strict=True):
        name = pair.call["name"]
        if arguments is None or not view.by_assistant(pair) or tool_kind(name, view.rules)[0] == "pure":
            continue
        for path, value in _leaves(arguments):
            left -= 1
            if left < 0:
                return list(found.values())
            key = str(value)
            if key not in found and not _grounded(path, value, pair, said):
                found[key] = Ungrounded(pair.message_index, name[:80], ".".join(map(str, path))[:80], value)
    return list(found.values())


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """(path, value) of the texts and numbers inside."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _leaves(item, (*path, at))
    elif value is not None and not isinstance(value, bool):
        yield path, value


def _grounded(path: tuple[str | int, ...], value: Any, pair: PairedCall, said: Sayings) -> bool:
    before = pair.message_index
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    if not _COORDINATES.isdisjoint(name_words(name)):
        return True
    if isinstance(value, (int, float)):
        return _number_grounded(value, before, said)
    text = value.strip()
    number = _as_number(text)
    if number is not None and len(text) > SHORT:
        if said.word(text.lstrip("0") or "0", before) or said.holds(text, before):
            return True
        return isinstance(number, float) and _number_grounded(number, before, said)
    if len(text) <= SHORT or said.holds(text, before) or said.holds_date(text, before):
        return True
    if is_date(text):
        return False
    words = _WORD.findall(text.casefold())
    if all((len(word) < SHORT and not word.isdigit()) or said.word(word, before) for word in words):
        return True
    if len(words) >= FREE_WORDS or not _OWN_WORDS.isdisjoint(name_words(name)):
        return _free_text_grounded(text, words, before, said)
    return False


def _number_grounded(value: int | float, before: int, said: Sayings) -> bool:
    size = abs(value)
    if isinstance(value, int) and (size <= SMALL or len(str(size).rstrip("0")) == 1):
        return True
    if size >= LARGEST_AMOUNT or "e" in str(size):
        return said.holds(str(size), before) or (size < EXACT_FLOAT and said.number(size, before))
    return said.number(size, before) or said.computed(size, before)


def _as_number(text: str) -> float | int | None:
    if len(text) > SHORT + 15 or not _NUMBER.fullmatch(text):
        return None
    digits = text.strip("+-$%").lstrip("$")
    return float(digits) if "." in digits else int(digits)


def _free_text_grounded(text: str, words: list[str], before: int, said: Sayings) -> bool:
    if len(text) <= LONG_TEXT:
        facts = [word for word in words if len(word) > SHORT and any(map(str.isdigit, word))]
        if not all(said.word(fact, before) or said.holds(fact, before) for fact in facts):
            return False
    longer = [word for word in words if len(word) > SHORT]
    if len(longer) < FREE_WORDS:
        return True
    return sum(said.word(word, before) for word in longer) >= MIN_OVERLAP * len(longer)
