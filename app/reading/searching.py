"""Search within one trajectory: which turn holds a text, and in what: text, thinking, arguments, a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from app.reading.pieces import Match, matches
from app.reading.turns import Step

MOST_HITS = 200
_PER_TEXT = 3


@dataclass(frozen=True)
class Hit:
    """One place in the step of that number; `part` is text, thinking, arguments or result, of the `tool` if any."""

    step: int
    message_index: int
    part: str
    tool: str | None
    match: Match


def hits(steps: Sequence[Step], needle: str, limit: int = MOST_HITS) -> list[Hit]:
    """The first places in the order of the turns, at most 3 of one text."""
    return list(islice(_hits(steps, needle.strip()), limit))


def _hits(steps: Sequence[Step], needle: str) -> Iterator[Hit]:
    for step in steps if needle else ():
        for index, part, tool, text in _texts(step):
            for match in matches(text, needle, _PER_TEXT):
                yield Hit(step.number, index, part, tool, match)


def _texts(step: Step) -> Iterator[tuple[int, str, str | None, str]]:
    message, index = step.message, step.index
    yield index, "thinking", None, message["reasoning_content"] or ""
    yield index, "text", None, message["content"] or message["content_json"] or ""
    for call in step.calls:
        name = call.call["name"]
        yield index, "arguments", name, f"{name}({call.call['arguments']})"
        if call.result is not None and call.result_index is not None:
            yield call.result_index, "result", name, call.result["content"] or ""
