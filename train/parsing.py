"""What a model said in a turn: thinking, tool calls as Hermes and Qwen3 write them, and text; nothing here raises."""

from __future__ import annotations

import re
from dataclasses import dataclass

from curate.canonical import compact_json, parse_json

_CALL = re.compile(r"<tool_call>(.*?)(</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
_OPEN, _CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class SaidCall:
    """One call that the model made, or tried to make.

    Attributes:
        name: of the tool; empty where none can be read.
        arguments: JSON text of the arguments; what stood between the marks where they cannot be read.
        problem: why it is no call, as one sentence for the model; None for a call.
    """

    name: str
    arguments: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of a model.

    Attributes:
        thinking: without its marks, None if there was none.
        closed: whether the thinking came to its end; if not, there is neither text nor call.
        content: the text outside of thinking and calls.
        calls: in order.
        after_call: text stood behind the last call.
    """

    thinking: str | None
    closed: bool
    content: str
    calls: tuple[SaidCall, ...]
    after_call: bool = False


def parse_turn(text: str, *, opened: bool = False) -> Said:
    """Read a turn.

    Args:
        text: what the model said, without the mark that ends the turn.
        opened: the prompt has opened the thinking already.
    """
    thinking, closed, rest = _thinking(text, opened)
    if not closed:
        return Said(thinking, False, "", ())
    found = list(_CALL.finditer(rest))
    content = _CALL.sub("", rest).strip()
    after = bool(found) and bool(rest[found[-1].end() :].strip())
    return Said(thinking, True, content, tuple(_call(match[1], bool(match[2])) for match in found), after)


def _thinking(text: str, opened: bool) -> tuple[str | None, bool, str]:
    """(thinking, whether it was closed, the rest)."""
    start = text.lstrip()
    if start.startswith(_OPEN):
        start, opened = start[len(_OPEN) :], True
    if not opened:
        return None, True, text
    thought, mark, rest = start.partition(_CLOSE)
    return thought.strip(), bool(mark), rest


def _call(text: str, ended: bool) -> SaidCall:
    raw = text.strip()
    if not ended:
        return SaidCall("", raw, "the call does not end with </tool_call>")
    try:
        value = parse_json(raw)
    except ValueError:
        return SaidCall("", raw, "what stands between <tool_call> and </tool_call> is not JSON")
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str) or not name.isprintable() or not name:
        return SaidCall("", raw, 'a call is a JSON object with "name" and "arguments"')
    return called(name, value.get("arguments", {}), raw)


def called(name: str, arguments: object, raw: str) -> SaidCall:
    """A call of a tool with decoded arguments; `raw` is kept where they are no JSON object."""
    if not isinstance(arguments, dict):
        return SaidCall(name, raw, '"arguments" must be a JSON object')
    try:
        text = compact_json(arguments)
        text.encode()  # an escape may stand for half a surrogate pair, which no file can hold
    except ValueError:
        return SaidCall(name, raw, '"arguments" must be a JSON object')
    return SaidCall(name, text)
