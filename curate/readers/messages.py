"""Messages in our form from OpenAI chat messages: parts, parallel and legacy calls, recorded thinking."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from curate.canonical import compact_json, parse_arguments
from curate.errors import RecordError
from curate.readers.raw import RawTrajectory
from curate.trajectory import ROLES, Message, ToolCall

_ROLE_NAMES = {"function": "tool", "human": "user", "ai": "assistant"}
KNOWN_ROLES = frozenset((*ROLES, *_ROLE_NAMES))
"""The roles of OpenAI chat, and other names of theirs."""
_THINK = re.compile(r"\A\s*<think>(.*?)</think>\s*", re.DOTALL)
_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
_KNOWN_KEYS = frozenset(
    (
        "role",
        "content",
        "tool_calls",
        "function_call",
        "tool_call_id",
        "name",
        "is_error",
        "requestor",
    )
)


def message(role: str, content: str | None = None) -> Message:
    """An empty message of a role; readers fill in the rest."""
    return Message(
        role=role,
        content=content,
        content_json=None,
        reasoning_content=None,
        tool_calls=[],
        tool_call_id=None,
        name=None,
        is_error=None,
        requestor=None,
        pair_status=None,
        train=role == "assistant",
    )


def tool_call(call_id: str | None, name: str, arguments: Any) -> ToolCall:
    """A call with its arguments as text: texts as recorded, objects dumped once in the order they came."""
    text = "" if arguments is None else arguments if isinstance(arguments, str) else compact_json(arguments)
    return ToolCall(id=call_id, name=name, arguments=text, args_status=parse_arguments(text)[1])


def objects(items: Any, place: str) -> list[Mapping[str, Any]]:
    """A list of objects.

    Raises:
        RecordError: naming what is none.
    """
    if not isinstance(items, list):
        raise RecordError("wrong_type", f"{place} is {type(items).__name__}, not a list")
    for index, item in enumerate(items):
        if not isinstance(item, dict | Mapping):  # a dict is told much faster
            raise RecordError("wrong_type", f"{place}[{index}] is {type(item).__name__}, not an object")
    return items


def openai_messages(items: Any) -> RawTrajectory:
    """A list of OpenAI chat messages in our form.

    Raises:
        RecordError: naming the message and the field that is wrong.
    """
    raw = RawTrajectory(messages=[])
    extras: dict[str, Any] = {}
    for index, item in enumerate(objects(items, "messages")):
        place = f"messages[{index}]"
        read = _openai_message(item, place)
        if read["role"] == "assistant" and read["reasoning_content"] is None:
            recorded = split_think(read)
            if recorded is not None:
                raw.split_texts[index] = recorded
        raw.messages.append(read)
        if not item.keys() <= _KNOWN_KEYS:
            extra = _extra(item, read)
            if extra:
                extras[str(index)] = extra
    if extras:
        raw.metadata["message_extras"] = extras
    return raw


def _extra(item: Mapping[str, Any], read: Message) -> dict[str, Any]:
    """What a message says that has no place in our form."""
    known = _KNOWN_KEYS | {key for key in _REASONING_KEYS if item.get(key) == read["reasoning_content"]}
    return {key: value for key, value in item.items() if key not in known and value not in (None, "", [], {})}


def as_messages(items: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Messages in our form, from messages in our form (as they stand in a row) or from plain OpenAI messages.

    Raises:
        RecordError: naming the message and the field that is wrong.
    """
    if all(Message.__annotations__.keys() <= item.keys() for item in items):
        return [cast(Message, item) for item in items]
    return openai_messages(list(items)).messages


def split_think(read: Message) -> str | None:
    """Move a leading `<think>` block of the content into reasoning_content; returns the content as recorded."""
    recorded = read["content"]
    found = _THINK.match(recorded) if recorded else None
    if recorded is None or found is None:
        return None
    read["reasoning_content"] = found[1].strip() or None
    read["content"] = recorded[found.end() :] or None
    return recorded


def _openai_message(item: Mapping[str, Any], place: str) -> Message:
    role = item.get("role")
    role = _ROLE_NAMES.get(role, role) if isinstance(role, str) else role
    if role not in ROLES:
        raise RecordError("unknown_role", f"{place}.role is {role!r}")
    read = message(role)
    content = item.get("content")
    if isinstance(content, str):
        read["content"] = content
    elif content is not None:
        read["content"], read["content_json"] = _content(content, place)
    # Most messages have none of the rest.
    if "tool_call_id" in item:
        read["tool_call_id"] = _optional_text(item, "tool_call_id", place)
    if "name" in item:
        read["name"] = _optional_text(item, "name", place)
    if "requestor" in item:
        read["requestor"] = _optional_text(item, "requestor", place)
    error = item.get("is_error")
    if error is not None and not isinstance(error, bool):
        raise RecordError("wrong_type", f"{place}.is_error is {type(error).__name__}, not a boolean")
    read["is_error"] = error
    for key in _REASONING_KEYS:
        if key in item and isinstance(item[key], str) and item[key].strip():
            read["reasoning_content"] = item[key]
            break
    if "tool_calls" in item or "function_call" in item:
        read["tool_calls"] = _calls(item, place)
    return read


def _content(value: Any, place: str) -> tuple[str | None, str | None]:
    """(text, recorded parts as JSON): a list of parts keeps its texts joined, other values keep their JSON."""
    if isinstance(value, list):
        texts = [part.get("text") if isinstance(part, Mapping) else part for part in value]
        joined = "".join(text for text in texts if isinstance(text, str))
        return joined or None, compact_json(value)
    if isinstance(value, Mapping):
        return compact_json(value), None
    raise RecordError("wrong_type", f"{place}.content is {type(value).__name__}, not a text or a list of parts")


def _calls(item: Mapping[str, Any], place: str) -> list[ToolCall]:
    given = item.get("tool_calls")
    if given is None:
        legacy = item.get("function_call")
        given = [{"function": legacy}] if legacy is not None else []
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise RecordError("wrong_type", f"{place}.tool_calls is {type(given).__name__}, not a list")
    return [_call(call, f"{place}.tool_calls[{index}]") for index, call in enumerate(given)]


def _call(call: Any, place: str) -> ToolCall:
    if not isinstance(call, dict | Mapping):
        raise RecordError("wrong_type", f"{place} is {type(call).__name__}, not an object")
    function = call.get("function", call)
    if not isinstance(function, dict | Mapping) or not isinstance(function.get("name"), str):
        raise RecordError("wrong_type", f"{place} names no function")
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, (str, Mapping)):
        raise RecordError("wrong_type", f"{place}.arguments is {type(arguments).__name__}, not a text or an object")
    return tool_call(_optional_text(call, "id", place), function["name"], arguments)


def _optional_text(item: Mapping[str, Any], key: str, place: str) -> str | None:
    value = item.get(key)
    if value is None or isinstance(value, str):
        return value or None
    raise RecordError("wrong_type", f"{place}.{key} is {type(value).__name__}, not a text")
