"""How words from a trajectory may stand in a thought (short, one line, no markup), and how one wording is picked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from curate.canonical import hash128

QUOTE = 60
"""Longest quotation in characters."""

_MARKS = re.compile(r"[<>{}|`*#_]")
"""What any markup begins with; most texts have none of it."""
_MARKUP = re.compile(r"<[^<>]{0,80}>?|[<>{}|`*]|\*\*|#{2,}\w*#*|__+")
_BARRED = re.compile("[<|\u201c\u201d\ufffd]")
_UNQUOTABLE = re.compile(r"<[/|A-Za-z][^<>]{0,80}>?|[\u201c\u201d\ufffd]|\|>")
"""What no thought may hold, not even in a quotation: tags, special tokens, and marks that would end the quotation."""
_DANGLING = frozenset(
    "see check know tell me them find out ask wonder whether sure or and to the a an of for with in on my their".split()
)
"""Words that cannot end a clause: what belongs to them was cut off."""
_CLEAN = re.compile(r"#?\w[\w.,:;/@'()$%&+=!?-]*(?: [\w.,:;/@'()$%&+=!?-]+)*", re.ASCII)
_BREAKS = (
    ". ",
    "; ",
    " - ",
    " \u2013 ",
    " \u2014 ",
    "\u2014",
    ", ",
    ": ",
    " because ",
    " since ",
    " but ",
    " if ",
    " so that ",
    " and ",
    " using ",
    " which ",
    " due to ",
)


class Voice:
    """Picks one of several wordings, the same for the same trajectory and turn.

    Args:
        seed: hex digits, e.g. `hash128(trajectory_id, message_index)`.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._left = int(seed, 16)

    def pick(self, options: Sequence[str]) -> str:
        """One of the options."""
        return options[self.number(len(options))]

    def number(self, below: int) -> int:
        """A number from 0 up to `below`."""
        if self._left < 2**24:
            self._seed = hash128(self._seed)
            self._left = int(self._seed, 16)
        self._left, number = divmod(self._left, below)
        return number


def plain(text: str) -> str:
    """The text on one line, without markup, control characters or quotation marks that would nest."""
    if len(text) <= QUOTE and _CLEAN.fullmatch(text) and "__" not in text:
        return text
    text = text[:2000]
    text = " ".join((_MARKUP.sub(" ", text) if _MARKS.search(text) else text).split())
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable())
    return text if text.isascii() else text.replace("“", '"').replace("”", '"')


def cut(text: str, limit: int = QUOTE) -> str:
    """The text up to `limit` characters, at a word's end and with an ellipsis where something is left out."""
    if len(text) <= limit:
        return text
    head = text[:limit].rsplit(" ", 1)[0] if " " in text[:limit] else text[:limit]
    return head.rstrip(" ,;:.-\u2013\u2014") + "…"


def clause(text: str, limit: int) -> str:
    """The text up to the last break between clauses within the limit that leaves no word dangling, else cut."""
    if len(text) <= limit:
        return text
    ends = [at for mark in _BREAKS if (at := text.rfind(mark, 0, limit)) >= 20]
    whole = [at for at in ends if text[:at].rsplit(" ", 1)[-1].lower() not in _DANGLING]
    return text[: max(whole)] if whole else cut(text, limit)


def verbatim(text: str) -> str:
    """The text on one line, word for word; an ellipsis stands where markup or control characters were left out."""
    text = text[:2000]
    if _BARRED.search(text):
        text = _UNQUOTABLE.sub(" … ", text)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " if c.isspace() else "…" for c in text)
    return " ".join(text.split())


def quote(text: str, limit: int = QUOTE) -> str:
    """The text as a quotation: word for word, with an ellipsis for whatever is left out."""
    return f"“{cut(verbatim(text), limit)}”"


def shown(value: Any) -> str:
    """A value as it may stand in a sentence: bare if it is one word, else quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if not text.strip():
        return "nothing"
    bare = len(text) <= 40 and " " not in text and (text.isupper() or not text.isalpha()) and plain(text) == text
    return text if bare else quote(text)


def sentence(text: str) -> str:
    """The text with a capital first letter and a full stop; an identifier at the start keeps its case."""
    text = text.strip()
    if not text:
        return ""
    first = text.split(" ", 1)[0]
    if first.isalpha() or not any(c.isdigit() or c in "_#@" for c in first):
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?", ".”", "?”", "!”")) else text + "."
