"""Anthropic messages: content as blocks of text, thinking, tool_use and, in user messages, tool_result.

`system` and `tools` (with `input_schema`) stand outside the messages. A user message that mixes results and text
becomes the results, as tool messages, and then the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.canonical import compact_json
from curate.errors import RecordError
from curate.readers.messages import message, objects, split_think, tool_call
from curate.readers.raw import RawTrajectory, json_column, read_tools, take_facts
from curate.trajectory import Message

_OWN_BLOCKS = frozenset(("thinking", "redacted_thinking", "tool_use", "tool_result"))
_ROLES = ("user", "assistant", "system")


class Anthropic:
    """Records of `{"messages": [...], "system": ..., "tools": [...]}` whose contents are lists of blocks."""

    name = "anthropic"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure if a block is of a kind that only Anthropic has, less so if only `system` or the tools say it."""
        messages, tools = record.get("messages"), record.get("tools")
        if isinstance(messages, str):  # a column of a table
            return 0.96 if '"tool_use"' in messages or '"tool_result"' in messages else 0.0
        if not isinstance(messages, list) or not all(isinstance(item, Mapping) for item in messages):
            return 0.0
        if any(item.get("role") not in _ROLES or item.get("tool_calls") for item in messages):
            return 0.0
        if any(_kinds(item.get("content")) & _OWN_BLOCKS for item in messages):
            return 0.97
        if isinstance(tools, list) and any(isinstance(tool, Mapping) and "input_schema" in tool for tool in tools):
            return 0.95
        outside = record.get("system") and all(item.get("role") != "system" for item in messages)
        return 0.85 if messages and outside and not tools else 0.0

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one record."""
        raw = RawTrajectory(messages=[])
        if record.get("system"):
            raw.messages.append(_plain("system", record["system"], "system"))
        for index, item in enumerate(objects(json_column(record, "messages", list), "messages")):
            _add_message(raw, item, f"messages[{index}]")
        raw.tools = _tools(json_column(record, "tools", list))
        return take_facts(record, raw, {"messages", "system", "tools"})


def _kinds(content: Any) -> set[Any]:
    if not isinstance(content, list):
        return set()
    kinds = (block.get("type") for block in content if isinstance(block, Mapping))
    return {kind for kind in kinds if isinstance(kind, str)}


def _add_message(raw: RawTrajectory, item: Mapping[str, Any], place: str) -> None:
    role, content = item.get("role"), item.get("content")
    extra = {key: value for key, value in item.items() if key not in ("role", "content") and value is not None}
    if role not in _ROLES:
        raise RecordError("unknown_role", f"{place}.role is {role!r}")
    if not isinstance(content, list):
        read = _plain(role, content, f"{place}.content")
    elif role == "assistant":
        read = _assistant(_blocks(content, f"{place}.content"), f"{place}.content", extra)
    else:
        blocks = _blocks(content, f"{place}.content")
        results = [block for block in blocks if block.get("type") == "tool_result"]
        raw.messages.extend(_result(block, f"{place}.content") for block in results)
        rest = [block for block in blocks if block.get("type") != "tool_result"]
        read = raw.messages.pop() if results and not rest else _plain(role, rest, f"{place}.content")
    if role == "assistant" and read["reasoning_content"] is None:
        recorded = split_think(read)
        if recorded is not None:
            raw.split_texts[len(raw.messages)] = recorded
    if extra:
        raw.metadata.setdefault("message_extras", {})[str(len(raw.messages))] = extra
    raw.messages.append(read)


def _blocks(content: Any, place: str) -> list[dict[str, Any]]:
    """Blocks without the nulls that a table gives each of them for what the others have."""
    return [{key: value for key, value in block.items() if value is not None} for block in objects(content, place)]


def _plain(role: str, content: Any, place: str) -> Message:
    """A message of text, or of blocks that are text and others; blocks that say more than their text are kept whole."""
    if content is None or isinstance(content, str):
        return message(role, content)
    blocks = _blocks(content, place)
    texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    read = message(role, "".join(texts) if texts else None)
    if not all(block.keys() == {"type", "text"} and isinstance(block["text"], str) for block in blocks):
        read["content_json"] = compact_json(blocks)
    return read


def _assistant(blocks: Sequence[Mapping[str, Any]], place: str, extra: dict[str, Any]) -> Message:
    rest = [block for block in blocks if block.get("type") not in ("thinking", "redacted_thinking", "tool_use")]
    read = _plain("assistant", rest, place)
    thoughts: list[str] = []
    for index, block in enumerate(blocks):
        if block.get("type") == "tool_use":
            name, call_id = block.get("name"), _text(block, "id", f"{place}[{index}]")
            if not isinstance(name, str) or not isinstance(block.get("input"), (Mapping, str, type(None))):
                raise RecordError("wrong_type", f"{place}[{index}] is a tool_use without a name or an input object")
            read["tool_calls"].append(tool_call(call_id, name, block.get("input")))
        elif block.get("type") == "thinking":
            thought = _text(block, "thinking", f"{place}[{index}]") or ""
            thoughts += [thought] if thought.strip() else []
    read["reasoning_content"] = "\n\n".join(thoughts) or None
    sealed = [_sealed(block) for block in blocks if block.get("type") in ("thinking", "redacted_thinking")]
    if any(sealed):
        extra["thinking_blocks"] = sealed
    return read


def _sealed(block: Mapping[str, Any]) -> dict[str, Any]:
    """What a thinking block says beside its text: the signature, or the redacted data."""
    beside = {key: value for key, value in block.items() if key not in ("type", "thinking")}
    return {"type": block["type"], **beside} if beside or block["type"] == "redacted_thinking" else {}


def _result(block: Mapping[str, Any], place: str) -> Message:
    read = _plain("tool", block.get("content"), f"{place}: the content of a tool_result")
    read["tool_call_id"] = _text(block, "tool_use_id", f"{place}: a tool_result")
    error = block.get("is_error")
    if error is not None and not isinstance(error, bool):
        raise RecordError("wrong_type", f"{place}: is_error of a tool_result is {type(error).__name__}, not a boolean")
    read["is_error"] = error
    return read


def _tools(value: Any) -> list[dict[str, Any]] | None:
    """OpenAI function schemas (some records have them already); a tool of the API's own keeps its type and settings."""
    if value is None or value == []:
        return None
    tools: list[dict[str, Any]] = []
    for index, tool in enumerate(objects(value, "tools")):
        if isinstance(tool.get("function"), Mapping):
            tools += read_tools([tool]) or []
            continue
        if not isinstance(tool.get("name"), str):
            raise RecordError("wrong_type", f"tools[{index}] has no name")
        beside = {key: item for key, item in tool.items() if (key, item) != ("type", "custom")}
        schema = {"parameters": beside.pop("input_schema")} if "input_schema" in beside else {}
        tools.append({"type": "function", "function": beside | schema})
    return tools


def _text(block: Mapping[str, Any], key: str, place: str) -> str | None:
    value = block.get(key)
    if value is None or isinstance(value, str):
        return value or None
    raise RecordError("wrong_type", f"{place}.{key} is {type(value).__name__}, not a text")
