"""What an assistant's text to the user does: ask, ask for a go-ahead, refuse, report something as done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_SENTENCE = re.compile(r"\s(?:(?<=[.!?]\s)\s*|(?<=\n)\n*)")
"""Space behind a sentence, or line breaks; written so that the search can skip to the next space."""
_GO_AHEAD = re.compile(
    r"\b(?:confirm|proceed|go ahead|would you like me to|shall i|should i|do you want me to|do you agree"
    r"|is (?:this|that) (?:correct|okay|ok|right|fine)|\(?yes(?:/| or )no\)?)\b",
    re.IGNORECASE,
)
_GO_AHEAD_CUES = ("confirm", "proceed", "ahead", "would you", "shall", "should", "do you", "is this", "is that", "yes")
_ASKING = re.compile(
    r"\?|\b(?:(?:please|could you) (?:\w+ly )?(?:provide|share|tell|specify|give|confirm|enter)"
    r"|let me know (?:which|what|how|your)"
    r"|I(?:'ll| will)? (?:also |first )?need (?:you|your|the|to know))\b",
    re.IGNORECASE,
)
_ASKING_CUES = ("please", "could you", "let me know", "need")
_COURTESIES = (
    "anything else",
    "something else",
    "any assistance",
    "any other assistance",
    "any questions",
    "any other questions",
    "any more questions",
    "any further",
    "any help",
    "feel free",
    "further assistance",
    "can i help",
    "can i assist",
    "may i help",
    "may i assist",
    "else can i",
    "have a great",
    "have a nice",
    "have a good",
    "have a wonderful",
    "let me know if",
    "happy to help",
    "reach out",
)
_WANTED = ("provide", "share", "specify", "confirm", "transfer")
_REFUSALS = (
    "cannot",
    "can't",
    "can not",
    "unable",
    "not possible",
    "isn't possible",
    "not allowed",
    "not eligible",
    "unfortunately",
    "not permitted",
    "not available",
    "do not allow",
    "does not allow",
    "i don't have",
    "we don't have",
    "can only be",
)
_DECIDES = re.compile(r"^(?!.*\bwhich\b).*(?:\?|\bconfirm)", re.IGNORECASE | re.DOTALL)
"""A question of yes or no, or a plea to confirm; "which" asks for something else."""
_INQUIRES = re.compile(
    r"\bconfirm (?:which|what)\b"
    r"|\bconfirm (?:if|whether)\b(?! (?:you(?:'d| would)? (?:like|want|wish|agree)|th(?:is|at|ese)|all)\b)"
    r"|\bconfirm (?:the|your)(?: [\w-]+){1,5} you(?:'d|'re| would| are| want| wish| prefer)\b"
    r"|\bconfirm (?:the|your)(?: \w+){0,3} (?:ids?|numbers?|names?|e-?mails?|zip|reason)\b(?! is\b)(?!:)",
    re.IGNORECASE,
)
"""A plea to confirm that asks for a fact, not for a go-ahead."""
_DONE = re.compile(r"\b(?:success\w*|ha(?:s|ve) been|is now|are now|done|completed|processed)\b", re.IGNORECASE)


_DONE_CUES = ("success", "ve been", "s been", "now", "done", "completed", "processed")


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text."""
    return [part for part in _SENTENCE.split(text) if part.strip()]


@lru_cache(maxsize=64)
def without_courtesies(text: str) -> str:
    """The text without offers of further help and good wishes, on one line."""
    text = text.replace("\u2019", "'")
    lowered, parts = text.lower(), sentences(text)
    cues = [cue for cue in _COURTESIES if cue in lowered]
    return " ".join(part for part in parts if not _says(part, cues) or _says(part, _WANTED))


def questions(text: str) -> list[str]:
    """The sentences that ask the user for something."""
    return list(_questions(text))


@lru_cache(maxsize=64)
def _questions(text: str) -> tuple[str, ...]:
    parts = sentences(text)
    return tuple(part for part in parts if "?" in part or (_says(part, _ASKING_CUES) and _ASKING.search(part)))


def asks_go_ahead(text: str) -> bool:
    """Whether the text asks the user to confirm something."""
    return _says(text, _GO_AHEAD_CUES) and _GO_AHEAD.search(text) is not None


def seeks_yes(asking: list[str]) -> bool:
    """Whether one of the questions can be answered by a yes that lets something happen."""
    return any(asks_go_ahead(part) and _DECIDES.search(part) and not _INQUIRES.search(part) for part in asking)


def refuses(text: str) -> bool:
    """Whether the text says that something cannot be done."""
    return _says(text, _REFUSALS)


def reports_done(text: str) -> bool:
    """Whether the text says that something has been done."""
    return _says(text, _DONE_CUES) and _DONE.search(text) is not None


def _says(text: str, cues: Sequence[str]) -> bool:
    return any(map(text.lower().__contains__, cues))
