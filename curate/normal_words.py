"""Texts as normalised words, so that spelling, quotes and layout do not hide that two texts say the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# Typographic marks stand in most texts of chat models; without them the text is mostly ASCII, and that is fast.
_MARKS = "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022"
_NO_WORD = bytes(code for code in range(128) if not (chr(code).isalnum() or chr(code).isspace()))
_SIGNS = re.compile(r"[^\w\s]+|_+")
# Scripts that part no words by spaces: each of their characters counts as a word.
_NO_SPACES = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def words_of(text: str) -> list[str]:
    """The words of a text: NFKC, casefolded, without punctuation and symbols, parted by white space.

    Signs inside a word go too (`don't` is `dont`, `2024-05-20` is `20240520`), as in the overlap study of GPT-3
    (Brown et al. 2020, appendix C). Characters of scripts without spaces are words of their own.
    """
    if not text.isascii():
        for mark in _MARKS:
            text = text.replace(mark, "")
        if not text.isascii():
            return _any_script(text)
    return text.lower().encode().translate(None, _NO_WORD).decode().split()


def _any_script(text: str) -> list[str]:
    text = _SIGNS.sub(_without_signs, unicodedata.normalize("NFKC", text).casefold())
    return _NO_SPACES.sub(r" \g<0> ", text).split()


def _without_signs(found: re.Match[str]) -> str:
    """What is left of characters that are no letters: marks, as the vowels of Indic scripts are."""
    return "".join(char for char in found[0] if unicodedata.category(char)[0] == "M")


def value_words(value: Any) -> list[str]:
    """The words of a call's arguments: those of its values, without the keys, which every call of a tool has."""
    return words_of(" ".join(values_of(value)))


def values_of(value: Any) -> list[str]:
    """The values in a call's arguments as texts, in the order of the sorted keys.

    Integral floats count as integers, nulls do not count; there is no recursion, so depth costs no stack.
    """
    found: list[str] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, Mapping):
            stack.extend(item[key] for key in sorted(item, reverse=True))
        elif isinstance(item, (list, tuple)):
            stack.extend(reversed(item))
        elif isinstance(item, float) and item.is_integer():
            found.append(str(int(item)))
        elif item is not None:
            found.append(str(item))
    return found
