"""What was said in a trajectory and from which message on: words, numbers and texts, indexed once in linear time."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from math import isfinite

from curate.trajectory import Trajectory

MAX_TEXT = 200_000
"""Characters of one text that are indexed."""
MAX_SEARCHES = 500
"""Values of one trajectory that are searched for as parts of texts; further ones count as found."""
MAX_NUMBERS = 400
"""Numbers that are combined when a value may be computed from them."""
FACTORS = range(1, 10)
"""How many of a thing a sum may count: passengers, bags, items."""

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_BETWEEN = re.compile(r"[\W_]+")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ].{0,40})?")
_CLOCK = re.compile(r"(?:\d{4}-\d\d-\d\d[T ])?(\d\d?):(\d\d)(?::\d\d)?(?:Z|[+\-]\d\d:?\d\d)?")
_MONTHS = "january february march april may june july august september october november december".split()
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_RELATIVE = ("today", "tomorrow", "yesterday", "tonight", "week", "month", "weekend", *_DAYS)


@dataclass
class Sayings:
    """An index of texts; each is known from the next message on, an assistant's from the user's next word on."""

    words: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)  # the words of users alone
    numbers: dict[float, int] = field(default_factory=dict)
    squashed: str = ""
    starts: list[int] = field(default_factory=list)
    known_from: list[int] = field(default_factory=list)
    searches: int = 0
    _found: dict[str, int] = field(default_factory=dict)

    def word(self, word: str, before: int) -> bool:
        """Whether a word was said before this message, in the singular or the plural."""
        forms = (word, word + "s", word[:-1] if word.endswith("s") else word)
        return any(self.words.get(form, before + 1) <= before for form in forms)

    def number(self, value: float, before: int) -> bool:
        """Whether a number was said before this message, also as a percentage."""
        return any(self.numbers.get(_key(form), before + 1) <= before for form in (value, value * 100, value / 100))

    def holds(self, text: str, before: int) -> bool:
        """Whether a text was said before this message, whatever stands between its letters and digits."""
        needle = squash(text)
        if len(needle) < 3:
            return True
        if needle not in self._found:
            self.searches += 1
            if self.searches > MAX_SEARCHES:
                return True
            at = self.squashed.find(needle)
            self._found[needle] = self.known_from[bisect_right(self.starts, at) - 1] if at >= 0 else 1 << 30
        return self._found[needle] <= before

    def holds_date(self, text: str, before: int) -> bool:
        """Whether a date or a time was said in one of its usual forms, or can be counted from another one.

        That is a day named relative to another ("tomorrow", "on Friday"), and the day before or after a known one.
        """
        day, clock = _date(text), _CLOCK.fullmatch(text)
        if day is None:
            return clock is not None and any(self.holds(form, before) for form in _clock_forms(clock))
        days = (day, *_neighbours(day))
        return any(self.asked.get(word, before + 1) <= before for word in _RELATIVE) or any(
            self.holds(form, before) for near in days for form in _date_forms(near)
        )

    def computed(self, value: float, before: int) -> bool:
        """Whether numbers said before give the value: a sum or a difference of two, or some of them times a count."""
        self.searches += 1
        if self.searches > MAX_SEARCHES:
            return True
        known = [number for number, index in self.numbers.items() if index <= before and number][-MAX_NUMBERS:]
        keys = set(known)
        for factor in FACTORS:
            part = value / factor
            if _key(part) in keys:
                return True
            if any(_key(part - number) in keys or _key(part + number) in keys for number in known):
                return True
        return False


def sayings(row: Trajectory) -> Sayings:
    """The index of a row: its tools, and all messages but the assistant's last words."""
    index = Sayings()
    pieces, at = list[str](), 0
    for known_from, text, asked in sorted(_texts(row), key=lambda piece: piece[0]):
        words, numbers, squashed = _shared_piece(text) if known_from <= 1 else _piece(text)
        for word in words:
            index.words.setdefault(word, known_from)
            if asked:
                index.asked.setdefault(word, known_from)
        for number in numbers:
            index.numbers.setdefault(number, known_from)
        pieces.append(squashed)
        index.starts.append(at)
        index.known_from.append(known_from)
        at += len(squashed) + 1
    index.squashed = "\n".join(pieces)
    return index


def _texts(row: Trajectory) -> Iterator[tuple[int, str, bool]]:
    """(message from which it is known, text, whether a user says it)."""
    if not row["tools_inferred"]:
        yield 0, row["tools"], False
    heard = [index for index, message in enumerate(row["messages"]) if message["role"] == "user"]
    for index, message in enumerate(row["messages"]):
        known_from = index + 1
        if message["role"] == "assistant":
            later = bisect_right(heard, index)
            if later == len(heard):
                continue
            known_from = heard[later] + 1
        for text in (message["content"], message["content_json"]):
            if text:
                yield known_from, text, message["role"] == "user"


_Piece = tuple[tuple[str, ...], tuple[float, ...], str]


def _piece(text: str) -> _Piece:
    folded = text[:MAX_TEXT].casefold()
    if "," in folded:
        folded = _THOUSANDS.sub("", folded)
    numbers = (float(digits) for digits in dict.fromkeys(_NUMBER.findall(folded)))
    words = tuple(dict.fromkeys(_WORD.findall(folded)))
    return words, tuple(_key(number) for number in numbers if isfinite(number)), _BETWEEN.sub("", folded)


_shared_piece = lru_cache(maxsize=64)(_piece)


def is_date(text: str) -> bool:
    """Whether a text is a date, with or without a time: `2024-05-15`."""
    return _ISO_DATE.fullmatch(text) is not None


def squash(text: str) -> str:
    """A text's letters and digits alone, in lower case."""
    return _BETWEEN.sub("", text.casefold())


def _key(number: float) -> float:
    return round(number, 2)


def _date(text: str) -> date | None:
    match = _ISO_DATE.fullmatch(text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _neighbours(day: date) -> list[date]:
    """The day before and the day after, as far as the calendar goes."""
    number = day.toordinal()
    return [date.fromordinal(near) for near in (number - 1, number + 1) if 0 < near <= date.max.toordinal()]


def _date_forms(day: date) -> Iterator[str]:
    """2024-05-15, May 15, 15 May, 15th of May, 05/15, 5/15/2024, 15.05.2024 and the like, as `squash` leaves them."""
    month, number, year = _MONTHS[day.month - 1], day.day, day.year
    yield from (f"{year}{day.month:02}{number:02}", f"{day.month:02}{number:02}", f"{day.month}{number}{year}")
    yield from (f"{number:02}{day.month:02}{year}", f"{number}{day.month}{year}")
    for name in (month, month[:3]):
        yield from (f"{name}{number}", f"{name}{number:02}", f"{number}{name}", f"{number}{_ending(number)}{name}")
        yield f"{number}{_ending(number)}of{name}"


def _clock_forms(clock: re.Match[str]) -> Iterator[str]:
    hour, half = int(clock[1]) % 12 or 12, "am" if int(clock[1]) < 12 else "pm"
    yield from (f"{hour}{half}", f"{hour}{clock[2]}{half}", f"{int(clock[1])}{clock[2]}", f"{hour}oclock")
    yield from ("noon", "midnight", "morning", "afternoon", "evening")


def _ending(day: int) -> str:
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
