"""The tools of a trajectory, a line each: name, parameters, first sentence of the description."""

from __future__ import annotations

import re
from typing import Any

from curate.canonical import parse_json
from synth.prompts.dialogue import guarded, name_text

DESCRIPTION_CHARS = 240
MAX_PARAMETERS = 40
MAX_VALUES = 12
"""Values of an enumeration that are shown."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|\n")
_BLANKS = re.compile(r"\s+")


def tool_list(tools: str, max_chars: int) -> str:
    """The lines of all tools, as many as fit; "" if there are none or the text is no list.

    Args:
        tools: the row's tools, as JSON text.
        max_chars: the rest is left out, and counted.
    """
    lines: list[str] = []
    used = 0
    listed = _parsed(tools)
    for at, tool in enumerate(listed):
        line = _tool_line(tool)
        used += len(line) + 1
        if used > max_chars:
            lines.append(f"... {len(listed) - at:,} more tools ...")
            break
        lines.append(line)
    return "\n".join(lines)


def _parsed(tools: str) -> list[dict[str, Any]]:
    try:
        listed = parse_json(tools)
    except (ValueError, RecursionError):
        return []
    listed = listed if isinstance(listed, list) else []
    functions = (tool.get("function", tool) for tool in listed if isinstance(tool, dict))
    return [tool for tool in functions if isinstance(tool, dict) and isinstance(tool.get("name"), str)]


def _tool_line(tool: dict[str, Any]) -> str:
    """One tool, as in "- book(user_id: string, cabin: economy|business, note?: string): Book a flight."."""
    schema = tool.get("parameters") or tool.get("input_schema")
    line = f"- {name_text(tool['name'])}({_parameters(schema if isinstance(schema, dict) else {})})"
    said = _first_sentence(tool.get("description"))
    return f"{line}: {said}" if said else line


def _parameters(schema: dict[str, Any]) -> str:
    properties = schema.get("properties")
    fields = list(properties.items()) if isinstance(properties, dict) else []
    required = schema.get("required")
    needed = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    shown = [f"{name_text(name)}{'' if name in needed else '?'}: {_type(form)}" for name, form in fields]
    return ", ".join(shown[:MAX_PARAMETERS] + (["..."] if len(shown) > MAX_PARAMETERS else []))


def _type(form: Any) -> str:
    if not isinstance(form, dict):
        return "any"
    values = form.get("enum")
    if isinstance(values, list) and values:
        shown = [name_text(str(value)) for value in values[:MAX_VALUES]]
        return "|".join(shown + (["..."] if len(values) > MAX_VALUES else []))
    kind = form.get("type")
    if isinstance(kind, list):
        return "|".join(name_text(str(each)) for each in kind[:MAX_VALUES])
    return name_text(kind) if isinstance(kind, str) else "any"


def _first_sentence(description: Any) -> str:
    if not isinstance(description, str):
        return ""
    sentence = _SENTENCE_END.split(description.strip()[: 4 * DESCRIPTION_CHARS], maxsplit=1)[0]
    plain = _BLANKS.sub(" ", guarded(sentence)).strip()
    return plain if len(plain) <= DESCRIPTION_CHARS else plain[:DESCRIPTION_CHARS] + "..."
