"""Where the values of a call's arguments came from, told up to the turn that is read and no further than needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from app.reading.turns import ReadCall, Step, step_numbers
from curate.canonical import parse_json
from curate.trajectory import Trajectory
from synth.provenance import Source, SourceKind, ValueIndex
from synth.value_forms import Path
from synth.value_places import read_arguments

MAX_VALUES = 60
"""Values of one call that are told one by one."""

_SPEAKERS: Mapping[str, SourceKind] = {"user": "user", "assistant": "assistant"}
_SAID = {
    "user": "the user",
    "assistant": "the assistant",
    "system": "the system prompt",
    "constant": "a constant",
    "composed": "composed of what was known",
    "nothing": "nothing before",
}


@dataclass(frozen=True)
class ArgumentValue:
    """One value of a call's arguments and where it stood before.

    Attributes:
        path: where in the arguments: `flights[0].date`.
        value: as parsed.
        origin: in words: `the user`, `result of get_user, field address.city`; tool and field are untrusted text.
        kind: of the source: user, result, assistant, system, call, constant, composed, nothing.
        message_index: the message that holds it, None for a constant, a composed text or nothing.
        step: number of the step that shows that message.
    """

    path: str
    value: Any
    origin: str
    kind: str
    message_index: int | None
    step: int | None


class ValueSources:
    """The values of one trajectory; messages are read as far as the turns that were asked for."""

    def __init__(self, row: Trajectory, steps: Sequence[Step]) -> None:
        self._numbers = step_numbers(steps)
        self._messages = row["messages"] or []
        self._schemas = _schemas(row["tools"])
        self._tools = {call.result_index: call.call["name"] for step in steps for call in step.calls}
        self._calls = {step.index: step.calls for step in steps if step.calls}
        self._index = ValueIndex()
        self._told = 0
        self._found: dict[tuple[int, int], list[ArgumentValue]] = {}
        self._lock = Lock()

    def of(self, call: ReadCall) -> list[ArgumentValue]:
        """The values of a call's arguments; none where they cannot be parsed."""
        with self._lock:
            while self._told <= call.message_index:
                self._tell(self._told)
                self._told += 1
        return self._found[call.message_index, call.call_index]

    def _tell(self, at: int) -> None:
        """Trace the calls of a message, then let its values be known: a value is traced only to what came before."""
        message = self._messages[at]
        text = message["content"] or ""
        for call in self._calls.get(at, ()):
            self._found[at, call.call_index] = self._traced(call)
        if message["role"] == "tool":
            self._index.add_result(at, self._tools.get(at, message["name"]), text)
        elif text:
            self._index.add_text(_SPEAKERS.get(message["role"], "system"), at, text)
        for call in self._calls.get(at, ()):
            arguments, places = read_arguments(call.call["arguments"])
            self._index.add_call(at, call.call["name"], arguments, places)

    def _traced(self, call: ReadCall) -> list[ArgumentValue]:
        arguments = read_arguments(call.call["arguments"]).value
        if not isinstance(arguments, dict):
            return []
        traces = self._index.trace_arguments(arguments, self._schemas.get(call.call["name"]))
        return [self._told_value(trace.path, trace.value, trace.source) for trace in traces[:MAX_VALUES]]

    def _told_value(self, path: Path, value: Any, source: Source) -> ArgumentValue:
        at = source.message_index if source.message_index >= 0 else None
        return ArgumentValue(
            written(path), value, origin(source), source.kind, at, None if at is None else self._numbers.get(at)
        )


def origin(source: Source) -> str:
    """A source in words."""
    if source.kind in ("result", "call"):
        place = f", field {written(source.path)}" if source.path else ""
        held = "result of" if source.kind == "result" else "an earlier call of"
        return f"{held} {source.tool or 'a tool'}{place}"
    return _SAID[source.kind]


def written(path: Path) -> str:
    """A path as people write it: `flights[0].date`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _schemas(tools: str | None) -> dict[str, dict[str, Any]]:
    try:
        listed = parse_json(tools) if tools else []
    except ValueError:
        return {}
    schemas: dict[str, dict[str, Any]] = {}
    for tool in listed if isinstance(listed, list) else []:
        inner: Any = tool.get("function", tool) if isinstance(tool, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("name"), str) and isinstance(inner.get("parameters"), dict):
            schemas[inner["name"]] = inner["parameters"]
    return schemas
