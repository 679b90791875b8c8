"""What a tool is: its name, kind and fields; one description gives both the OpenAI schema and the argument check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from curate.sandbox.world import World

ToolKind = Literal["read", "write", "pure", "volatile", "failing", "terminal"]
FieldType = Literal["string", "number", "array"]


class ToolFailure(Exception):
    """A call that the world refuses; its text becomes the `Error: ...` result."""


@dataclass(frozen=True, slots=True)
class Field:
    """One argument of a tool.

    Args:
        description: what the schema says about it.
        type: JSON type; `array` means a non-empty list of strings.
        required: whether a call without it fails.
        enum: the only values allowed, empty for any.
    """

    description: str
    type: FieldType = "string"
    required: bool = True
    enum: tuple[str, ...] = ()

    def problem(self, value: object) -> str | None:
        """Say what is wrong with a value, None if nothing is."""
        if self.type == "string":
            if not isinstance(value, str):
                return "must be a string"
            if self.enum and value not in self.enum:
                return f"must be one of {', '.join(self.enum)}"
            return None
        if self.type == "number":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return None if is_number else "must be a number"
        if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
            return "must be a non-empty list of strings"
        return None

    def schema(self) -> dict[str, Any]:
        """The field as JSON schema."""
        schema: dict[str, Any] = {"type": self.type, "description": self.description}
        if self.enum:
            schema["enum"] = list(self.enum)
        if self.type == "array":
            schema["items"] = {"type": "string"}
        return schema


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what the schema tells an agent, and the handler that answers a valid call.

    Args:
        name: the function's name.
        kind: what calls do to the world; the ground truth for whoever classifies tools.
        description: what the schema says.
        fields: its arguments by name.
        handler: called as `handler(world, **arguments)`; returns what is dumped as JSON, or a plain text.
    """

    name: str
    kind: ToolKind
    description: str
    fields: Mapping[str, Field]
    handler: Callable[..., object]
    required: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        required = tuple(name for name, each in self.fields.items() if each.required)
        object.__setattr__(self, "required", required)

    def problem(self, arguments: Mapping[str, object] | None) -> str | None:
        """Say what is wrong with the arguments of a call, None if nothing is."""
        if not isinstance(arguments, dict):
            return f"the arguments of {self.name} are not a JSON object"
        for name in self.required:
            if name not in arguments:
                return f"{self.name} needs the argument {name}"
        for name, value in arguments.items():
            known = self.fields.get(name)
            if known is None:
                return f"{self.name} has no argument {name}"
            problem = known.problem(value)
            if problem:
                return f"argument {name} of {self.name} {problem}"
        return None

    def schema(self) -> dict[str, Any]:
        """The tool as an OpenAI function schema."""
        parameters = {
            "type": "object",
            "properties": {name: each.schema() for name, each in self.fields.items()},
            "required": list(self.required),
            "additionalProperties": False,
        }
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Preset:
    """Everything that makes one kind of world.

    Args:
        name: `full` or `mini`.
        env_id: the name that recorded trajectories carry.
        tables: columns of every table, the primary key first.
        indexes: (table, column) pairs that are looked up often.
        unjudged: columns that two equal end states may differ in.
        tools: the tools by name.
        build: makes the rows of a start state from its seed.
        prepare: runs once on a new world, for what handlers keep beside the tables.
    """

    name: str
    env_id: str
    tables: Mapping[str, tuple[str, ...]]
    indexes: tuple[tuple[str, str], ...]
    unjudged: frozenset[str]
    tools: Mapping[str, Tool]
    build: Callable[[int], dict[str, list[tuple[Any, ...]]]]
    prepare: Callable[[World], None] | None = None
