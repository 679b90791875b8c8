"""Recorded messages as a teacher reads them: marked by who speaks, and unable to close their own marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curate.pairing import pair_calls
from curate.trajectory import Message

SPEAKERS = {
    "system": "instructions",
    "developer": "instructions",
    "user": "user",
    "assistant": "agent",
    "tool": "tool",
}
NAME_CHARS = 120
"""Most characters of a tool's name that are shown."""
ENCODED_KEPT = 32
"""Characters kept at the head of a picture or other encoded data."""
_NOTE_ROOM = 48

# Our own marks, what chat templates read as marks (a self-hosted model's tokenizer takes them for such in any text),
# and the tags of thinking and calls. Each run of blanks belongs to one "<", so the time is linear.
_MARKS = re.compile(
    r"<(?=[\s/\u200b-\u200f\u2060\ufeff]*+"
    r"(?:(?:tools|dialogue|message|call|next_action|think|tool_call|tool_response|start_of_turn|end_of_turn|s|eos)\b"
    r"|[|\uff5c]))",
    re.IGNORECASE,
)
# Only at the start of a run, so that no run is looked at twice.
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{256,}+={0,2}")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Shown:
    """One message in the form that is shown.

    Attributes:
        role: of the message.
        pieces: marks and texts in order, one a line; texts alone may be shortened.
        texts: which pieces are texts.
    """

    role: str
    pieces: tuple[str, ...]
    texts: tuple[bool, ...]

    def text(self, cap: int | None = None) -> str:
        """The message, each of its texts shortened to `cap` characters."""
        if cap is None:
            return "\n".join(self.pieces)
        return "\n".join(
            shortened(piece, cap) if is_text else piece for piece, is_text in zip(self.pieces, self.texts, strict=True)
        )

    def size(self, cap: int | None = None) -> int:
        """Characters that `text` takes, at most."""
        sizes = (
            min(len(piece), cap) if is_text and cap is not None else len(piece)
            for piece, is_text in zip(self.pieces, self.texts, strict=True)
        )
        return sum(sizes) + len(self.pieces) - 1


def shown_messages(messages: Sequence[Message]) -> list[Shown | None]:
    """Each message in the form that is shown; None for what the agent does not see, the user's own calls and results.

    What is shown of a message depends on nothing that comes after it. Thinking is never shown.
    """
    callers = {
        pair.result_index: (pair.call["name"], pair.call_index, len(messages[pair.message_index]["tool_calls"]))
        for pair in pair_calls(messages)
        if pair.result_index is not None
    }
    return [_shown(message, callers.get(index)) for index, message in enumerate(messages)]


def shown_action(message: Message) -> Shown:
    """An agent's message as the action to be explained."""
    return _enclosed("assistant", "<next_action>", _body(message), "</next_action>")


def guarded(text: str) -> str:
    """Text in which nothing reads as one of our marks or as a token of a chat template, encoded data shortened."""
    return _MARKS.sub("\u2039", _ENCODED.sub(_without_data, text))


def name_text(name: str) -> str:
    """A tool's name on one line, fit to stand in a mark."""
    plain = _BLANKS.sub(" ", name.strip()).replace('"', "'").replace("<", "\u2039").replace(">", "\u203a")
    return plain if len(plain) <= NAME_CHARS else plain[:NAME_CHARS] + "..."


def shortened(text: str, cap: int) -> str:
    """Head and tail of a text, at most `cap` characters (but never fewer than the note of what is left out)."""
    if len(text) <= cap:
        return text
    room = max(cap - _NOTE_ROOM, 0)
    head = room * 2 // 3
    tail = room - head
    return f"{text[:head]}\n... {len(text) - room:,} characters left out ...\n{text[len(text) - tail :]}"


def _without_data(found: re.Match[str]) -> str:
    data = found.group()
    return f"{data[:ENCODED_KEPT]}... {len(data) - ENCODED_KEPT:,} characters left out ..."


def _shown(message: Message, caller: tuple[str, int, int] | None) -> Shown | None:
    role = message["role"]
    if role == "tool":
        if message["requestor"] == "user":
            return None
        return _enclosed(role, _result_mark(message, caller), _body(message), "</message>")
    if message["requestor"] == "user" and role == "assistant":
        return None
    body = _body(message) if role == "assistant" else _said(message)
    if not body and role == "user" and message["tool_calls"]:
        return None
    return _enclosed(role, f'<message from="{SPEAKERS.get(role, "user")}">', body, "</message>")


def _result_mark(message: Message, caller: tuple[str, int, int] | None) -> str:
    name, place, calls = caller or (message["name"] or "", 0, 1)
    mark = '<message from="tool"'
    if name:
        mark += f' tool="{name_text(name)}"'
    if calls > 1:
        mark += f' call="{place + 1}"'
    return mark + (' failed="yes">' if message["is_error"] else ">")


def _enclosed(role: str, opening: str, body: list[tuple[str, bool]], closing: str) -> Shown:
    lines = [(opening, False), *body, (closing, False)]
    return Shown(role, tuple(line for line, _ in lines), tuple(is_text for _, is_text in lines))


def _body(message: Message) -> list[tuple[str, bool]]:
    """What was said, then the calls."""
    lines = _said(message)
    for call in message["tool_calls"]:
        lines.append((f'<call tool="{name_text(call["name"])}">', False))
        lines.append((guarded(call["arguments"]), True))
        lines.append(("</call>", False))
    return lines


def _said(message: Message) -> list[tuple[str, bool]]:
    lines = [(guarded(message["content"]), True)] if message["content"] else []
    if message["content_json"]:
        lines.append(("(parts that are not plain text, as JSON)", False))
        lines.append((guarded(message["content_json"]), True))
    return lines
