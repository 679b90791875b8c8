"""When two messages are the same: agents send a reply back in their own words for null, thinking and spacing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import orjson

from curate.canonical import canonical_json, hash128

START = hash128("start")
_THINK = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


def message_key(message: Mapping[str, Any]) -> str:
    """Hash of what a message says: role, text, calls and whose result it is.

    Left out is what agents drop or rewrite when they send a reply back: thinking, null and empty fields, space
    around the text, the spelling of arguments, marks for the provider's cache.
    """
    role = str(message.get("role"))
    text = _content(message.get("content"))
    if role == "assistant":
        text = _THINK.sub("", text).strip()
    facts = [role, text, str(message.get("tool_call_id") or "")]
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        facts.extend(_call(call))
    if message.get("function_call"):
        facts.extend(_call({"function": message["function_call"]}))
    return hash128(*(fact.encode("utf-8", "surrogatepass") for fact in facts))


def chain(start: str, messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Hash of each prefix: entry i stands for everything up to the i-th message, after what `start` stands for."""
    hashes = []
    for message in messages:
        start = hash128(start, message_key(message))
        hashes.append(start)
    return hashes


def _content(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list):
        return "".join(_part(part) for part in value)
    return _json(value)


def _part(part: Any) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    return part if isinstance(part, str) else _json(part)


def _call(call: Any) -> tuple[str, str, str]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return "", "", _json(call)
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        with suppress(orjson.JSONDecodeError):
            arguments = orjson.loads(arguments)
    return str(call.get("id") or ""), str(function.get("name")), _json(arguments)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        return canonical_json(value)
