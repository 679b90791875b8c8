"""Calls written out as text, JSON or Python literals, as Hermes, APIGen-MT and Toucan SFT record them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from curate.canonical import parse_json, parse_literal
from curate.readers.messages import tool_call
from curate.trajectory import ToolCall

_NAME = re.compile(r"""["']name["']\s*:\s*["']([^"']+)["']""")


def calls_of_text(text: str) -> list[ToolCall]:
    """The calls that a text writes out: `{"name", "arguments"}`, a list of such, or a Python literal of these.

    What is none of them stays as one call, unparsed, under the name that can be made out.
    """
    try:
        value = parse_json(text)
    except ValueError:
        value = parse_literal(text)
    entries = value if isinstance(value, list) else [value]
    calls = [_call(entry) for entry in entries]
    named = [call for call in calls if call is not None]
    if len(named) == len(calls):
        return named
    name = _NAME.search(text)
    return [ToolCall(id=None, name=name[1] if name else "unknown", arguments=text, args_status="unparsed")]


def _call(entry: Any) -> ToolCall | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        return None
    arguments = entry.get("arguments", entry.get("parameters"))
    if arguments is not None and not isinstance(arguments, (str, Mapping)):
        return None
    call_id = entry.get("id")
    return tool_call(call_id if isinstance(call_id, str) else None, entry["name"], arguments)
