"""Search within one trajectory: which turn holds a text, and in what: text, thinking, arguments, a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from app.reading.pieces import Match, matches
from app.reading.turns import Turn

MOST_HITS = 200
_PER_TEXT = 20


@dataclass(frozen=True)
class Hit:
    """One place; `part` is text, thinking, arguments or result, `tool` whose arguments or result it is."""

    turn: int
    message_index: int
    part: str
    tool: str | None
    match: Match


def hits(turns: Sequence[Turn], needle: str, limit: int = MOST_HITS) -> list[Hit]:
    """The first places in the order of the turns, at most 20 of one text."""
    return list(islice(_hits(turns, needle.strip()), limit))


def _hits(turns: Sequence[Turn], needle: str) -> Iterator[Hit]:
    for turn in turns if needle else ():
        for index, part, tool, text in _texts(turn):
            for match in matches(text, needle, _PER_TEXT):
                yield Hit(turn.number, index, part, tool, match)


def _texts(turn: Turn) -> Iterator[tuple[int, str, str | None, str]]:
    message, index = turn.message, turn.message_index
    yield index, "thinking", None, message["reasoning_content"] or ""
    yield index, "text", None, message["content"] or message["content_json"] or ""
    for call in turn.calls:
        name = call.call["name"]
        yield index, "arguments", name, f"{name}({call.call['arguments']})"
        if call.result is not None and call.result_index is not None:
            yield call.result_index, "result", name, call.result["content"] or ""
