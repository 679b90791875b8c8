"""A trajectory as steps: a message with the results of its calls; what a step is known by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from curate.canonical import canonical_json, parse_arguments
from curate.trajectory import Message, ToolCall


@dataclass(frozen=True)
class Step:
    """One message that is no tool result, and the results behind it.

    Attributes:
        at: message index of the first.
        message: what was said or called.
        results: of its calls.
    """

    at: int
    message: Message
    results: tuple[Message, ...]

    @cached_property
    def signature(self) -> tuple[str, ...]:
        """Equal for the same user turn, the same calls, the same answer; thinking aside."""
        calls = tuple(called(call) for call in self.message["tool_calls"])
        text = " ".join((self.message["content"] or "").split())
        return (self.role, *calls) if calls else (self.role, "", text)

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools it calls."""
        return tuple(call["name"] for call in self.message["tool_calls"])

    @property
    def role(self) -> str:
        """Who spoke."""
        return self.message["role"]


def called(call: ToolCall) -> str:
    """A call in one text: equal for equal tools and arguments, however they are spelled."""
    values, _ = parse_arguments(call["arguments"])
    try:
        told = call["arguments"] if values is None else canonical_json(values)
    except (ValueError, RecursionError):
        told = call["arguments"]
    return f"{call['name']}({told})"


def steps(messages: Sequence[Message], first: int = 0) -> list[Step]:
    """The steps of a trajectory from one message on; results before the first of them are a step of their own."""
    found: list[tuple[int, Message, list[Message]]] = []
    for at, message in enumerate(messages[first:], first):
        if message["role"] == "tool" and found:
            found[-1][2].append(message)
        else:
            found.append((at, message, []))
    return [Step(at, message, tuple(results)) for at, message, results in found]
