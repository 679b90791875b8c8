"""The record of one episode as it happens: OpenAI chat messages, every call answered by the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from curate.sandbox.world import World

Call = tuple[str, dict[str, Any] | str]
"""A tool's name with its arguments; a text stands for arguments that are not JSON."""


class Transcript:
    """Messages of one episode.

    Args:
        world: what answers the calls.
        system: text of the system message.
        call_prefix: what the ids of this episode's calls start with.
    """

    def __init__(self, world: World, system: dict[str, Any], call_prefix: str) -> None:
        self.world = world
        self.messages: list[dict[str, Any]] = [system]
        self.calls = 0
        self.said: list[str] = []
        self._prefix = call_prefix

    def user(self, text: str) -> None:
        """Add a user turn."""
        self.messages.append({"role": "user", "content": text})

    def say(self, text: str) -> None:
        """Add an assistant turn without a call."""
        self.said.append(text)
        self.messages.append({"role": "assistant", "content": text})

    def call(self, calls: Sequence[Call], text: str | None = None) -> list[str]:
        """Add an assistant turn with calls, and a tool message for each.

        Args:
            calls: the calls of the turn, in order.
            text: what stands beside them.

        Returns:
            The results.
        """
        recorded: list[dict[str, Any]] = []
        answers: list[dict[str, Any]] = []
        results = []
        for tool, arguments in calls:
            call_id = f"{self._prefix}{self.calls:02d}"
            self.calls += 1
            raw = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
            function = {"name": tool, "arguments": raw}
            recorded.append({"id": call_id, "type": "function", "function": function})
            result = self.world.call(tool, None if isinstance(arguments, str) else arguments)
            answers.append({"role": "tool", "tool_call_id": call_id, "name": tool, "content": result})
            results.append(result)
        self.messages.append({"role": "assistant", "content": text, "tool_calls": recorded})
        self.messages += answers
        return results
