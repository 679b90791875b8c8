"""What both vendors' answers have in common: counts that may be anything, thinking in the text, why they ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synth.teachers.asks import Reply, ReplyKind, Usage
from synth.teachers.faults import error_words
from synth.teachers.hiding import Hider

MOST_TOKENS = 10**9
"""A larger count is a mistake."""
OPEN, CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Answer:
    """A completed answer, before it is judged.

    Attributes:
        text: the text blocks, joined.
        finish: the vendor's word for why it stopped; None if it gave none.
        ending: what that word means: "ok", the code of a poor answer, or "unfinished".
        model: the model that the server says it used.
        usage: what it counted; None if it did not say.
    """

    text: str
    finish: Any
    ending: str
    model: Any
    usage: Usage | None


def judged(answer: Answer, hider: Hider) -> Reply:
    """The reply that an answer makes."""
    text, ending = without_thinking(answer.text), answer.ending
    if text is None:
        text, ending = "", "cut_off" if ending == "ok" else ending
    elif ending == "ok" and not text.strip():
        ending = "empty"
    if hider.holds_key(text):
        text, ending = "", "key_echoed"
    kind: ReplyKind = "ok" if ending == "ok" else "again" if ending == "unfinished" else "poor"
    return Reply(
        kind,
        ending,
        text=text if kind != "again" else None,
        usage=answer.usage,
        billed="usage" if answer.usage is not None else "unknown",
        model=hider.token(answer.model),
        finish=hider.token(answer.finish),
    )


def without_thinking(text: str) -> str | None:
    """A text without the thinking block at its start, which some servers leave there; None if the block never ends.

    A chat template may put the opening tag at the end of the prompt (DeepSeek-R1, Qwen3-Thinking): the text then has
    only the closing one.
    """
    thinking, closed, rest = text.partition(CLOSE)
    if thinking.lstrip().startswith(OPEN):
        return rest.lstrip() if closed else None
    return rest.lstrip() if closed and OPEN not in thinking else text


def not_an_answer(raw: Any, hider: Hider) -> Reply:
    """The reply for a body under status 200 that is not the API's; gateways send errors so."""
    if isinstance(raw, dict) and raw.get("error"):
        return Reply("again", "error_body", billed="unknown", detail=hider.words(error_words(raw)[1]))
    shape = f"an object with {', '.join(sorted(map(str, raw))[:8])}" if isinstance(raw, dict) else type(raw).__name__
    return Reply("again", "not_api", billed="unknown", detail=hider.words(f"the body is {shape}"))


def count(counts: Any, name: str) -> int | None:
    """One count of a usage object; None if it is not there, or no count."""
    value = counts.get(name) if isinstance(counts, dict) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def usage(*, given: int, output: int, cached: int, written: int, written_1h: int, reasoning: int) -> Usage:
    """Counts, with parts that are no larger than their whole."""
    cached = min(cached, given)
    written = min(written, given - cached)
    written_1h = min(written_1h, given - cached - written)
    return Usage(given, output, cached, written, written_1h, min(reasoning, output))
