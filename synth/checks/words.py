"""Texts as the words that the checks compare: case, marks and the usual ways to write a number make no difference."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_TEXT = 200_000
"""Characters of one text that are read."""

_KEPT = b"'"
_TABLE = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256))
# Both patterns begin with a literal, which is what a search passes over a long text quickest by.
_THOUSANDS = re.compile(r",(\d\d\d)(?!\d)")
_FRACTION = re.compile(r"\.(\d+)")
_ESCAPED = re.compile(r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|u([0-9a-f]{4})|.)", re.DOTALL)
_WORD = re.compile(r"[^\W_]+")
# Scripts that part no words by spaces: each of their characters counts as a word.
_SOLO = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def words_of(text: str) -> list[str]:
    r"""The words of a text in lower case, parted by everything but letters and digits.

    `1,234.50` and `1234.5` are both `1234p5`, `209.00` is `209`: a number is one word, equal if the value is.
    Escapes of JSON (`\n`, `\u00e9`) are what they stand for, apostrophes go (`don't` is `dont`).
    """
    text = text[:MAX_TEXT].lower()
    if "\\" in text:
        text = _ESCAPED.sub(_unescaped, text)
    if "," in text:
        text = _THOUSANDS.sub(_joined, text)
    if "." in text:
        text = _FRACTION.sub(_fraction, text)
    if text.isascii():
        return text.encode().translate(_TABLE, _KEPT).decode().split()
    text = text.replace("\u2019", "").replace("'", "")
    return _WORD.findall(_SOLO.sub(r" \g<0> ", text))


@lru_cache(maxsize=64)
def standing_words(text: str) -> tuple[str, ...]:
    """As `words_of`, kept: of system messages and tools, which row after row repeats."""
    return tuple(words_of(text))


def number_of(word: str) -> float | None:
    """The value of a word that is a number, as `words_of` writes it."""
    whole, _, part = word.partition("p")
    if not word.isascii() or not (whole + part).isdigit() or len(word) > 18:
        return None
    return float(f"{whole or 0}.{part or 0}")


def _unescaped(found: re.Match[str]) -> str:
    """What an escape of JSON (in lower case) stands for; a space for a line's end and the like."""
    if found[1]:
        return chr(0x10000 + ((int(found[1], 16) & 0x3FF) << 10) + (int(found[2], 16) & 0x3FF)).lower()
    code = int(found[3] or "20", 16)
    return " " if 0xD800 <= code < 0xE000 else chr(code).lower()


def _joined(found: re.Match[str]) -> str:
    """Without the comma behind one to three digits; a comma between other things stays."""
    at = found.start()
    text = found.string
    return found[1] if text[at - 1 : at].isdigit() else found[0]


def _fraction(found: re.Match[str]) -> str:
    digits = found[1].rstrip("0")
    if digits:
        return f"p{digits}"
    return "" if found.string[found.start() - 1 : found.start()].isdigit() else found[0]
