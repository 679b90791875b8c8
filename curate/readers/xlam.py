"""xLAM function calling (APIGen): one query, the tools on offer and the right calls; nothing is executed.

The multi-turn set of the same makers, APIGen-MT, is ShareGPT (see `sharegpt.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from curate.errors import RecordError
from curate.readers.messages import message, objects, tool_call
from curate.readers.raw import RawTrajectory, json_column, read_tools, take_facts

_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "dict": "object",
}
_WORD = re.compile(r"\w+")


class XLAM:
    """Records of `{"query": ..., "tools": ..., "answers": [{"name", "arguments"}]}`; lists may be JSON texts."""

    name = "xlam"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure by its three fields."""
        return 0.95 if {"query", "tools", "answers"} <= record.keys() else 0.0

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one record as a user message and a turn of calls; the types of parameters become JSON Schema's."""
        query = record.get("query")
        if not isinstance(query, str):
            raise RecordError("wrong_type", f"query is {type(query).__name__}, not a text")
        turn = message("assistant")
        for index, answer in enumerate(objects(json_column(record, "answers", list), "answers")):
            name, arguments = answer.get("name"), answer.get("arguments")
            if not isinstance(name, str) or not isinstance(arguments, (Mapping, str, type(None))):
                raise RecordError("wrong_type", f"answers[{index}] has no name, or arguments that are no object")
            turn["tool_calls"].append(tool_call(None, name, arguments))
        raw = RawTrajectory(messages=[message("user", query), turn])
        tools = json_column(record, "tools", list)
        raw.tools = read_tools([_schema(tool) for tool in tools] if isinstance(tools, list) else tools)
        return take_facts(record, raw, {"query", "answers", "tools"})


def _schema(tool: Any) -> Any:
    """A tool whose parameters are `name -> {type, description, default}` with Python's names of types."""
    parameters = tool.get("parameters") if isinstance(tool, Mapping) else None
    if not isinstance(parameters, Mapping) or not all(isinstance(item, Mapping) for item in parameters.values()):
        return tool
    required = [name for name, item in parameters.items() if "default" not in item and not _optional(item)]
    properties = {name: _property(item) for name, item in parameters.items()}
    return {**tool, "parameters": {"type": "object", "properties": properties, "required": required}}


def _optional(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("type"), str) and "optional" in item["type"].lower()


def _property(item: Mapping[str, Any]) -> dict[str, Any]:
    """One parameter; a type that JSON Schema has no word for stands under `x-type`."""
    given = item.get("type")
    words = [word for word in _WORD.findall(given.lower()) if word != "optional"] if isinstance(given, str) else []
    rest = {key: value for key, value in item.items() if key != "type"}
    known = _TYPES.get(words[0]) if words else None
    if known is None and words and words[0] in _TYPES.values():
        known = words[0]
    if known is None:
        return {**rest, "x-type": given} if given is not None else rest
    return {"type": known, **rest}
