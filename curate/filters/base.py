"""What a predicate is given: the row seen once for all predicates, and what is known beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

from curate.canonical import parse_arguments, parse_json
from curate.env import DEFAULT_RULES, EnvRules
from curate.filters.settings import FilterSettings
from curate.findings import Finding
from curate.pairing import PairedCall, pair_calls
from curate.secrets import find_secrets, may_hold_secrets
from curate.tool_schemas import EnvTools
from curate.trajectory import ToolCall, Trajectory
from curate.turns import Ending, ending

SHARED_CHARS = 100_000
"""System messages and tools up to this length are searched once for all rows that share them."""


@dataclass(frozen=True)
class Context:
    """What predicates need beside the row: thresholds, what is known of the envs, and the evidence on their tools."""

    settings: FilterSettings = field(default_factory=FilterSettings)
    rules: Mapping[str, EnvRules] = field(default_factory=dict)
    tools: EnvTools = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """One row as the predicates see it; what several of them need is worked out when the first one asks."""

    row: Trajectory
    pairs: list[PairedCall]
    rules: EnvRules

    @cached_property
    def ending(self) -> Ending:
        """How the trajectory ends."""
        return ending(self.row["messages"], self.rules, self.pairs)

    @cached_property
    def arguments(self) -> list[dict[str, Any] | None]:
        """The parsed arguments of each pair's call, None where they are unparsed."""
        return [_parsed(pair.call) for pair in self.pairs]

    @cached_property
    def spoken(self) -> list[tuple[int, str]]:
        """(message index, visible text) of the assistant turns that say something."""
        messages = enumerate(self.row["messages"])
        return [
            (at, message["content"])
            for at, message in messages
            if message["role"] == "assistant" and message["content"]
        ]

    @cached_property
    def spoken_text(self) -> str:
        """All that the assistant said, lower case, in one text: a word it lacks need not be sought turn by turn."""
        return "\n".join(text for _, text in self.spoken).lower()

    @cached_property
    def texts(self) -> list[tuple[str | int, str, bool]]:
        """(place, text, whether rows are likely to share it) of all texts; a number is a message."""
        row = self.row
        texts: list[tuple[str | int, str, bool]] = [("tools", row["tools"], True), ("metadata", row["metadata"], False)]
        for index, message in enumerate(row["messages"]):
            shared = message["role"] in ("system", "developer")
            for text in (message["content"], message["content_json"], message["reasoning_content"]):
                if text:
                    texts.append((index, text, shared))
            texts += [(index, call["arguments"], False) for call in message["tool_calls"]]
        return texts

    @cached_property
    def own_text(self) -> str:
        """The texts that are this row's own, as one to be searched once; what is sought never spans two of them."""
        return "\n\0\n".join([text for _, text, shared in self.texts if not shared])

    @cached_property
    def secrets(self) -> list[tuple[str | int, Finding]]:
        """(place, finding) of the real-looking secrets."""
        unclear = may_hold_secrets(self.own_text)
        return [
            (place, finding)
            for place, text, shared in self.texts
            if shared or unclear
            for finding in (_shared_secrets(text) if shared else find_secrets(text))
        ]

    def by_assistant(self, pair: PairedCall) -> bool:
        """Whether the agent made the call; the user may call tools too."""
        return self.row["messages"][pair.message_index]["role"] == "assistant"


def _parsed(call: ToolCall) -> dict[str, Any] | None:
    """The arguments; what the reader found to be JSON is not doubted again, which saves half of the time."""
    if call["args_status"] == "json":
        try:
            value = parse_json(call["arguments"])
        except ValueError:
            return None
        return value if isinstance(value, dict) else None
    return parse_arguments(call["arguments"])[0]


Predicate: TypeAlias = Callable[[View, Context], str | None]
"""What it found wrong, in words for the reject's detail; None if the row is fine."""


def _shared_secrets(text: str) -> list[Finding]:
    return _secrets_of_shared(text) if len(text) <= SHARED_CHARS else find_secrets(text)


_secrets_of_shared = lru_cache(maxsize=256)(find_secrets)


def view_of(row: Trajectory, rules: Mapping[str, EnvRules]) -> View:
    """The row as predicates see it."""
    return View(row, pair_calls(row["messages"]), rules.get(row["env_id"], DEFAULT_RULES))
