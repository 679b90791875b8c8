"""ShareGPT / Hermes: `conversations` of from and value, calls and results as tagged text inside the values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from curate.canonical import json_object, parse_json, parse_literal
from curate.errors import RecordError
from curate.readers.messages import message, split_think
from curate.readers.raw import RawTrajectory, read_tools, take_facts
from curate.readers.written_calls import calls_of_text
from curate.trajectory import Message

_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
    "tool_response": "tool",
}
_CALL = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_RESPONSE = re.compile(r"<tool_response>\s?(.*?)\s?</tool_response>", re.DOTALL)
_TOOLS = re.compile(r"<tools>(.*?)</tools>", re.DOTALL)


class ShareGPT:
    """Records of `{"conversations": [{"from": ..., "value": ...}], ...}`."""

    name = "sharegpt"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure if the first turn has a `from`."""
        turns = record.get("conversations")
        first = turns[0] if isinstance(turns, list) and turns else None
        return 0.9 if isinstance(first, Mapping) and "from" in first and "value" in first else 0.0

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one record."""
        raw = RawTrajectory(messages=[])
        system = record.get("system")
        if isinstance(system, str) and system:
            raw.messages.append(message("system", system))
        turns = record.get("conversations")
        if not isinstance(turns, list):
            raise RecordError("wrong_type", f"conversations is {type(turns).__name__}, not a list")
        for index, turn in enumerate(turns):
            _add_turn(raw, turn, f"conversations[{index}]")
        raw.tools = read_tools(record.get("tools")) or _system_tools(raw.messages)
        return take_facts(record, raw, {"conversations", "system", "tools"})


def _add_turn(raw: RawTrajectory, turn: Any, place: str) -> None:
    if not isinstance(turn, Mapping) or not isinstance(turn.get("value"), str):
        raise RecordError("wrong_type", f"{place} has no text under 'value'")
    sender, text = turn.get("from"), turn["value"]
    role = _ROLES.get(sender) if isinstance(sender, str) else None
    if role is None:
        raise RecordError("unknown_role", f"{place}.from is {sender!r}")
    if role == "tool":
        raw.messages.extend(_results(text))
    elif role == "assistant" and sender in ("function_call", "tool_call"):
        read = message(role)
        read["tool_calls"] = calls_of_text(text)
        raw.messages.append(read)
    elif role == "assistant":
        read = _assistant(text)
        recorded = split_think(read)
        if recorded is not None:
            raw.split_texts[len(raw.messages)] = text
        raw.messages.append(read)
    else:
        raw.messages.append(message(role, text))


def _assistant(text: str) -> Message:
    """Text and `<tool_call>` blocks of one turn; a message without calls keeps its text byte for byte."""
    read = message("assistant", text)
    found = list(_CALL.finditer(text))
    if found:
        read["tool_calls"] = [call for block in found for call in calls_of_text(block[1])]
        read["content"] = _CALL.sub("", text).strip() or None
    return read


def _results(text: str) -> list[Message]:
    """One message a `<tool_response>` block, with the text inside it; text without blocks is one result."""
    results = []
    for inner in _RESPONSE.findall(text) or [text]:
        read = message("tool", inner)
        body = json_object(inner) or {}
        if isinstance(body.get("name"), str) and "content" in body:
            read["name"] = body["name"]
        call_id = body.get("tool_call_id")
        read["tool_call_id"] = call_id if isinstance(call_id, str) else None
        results.append(read)
    return results


def _system_tools(messages: list[Message]) -> list[dict[str, Any]] | None:
    """Schemas from `<tools>` in the system text: a list or one object a line, as JSON or as Python literals."""
    system = next((item["content"] for item in messages if item["role"] == "system"), None) or ""
    # Hermes' prompt speaks of `<tools></tools>` before the block that holds them.
    inner = next((block.strip() for block in _TOOLS.findall(system) if block.strip()), "")
    listed = "[" + ",".join(line for line in inner.splitlines() if line.strip()) + "]"
    for read in (parse_json, parse_literal):
        for candidate in (inner, listed):
            try:
                value = read(candidate)
                return read_tools(value if value is not None else "?")
            except (ValueError, RecordError):
                continue
    return None
