"""A trajectory as a person reads it: a step a message, each call with its result and its evidence beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curate.pairing import PairedCall, pair_calls
from curate.trajectory import Evidence, Message, Thinking, ToolCall, Trajectory
from curate.turns import TurnKind, result_failed, turn_kind


@dataclass(frozen=True)
class ReadCall:
    """A call, what answered it, and what a cache said of the answer."""

    message_index: int
    call_index: int
    call: ToolCall
    result_index: int | None
    result: Message | None
    failed: bool
    evidence: Evidence | None


@dataclass(frozen=True)
class Step:
    """A message that is no result of a call above it; `index` is its number in the trajectory."""

    index: int
    message: Message
    kind: TurnKind | None
    thinking: Thinking | None
    calls: tuple[ReadCall, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """The checks that its thinking failed."""
        return tuple(self.thinking["checks_failed"] or ()) if self.thinking else ()


def steps_of(row: Trajectory) -> list[Step]:
    """The steps of a trajectory in their order; a result that no call asked for is a step of its own."""
    messages = row["messages"] or []
    pairs = pair_calls(messages)
    results = {pair.result_index for pair in pairs if pair.result_index is not None}
    evidence = {(each["message_index"], each["call_index"]): each for each in row["evidence"] or []}
    thinking = {each["message_index"]: each for each in row["thinking"] or []}
    calls: dict[int, list[ReadCall]] = {}
    for pair in pairs:
        told = evidence.get((pair.message_index, pair.call_index))
        calls.setdefault(pair.message_index, []).append(_read_call(pair, messages, told))
    return [
        Step(
            index,
            message,
            turn_kind(message) if message["role"] == "assistant" else None,
            thinking.get(index),
            tuple(calls.get(index, ())),
        )
        for index, message in enumerate(messages)
        if index not in results
    ]


def _read_call(pair: PairedCall, messages: Sequence[Message], evidence: Evidence | None) -> ReadCall:
    result = None if pair.result_index is None else messages[pair.result_index]
    failed = result is not None and result_failed(result)
    return ReadCall(pair.message_index, pair.call_index, pair.call, pair.result_index, result, failed, evidence)


def step_at(steps: Sequence[Step], message_index: int) -> int:
    """The number of the step that shows a message, a result too."""
    for number, step in enumerate(steps):
        shown = {step.index, *(call.result_index for call in step.calls)}
        if message_index in shown:
            return number
    return max((number for number, step in enumerate(steps) if step.index <= message_index), default=0)


def texts_of(step: Step) -> list[str]:
    """All that a step shows: text, thinking, arguments, results."""
    said = [step.message["content"], step.message["reasoning_content"]]
    for call in step.calls:
        said += [call.call["name"], call.call["arguments"], call.result["content"] if call.result else None]
    return [text for text in said if text]


def steps_with(steps: Sequence[Step], text: str) -> list[int]:
    """Numbers of the steps that hold a text, letters' case aside."""
    wanted = text.lower()
    return [number for number, step in enumerate(steps) if any(wanted in said.lower() for said in texts_of(step))]
