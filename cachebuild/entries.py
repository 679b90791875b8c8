"""From trajectories to cache entries: every paired call with its parsed arguments, state and recorded result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from cachebuild.answer import is_unavailable
from cachebuild.key import CallArguments, Place, exact_key, normalised_arguments, normalised_key, read_arguments
from cachebuild.schema import ENTRY
from cachebuild.state import Dependence, SessionState, replay
from curate.canonical import hash128, parse_json
from curate.env import DEFAULT_RULES, EnvRules, ToolKind, tool_kind
from curate.pairing import PairedCall
from curate.trajectory import Message, Trajectory
from curate.turns import result_failed

_MESSAGE = "messages.list.element"
_OWN = (
    "trajectory_id",
    "content_hash",
    "env_id",
    "initial_state_id",
    "task_id",
    "task_group",
    "split",
    "source",
)
CALL_COLUMNS = (
    *_OWN,
    *(f"{_MESSAGE}.{name}" for name in ("role", "content", "tool_call_id", "name", "is_error")),
    *(f"{_MESSAGE}.tool_calls.list.element.{name}" for name in ("id", "name", "arguments")),
    *(f"evidence.list.element.{name}" for name in ("message_index", "call_index")),
)
"""The columns that entries are made of, as paths in a Parquet file: reading costs most, so no other is read."""

ROW_COLUMNS = (*_OWN, "messages", "evidence")
"""The columns of a trajectory that entries are made of."""


@dataclass
class Worlds:
    """What is known of every env of a run: the user's rules, and the tools that the trajectories declare."""

    rules: Mapping[str, EnvRules]
    declared: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    _read: set[str] = field(default_factory=set)
    _kinds: dict[str, dict[str, ToolKind]] = field(default_factory=dict)
    _known: dict[tuple[str, str], tuple[ToolKind, str]] = field(default_factory=dict)

    def of(self, env_id: str) -> EnvRules:
        """The rules of an env."""
        return self.rules.get(env_id, DEFAULT_RULES)

    def declare(self, env_id: str, tools: str | None) -> None:
        """Take in a trajectory's tool schemas with their MCP annotations; the first hints on a tool stand."""
        seen = hash128(env_id, tools or "")
        if not tools or seen in self._read:
            return
        self._read.add(seen)
        self._kinds.pop(env_id, None)
        self._known.clear()
        try:
            schemas = parse_json(tools)
        except ValueError:
            return
        known = self.declared.setdefault(env_id, {})
        for schema in schemas if isinstance(schemas, list) else []:
            function = schema.get("function", schema) if isinstance(schema, dict) else None
            if not isinstance(schema, dict) or not isinstance(function, dict):
                continue
            hints = function.get("annotations") or schema.get("annotations")
            name = function.get("name")
            if isinstance(name, str):
                known[name] = known.get(name) or (hints if isinstance(hints, dict) else {})

    def kind(self, env_id: str, tool: str) -> tuple[ToolKind, str]:
        """(kind, evidence) of a tool."""
        found = self._known.get((env_id, tool))
        if found is None:
            found = tool_kind(tool, self.of(env_id), self.declared.get(env_id, {}).get(tool))
            self._known[env_id, tool] = found
        return found

    def state(self, env_id: str) -> SessionState:
        """The state at the start of an episode."""
        if env_id not in self._kinds:
            self._kinds[env_id] = {tool: self.kind(env_id, tool)[0] for tool in self.declared.get(env_id, {})}
        return SessionState(self.of(env_id), self._kinds[env_id])


Entry: TypeAlias = tuple[Any, ...]
"""The values of one entry in the order of schema `ENTRY`; a million of them as mappings would cost twice the time."""


class RecordedCall(NamedTuple):
    """One answered call of a trajectory as a session would have met it.

    Attributes:
        pair: the call and where its result stands.
        arguments: as they were read.
        result: the message.
        dependence: what the call depends on as far as a session knows before it has the result.
        behind: the same with the writes that the result lists.
    """

    pair: PairedCall
    arguments: CallArguments
    result: Message
    dependence: Dependence
    behind: Dependence


def recorded_calls(row: Trajectory, state: SessionState, left_out: Counter[str]) -> Iterator[RecordedCall]:
    """The calls of a trajectory whose results can be cached; `state` goes along, the others are counted by reason."""
    from_cache = {(step["message_index"], step["call_index"]) for step in row["evidence"] or ()}
    messages = row["messages"] or []
    for turn in replay(state, messages):
        for pair in turn:
            arguments = read_arguments(pair.call["arguments"])
            result = None if pair.result_index is None else messages[pair.result_index]
            dependence = state.dependence(pair.call["name"], arguments)
            behind = dependence if result is None else dependence.given(result["content"] or "")
            reason = None
            if result is None:
                reason = "unanswered"
            elif arguments.values is None:
                reason = "unparsed_arguments"
            elif result["content"] is None:
                reason = "null_result"
            elif (pair.message_index, pair.call_index) in from_cache or is_unavailable(result["content"]):
                reason = "answered_by_a_cache"
            elif behind.doubtful:
                reason = "after_a_write_of_unknown_outcome"
            if reason is not None or result is None:
                left_out[reason or ""] += 1
            else:
                yield RecordedCall(pair, arguments, result, dependence, behind)


def entries(row: Trajectory, worlds: Worlds, left_out: Counter[str]) -> Iterator[Entry]:
    """The entries of a trajectory, with keys of env scope."""
    env_id, rules = row["env_id"], worlds.of(row["env_id"])
    place = Place(env_id, row["initial_state_id"], "")
    for call in recorded_calls(row, worlds.state(env_id), left_out):
        tool, result = call.pair.call["name"], call.result["content"] or ""
        normalised = normalised_arguments(call.arguments.values or {})
        digest = call.behind.digest
        yield (
            row["trajectory_id"],
            row["content_hash"],
            call.pair.message_index,
            call.pair.call_index,
            call.pair.result_index,
            env_id,
            row["initial_state_id"],
            row["task_id"],
            row["task_group"],
            row["split"],
            row["source"],
            tool,
            worlds.kind(env_id, tool)[0],
            "env",
            "",
            call.arguments.recorded,
            call.arguments.status,
            call.arguments.canonical,
            normalised,
            call.behind.state,
            digest,
            exact_key(place, tool, call.arguments.canonical, digest),
            normalised_key(place, tool, normalised, digest),
            result,
            hash128(result),
            not result_failed(call.result, rules),
        )


def entry_table(rows: Iterable[Entry]) -> pa.Table:
    """Entries as a table of schema `ENTRY`."""
    columns = list(zip(*rows, strict=True)) or [()] * len(ENTRY)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, ENTRY, strict=True)]
    return pa.Table.from_arrays(arrays, schema=ENTRY)
