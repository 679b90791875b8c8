"""Tool schemas where the source has none: what all calls of an env say about each tool's arguments, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.canonical import parse_arguments
from curate.trajectory import Trajectory

MAX_PROPERTIES = 64
"""An object with more distinct keys is a mapping, not a record; its keys are not listed."""
MIN_CALLS = 20
REQUIRED_SHARE = 0.95
RARE_TYPE_SHARE = 0.01


@dataclass
class Shape:
    """What values of one field looked like; counts of JSON types, and the same for properties and items."""

    types: Counter[str] = field(default_factory=Counter)
    properties: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None

    @property
    def count(self) -> int:
        """Values seen."""
        return self.types.total()

    def seen(self, kind: str) -> int:
        """Values that a value of this type is like; an integer is a number too."""
        return self.types[kind] + (self.types["number"] if kind == "integer" else 0)

    def add(self, value: Any) -> None:
        """Take one value into account."""
        kind = json_type(value)
        self.types[kind] += 1
        if kind == "object":
            for key, item in value.items():
                if key in self.properties or len(self.properties) <= MAX_PROPERTIES:
                    self.properties.setdefault(key, Shape()).add(item)
        elif kind == "array":
            self.items = self.items or Shape()
            for item in value:
                self.items.add(item)

    def merge(self, other: Shape) -> None:
        """Take in what another shape has seen."""
        self.types.update(other.types)
        for key, shape in other.properties.items():
            if key in self.properties or len(self.properties) <= MAX_PROPERTIES:
                self.properties.setdefault(key, Shape()).merge(shape)
        if other.items is not None:
            self.items = self.items or Shape()
            self.items.merge(other.items)

    def schema(self) -> dict[str, Any]:
        """JSON Schema of what was seen; types in less than 1 % of the values are left out as slips."""
        usual = {kind for kind, seen in self.types.items() if seen >= RARE_TYPE_SHARE * self.count}
        if "number" in usual:
            usual.discard("integer")
        kinds = sorted(usual)
        schema: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}
        if "object" in usual and len(self.properties) <= MAX_PROPERTIES:
            schema["properties"] = {key: self.properties[key].schema() for key in sorted(self.properties)}
            schema["required"] = self.required()
        if "array" in usual and self.items is not None and self.items.count:
            schema["items"] = self.items.schema()
        return schema

    def required(self) -> list[str]:
        """Keys in >= 95 % of the objects."""
        objects = self.types["object"]
        return sorted(key for key, shape in self.properties.items() if shape.count >= REQUIRED_SHARE * objects)


@dataclass
class ToolEvidence:
    """All calls of one tool in one env."""

    arguments: Shape = field(default_factory=Shape)

    def schema(self, name: str) -> dict[str, Any]:
        """The tool as an OpenAI function schema, its origin said in the description."""
        calls = self.arguments.count
        parameters = self.arguments.schema()
        parameters.setdefault("properties", {})
        parameters["type"] = "object"
        return {
            "type": "function",
            "function": {
                "name": name,
                "description": f"Inferred from {calls} recorded call{'s' if calls != 1 else ''}.",
                "parameters": parameters,
            },
        }

    def violation(self, arguments: Mapping[str, Any]) -> str | None:
        """What makes a call unlike the others: a usual key missing, or a type seen in < 1 %; None if nothing."""
        if self.arguments.count < MIN_CALLS:
            return None
        for key in self.arguments.required():
            if key not in arguments:
                return f"{key} is missing, {REQUIRED_SHARE:.0%} of the calls have it"
        for key, value in arguments.items():
            shape = self.arguments.properties.get(key)
            kind = json_type(value)
            if shape is not None and shape.seen(kind) < RARE_TYPE_SHARE * shape.count:
                return f"{key} is {kind}, which less than {RARE_TYPE_SHARE:.0%} of the calls have"
        return None


EnvTools = dict[str, dict[str, ToolEvidence]]
"""env_id -> tool -> evidence."""


def gather(rows: Iterable[Trajectory]) -> EnvTools:
    """The evidence of all calls in rows without recorded tools, per env over the whole input."""
    found: EnvTools = {}
    for row in rows:
        if row["tools"]:
            continue
        tools = found.setdefault(row["env_id"], {})
        for message in row["messages"]:
            if message["requestor"] == "user":  # what the user may call is not the agent's to know
                continue
            for call in message["tool_calls"]:
                evidence = tools.setdefault(call["name"], ToolEvidence())
                arguments, _ = parse_arguments(call["arguments"])
                if arguments is not None:
                    evidence.arguments.add(arguments)
    return found


def merged(parts: Iterable[EnvTools]) -> EnvTools:
    """The evidence of several parts of an input together, in their order."""
    whole: EnvTools = {}
    for part in parts:
        for env_id, tools in part.items():
            known = whole.setdefault(env_id, {})
            for name, evidence in tools.items():
                known.setdefault(name, ToolEvidence()).arguments.merge(evidence.arguments)
    return whole


def schemas(tools: Mapping[str, ToolEvidence]) -> list[dict[str, Any]]:
    """The schemas of one env's tools, by name."""
    return [tools[name].schema(name) for name in sorted(tools)]


def json_type(value: Any) -> str:
    """JSON Schema's name of a parsed value's type; 2.0 is an integer there, as in our canonical form."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
