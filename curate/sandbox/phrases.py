"""Wordings: a small template language, `[a|b|]` a choice and `{slot}` a value, rendered by a seeded rng."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

_CHOICE = re.compile(r"\[([^\]]*)\]")
_SPACES = re.compile(r" (?=[ ,.!?:])")

Part = str | tuple[str, ...]


def _compile(line: str) -> tuple[Part, ...]:
    pieces = _CHOICE.split(line)
    return tuple(tuple(piece.split("|")) if place % 2 else piece for place, piece in enumerate(pieces))


class Phrases:
    """Several ways to say one thing.

    Args:
        lines: templates; a choice cannot hold another choice.
    """

    def __init__(self, *lines: str) -> None:
        self._lines = tuple(_compile(line) for line in lines)

    def say(self, rng: random.Random, slots: Mapping[str, object] | None = None) -> str:
        """Render one wording.

        Args:
            rng: what chooses.
            slots: values by name.

        Returns:
            The text, without doubled spaces.
        """
        draw = rng.random
        line = self._lines[int(draw() * len(self._lines))]
        text = "".join([part if type(part) is str else part[int(draw() * len(part))] for part in line])
        if slots:
            text = text.format_map(slots)
        if "  " in text or " ." in text or " ," in text or " ?" in text or " :" in text:
            text = _SPACES.sub("", text)
        return text.strip()


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def small(text: str) -> str:
    """The text with its first letter in lower case, for the middle of a sentence; `I` and ids stay."""
    return text if text[:2] in ("I ", "I'", "O-") else text[:1].lower() + text[1:]


def sentences(parts: Sequence[str]) -> str:
    """Join what is not empty into one text."""
    return " ".join(part for part in parts if part)
