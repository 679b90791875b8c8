"""How values are written: the form in which they are compared, how they may stand in a text, facts of a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from curate.env import name_words
from synth.names import singular

Path: TypeAlias = tuple[str | int, ...]

SHORT_TEXT = 48
"""Characters up to which the compared form of a text is kept; most values come again and again."""
REACH = 24
"""Characters between a small number and the words that say what it counts."""

_THOUSANDS = re.compile(r",(?<=\d,)(?=\d{3}\b)")
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)$")
_FACT = re.compile(r"#?\b(?:[A-Z]{1,6}-)?\w*\d\w*(?:[-.:@]\w+)*")
_MONTHS = "january february march april may june july august september october november december".split()
_JOINING = ("_", "@")
_COUNTING = ("total", "new", "num", "max", "min", "count")
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_COMMON = frozenset(("yes", "none", "null", "true", "false", "all", "any"))


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(path, value) of every leaf; an empty list or object is a leaf itself."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for at, item in enumerate(value):
            yield from leaves(item, (*path, at))
    else:
        yield path, value


def facts_in(text: str) -> list[str]:
    """Ids, numbers and dates of a text in their order, each once; small numbers are left out."""
    found = dict.fromkeys(match.rstrip(".:-") for match in all_facts(without_thousands(text)))
    return [fact for fact in found if len(fact.strip("#")) >= 3 and not is_trivial(fact)]


def all_facts(text: str) -> list[str]:
    """Every id, number and date of a text, as written."""
    # A fact holds a digit and no space, and the pattern is slow on words.
    return _FACT.findall(" ".join([word for word in text.split() if not word.isalpha()]))


def without_thousands(text: str) -> str:
    """The text with its numbers' commas taken out: "1,250" becomes "1250"."""
    return _THOUSANDS.sub("", text) if "," in text else text


def normal(value: Any) -> str:
    """The form in which values are compared: numbers by value, texts without case, outer space and leading `#`."""
    if isinstance(value, str):
        return _normal_short(value) if len(value) <= SHORT_TEXT else _normal_text(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _normal_text(text: str) -> str:
    text = text.strip().lower()
    return text[1:] if text.startswith("#") else text


_normal_short = lru_cache(maxsize=65_536)(_normal_text)


def is_trivial(value: Any) -> bool:
    """Whether a value is too common to be traced by itself: truth values, nothing, small numbers, "no"."""
    if value is None or isinstance(value, (bool, list, dict)):
        return True
    text = normal(value)
    return len(text) <= 2 or text in _COMMON


def is_short_name(value: Any) -> bool:
    """Whether a value of two characters is a name or a code, such as a state's."""
    return isinstance(value, str) and len(value) == 2 and value.isalpha() and value.lower() != "no"


def spoken_forms(value: Any) -> tuple[str, ...]:
    """How a value may stand in a text: as it is, a date in words, a small number as a word."""
    text = normal(value)
    return _spoken_short(text) if len(text) <= SHORT_TEXT else _spoken(text)


def _spoken(text: str) -> tuple[str, ...]:
    forms = [text] if text else []
    date = _ISO_DATE.match(text)
    if date:
        month, day = int(date[2]), int(date[3])
        if 1 <= month <= 12:
            word = _MONTHS[month - 1]
            forms += [f"{word} {day}", f"{word[:3]} {day}", f"{day} {word}", f"{day} {word[:3]}", f"{month}/{day}"]
            forms += [f"{word} {day}{_ending(day)}", f"{day}{_ending(day)} of {word}"]
    elif text.isdigit() and len(text) <= 2 and int(text) < len(_NUMBER_WORDS):
        forms.append(_NUMBER_WORDS[int(text)])
    elif "_" in text:
        forms.append(text.replace("_", " "))
    return tuple(forms)


_spoken_short = lru_cache(maxsize=16_384)(_spoken)


def _ending(day: int) -> str:
    return "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def stands_in(needle: str, text: str, near: str | None = None) -> bool:
    """Whether `needle` is a word of its own in `text`, beside words of `near`: `5` is not in `15`, `5.08` or `a5`."""
    at = text.find(needle)
    while at >= 0:
        end = at + len(needle)
        before, after = text[at - 1 : at], text[end : end + 1]
        inside = before.isalnum() or after.isalnum() or before in _JOINING or after in _JOINING
        longer = after == "." and text[end + 1 : end + 2].isdigit()
        longer = longer or (before == "." and text[at - 2 : at - 1].isdigit())
        alone = not inside and not (longer and needle[-1:].isdigit())
        if alone and (near is None or _near_topic(near, text[max(0, at - REACH) : end + REACH])):
            return True
        at = text.find(needle, at + 1)
    return False


def _near_topic(name: str, text: str) -> bool:
    """Whether the text speaks of the argument too: "three checked bags" for `total_baggages`."""
    words = [singular(word) for word in name_words(name) if len(word) > 2 and word not in _COUNTING]
    return bool(words) and all(word[: max(3, len(word) - 4)] in text for word in words)
