"""Values in a thought that can be traced: ids, numbers, dates, addresses, paths, codes and quotations, in all forms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import NamedTuple

from synth.checks.index import Run, is_year, runs_of
from synth.checks.settings import JUDGED_CHARS, CheckSettings
from synth.checks.words import number_of, words_of

MAX_VALUES = 200
"""Values of one thought that are traced."""
QUOTED = 300
"""Longest quotation that is traced as one; a longer one is a copy, found by its runs of words."""
CODE = 5
"""Capital letters from which a word is a code (`EHGLPX`); shorter ones are abbreviations and airports."""

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = {name[:size]: at + 1 for at, name in enumerate(_MONTHS) for size in (3, len(name))} | {"sept": 9}
_MONTH_NAMES = "|".join(sorted(_MONTH, key=len, reverse=True))
_ISO = re.compile(r"(?<!\d)(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)")
_MONTH_DAY = re.compile(rf"\b({_MONTH_NAMES})\.? (?:the )?(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}})\b)?")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({_MONTH_NAMES})\b(?:,? (\d{{4}})\b)?")
_SLASHED = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d\d))?(?![\d/])")
_CLOCK = re.compile(
    r"(?<![\d:])(\d{1,2})[:.](\d\d)(?::\d\d)? ?([ap])\.?m\b|(?<![\d:])(\d{1,2}):(\d\d)(?::\d\d)?(?![\d:])"
)
_TOKEN = re.compile(r"\w+")
_CODE = re.compile(rf"\b[A-Z]{{{CODE},40}}\b")
_QUOTATIONS = {
    '"': re.compile(rf'"([^"\n]{{2,{QUOTED}}})"'),
    "\u201c": re.compile(rf"\u201c([^\u201d\n]{{2,{QUOTED}}})\u201d"),
    "`": re.compile(rf"`([^`\n]{{2,{QUOTED}}})`"),
    "'": re.compile(rf"'(?<!\w')([^'\n]{{2,{QUOTED}}})'(?!\w)"),
    "\u00ab": re.compile(rf"\u00ab([^\u00bb\n]{{2,{QUOTED}}})\u00bb"),
}
"""By their first mark, so that a thought without one is not searched."""
_ELLIPSIS = re.compile(r"\u2026|\.{3}")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)")
_PARTS = re.compile(r"[a-z]+|\d+")
_AROUND = ".,;:!?()[]{}<>\"'`*\u201c\u201d\u2018\u2019"


class Form(NamedTuple):
    """One way in which a value may stand in a message, as words; `open_end`: letters may follow the last one."""

    words: tuple[str, ...]
    open_end: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a thought.

    Attributes:
        kind: number, id, date, time, address, path, code or quotation.
        text: as it stands in the thought.
        forms: how it may stand in a message.
        loose: forms that are enough to have seen it, and too common to have peeked.
        day: of a date; the year 4 where the thought names none.
    """

    kind: str
    text: str
    forms: tuple[Form, ...]
    loose: tuple[Form, ...] = ()
    day: date | None = None


class ThoughtText:
    """A thought and what is read from it, each thing once."""

    def __init__(self, text: str) -> None:
        self.whole = text
        self.text = text[:JUDGED_CHARS]
        self.lower = self.text.lower()

    @cached_property
    def words(self) -> list[str]:
        """Its words, as `words_of` gives them."""
        return words_of(self.text)

    @cached_property
    def word_set(self) -> frozenset[str]:
        """Its words, each once."""
        return frozenset(self.words)

    @cached_property
    def runs(self) -> list[Run]:
        """Its runs of `RUN` words, in order."""
        return list(runs_of(self.words))


def values_in(thought: ThoughtText, settings: CheckSettings, years: Sequence[str]) -> Iterator[Value]:
    """The values of a thought in no order, at most `MAX_VALUES`.

    Args:
        thought: the thought.
        settings: from which size a value counts.
        years: that the trajectory speaks of, for dates without one.
    """
    left = MAX_VALUES
    sources = (_digit_words(thought, settings), _dates(thought, years), _times(thought), _named(thought, settings))
    for source in sources:
        for value in source:
            yield value
            left -= 1
            if not left:
                return


def _digit_words(thought: ThoughtText, settings: CheckSettings) -> Iterator[Value]:
    digits, chars = settings.entity_digits, settings.entity_chars
    for word in dict.fromkeys(word for word in thought.words if not word.isalpha()):
        value = _digit_word(word, digits, chars)
        if value is not None:
            yield value


@lru_cache(maxsize=16_384)
def _digit_word(word: str, digits: int, chars: int) -> Value | None:
    """The value of a word with digits, which thought after thought names again."""
    if number_of(word) is not None:
        if significant(word) < digits or is_year(word):
            return None
        return Value("number", word.replace("p", "."), (Form((word,)),))
    if len(word) < chars or _ORDINAL.fullmatch(word):
        return None
    parts = tuple(_PARTS.findall(word)) if len(word) <= 64 else ()
    forms = (Form((word,)), Form(parts)) if len(parts) == 2 else (Form((word,)),)
    return Value("id", word, forms)


def significant(word: str) -> int:
    """Significant digits of a number word; zeros at the end of a whole number are none."""
    whole, _, part = word.partition("p")
    return len((whole + part).lstrip("0")) if part else len(whole.strip("0"))


def _dates(thought: ThoughtText, years: Sequence[str]) -> Iterator[Value]:
    text = thought.lower
    if "-" in text or "/" in text:
        for found in _ISO.finditer(text):
            yield from _date(found[0], found[1], int(found[2]), int(found[3]), years)
    if not thought.word_set.isdisjoint(_MONTH):
        for found in _MONTH_DAY.finditer(text):
            yield from _date(found[0], found[3], _MONTH[found[1]], int(found[2]), years)
        for found in _DAY_MONTH.finditer(text):
            yield from _date(found[0], found[3], _MONTH[found[2]], int(found[1]), years)
    if "/" in text:
        for found in _SLASHED.finditer(text):
            year = found[3] if found[3] and len(found[3]) == 4 else None
            yield from _date(found[0], year, int(found[1]), int(found[2]), years)


def _date(text: str, year: str | None, month: int, number: int, years: Sequence[str]) -> Iterator[Value]:
    try:
        day = date(int(year) if year and year != "0000" else 4, month, number)
    except ValueError:
        return
    yield Value("date", text, *date_forms(day, (year,) if year else tuple(years)), day)


@lru_cache(maxsize=1024)
def date_forms(day: date, years: tuple[str, ...]) -> tuple[tuple[Form, ...], tuple[Form, ...]]:
    """(forms, loose forms) of a day: 2024-05-26, May 26(th), 26(th) (of) May; 5/26."""
    month, number, name = f"{day.month:02}", str(day.day), _MONTHS[day.month - 1]
    forms = [Form((year, month, f"{day.day:02}"), open_end=True) for year in years]
    ordinal = f"{number}{_ending(day.day)}"
    for word in dict.fromkeys((name, name[:3])):
        forms += [Form((word, number)), Form((word, ordinal)), Form((word, "the", ordinal))]
        forms += [Form((number, word)), Form((ordinal, word)), Form((ordinal, "of", word))]
    loose = (Form((str(day.month), number)), Form((month, f"{day.day:02}")), Form((number, str(day.month))))
    return tuple(forms), loose


def days_beside(day: date) -> list[date]:
    """The day before and the day after, as far as the calendar goes."""
    return [day + timedelta(step) for step in (-1, 1) if date.min < day < date.max]


def _ending(day: int) -> str:
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _times(thought: ThoughtText) -> Iterator[Value]:
    if ":" not in thought.lower:
        return
    for found in _CLOCK.finditer(thought.lower):
        hour, minute = int(found[1] or found[4]), found[2] or found[5]
        if found[3]:
            hour = hour % 12 + (12 if found[3] == "p" else 0)
        half, short = "am" if hour < 12 else "pm", str(hour % 12 or 12)
        forms = [Form((f"{hour:02}", minute)), Form((short, minute, half)), Form((short, f"{minute}{half}"))]
        if minute == "00":
            forms += [Form((short, half)), Form((f"{short}{half}",))]
        yield Value("time", found[0], tuple(forms))


def _named(thought: ThoughtText, settings: CheckSettings) -> Iterator[Value]:
    least = settings.entity_chars
    if "_" in thought.text:
        for token in dict.fromkeys(_TOKEN.findall(thought.text)):
            words = tuple(words_of(token)) if "_" in token and len(token) >= least else ()
            if len(words) > 1:
                yield Value("id", token, (Form(words),))
    codes = dict.fromkeys(_CODE.findall(thought.text))
    if codes and not thought.text.isupper():
        yield from (Value("code", code, (Form((code.lower(),)),)) for code in codes)
    if "/" in thought.text or "@" in thought.text or "\\" in thought.text:
        for token in dict.fromkeys(thought.text.split()):
            kind = _address_kind(token)
            words = tuple(words_of(token)) if kind and len(token) >= least else ()
            if words:
                yield Value(kind, token.strip(_AROUND), (Form(words),))
    yield from _quotations(thought.text, least)


def _quotations(text: str, least: int) -> Iterator[Value]:
    for mark, pattern in _QUOTATIONS.items():
        for quoted in pattern.findall(text) if mark in text else ():
            for part in _ELLIPSIS.split(quoted):
                words = tuple(words_of(part))
                if len(" ".join(words)) >= least:
                    yield Value("quotation", part.strip(), (Form(words),))


def _address_kind(token: str) -> str:
    """`address` for e-mails and URLs, `path` for paths, else nothing."""
    token = token.strip(_AROUND)
    if len(token) > QUOTED or not any(map(str.isalpha, token)):
        return ""
    name, at, host = token.partition("@")
    if "://" in token or token.startswith("www.") or (at and name and "." in host):
        return "address"
    return "path" if token.startswith(("/", "~/", "./", "../")) or token.count("/") + token.count("\\") > 1 else ""
