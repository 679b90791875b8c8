"""A trajectory as a person reads it: what the user says, and assistant turns with their thinking, calls and results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from curate.pairing import PairedCall, pair_calls
from curate.trajectory import Evidence, Message, Thinking, ToolCall, Trajectory
from curate.turns import TurnKind, result_failed, turn_kind

WINDOW = 20
"""Steps that are drawn at once: Streamlit draws 30 in 2 seconds on two cores."""


@dataclass(frozen=True)
class ReadCall:
    """One call with the result that answers it.

    Attributes:
        message_index: of the assistant's message.
        call_index: its place among that message's calls.
        call: as recorded.
        result_index: the message with its result, None if it has none.
        result: that message.
        paired_by: `id`, `order`, or None without a result.
        failed: whether the result reports a failure.
        evidence: what the result rested on, in rollouts.
    """

    message_index: int
    call_index: int
    call: ToolCall
    result_index: int | None
    result: Message | None
    paired_by: str | None
    failed: bool
    evidence: Evidence | None


@dataclass(frozen=True)
class Step:
    """One message with all that belongs to it; a result that answers no call is a turn of its own.

    Attributes:
        number: counted from 0.
        index: of its message in the trajectory.
        message: as recorded.
        kind: of assistant turns, else None.
        thinking: the entries about its thought.
        calls: its calls, each with its result.
        last_index: the last message that belongs to it.
    """

    number: int
    index: int
    message: Message
    kind: TurnKind | None
    thinking: tuple[Thinking, ...]
    calls: tuple[ReadCall, ...]
    last_index: int

    @property
    def role(self) -> str:
        """The role of its message."""
        return self.message["role"]

    @property
    def flags(self) -> tuple[str, ...]:
        """The checks that its thinking failed, each once."""
        return tuple(dict.fromkeys(code for entry in self.thinking for code in entry["checks_failed"] or ()))


def steps_of(row: Trajectory) -> list[Step]:
    """The turns of a trajectory in their order; a reject without messages has none."""
    messages = row["messages"] or []
    pairs = pair_calls(messages)
    by_turn: defaultdict[int, list[PairedCall]] = defaultdict(list)
    for pair in pairs:
        by_turn[pair.message_index].append(pair)
    answers = {pair.result_index for pair in pairs}
    thinking: defaultdict[int, list[Thinking]] = defaultdict(list)
    for entry in row["thinking"] or []:
        thinking[entry["message_index"]].append(entry)
    evidence = {(entry["message_index"], entry["call_index"]): entry for entry in row["evidence"] or []}
    steps: list[Step] = []
    for index, message in enumerate(messages):
        if index in answers:
            continue
        calls = tuple(_read_call(pair, messages, evidence) for pair in by_turn[index])
        kind = turn_kind(message) if message["role"] == "assistant" else None
        last = max([index, *(call.result_index for call in calls if call.result_index is not None)])
        steps.append(Step(len(steps), index, message, kind, tuple(thinking[index]), calls, last))
    return steps


def _read_call(pair: PairedCall, messages: Sequence[Message], evidence: dict[tuple[int, int], Evidence]) -> ReadCall:
    result = None if pair.result_index is None else messages[pair.result_index]
    failed = result is not None and result_failed(result)
    told = evidence.get((pair.message_index, pair.call_index))
    return ReadCall(pair.message_index, pair.call_index, pair.call, pair.result_index, result, pair.by, failed, told)


def step_numbers(steps: Sequence[Step]) -> dict[int, int]:
    """Message index -> the turn it belongs to; a result's is that of its call."""
    own = {step.index: step.number for step in steps}
    answers = {call.result_index: step.number for step in steps for call in step.calls if call.result_index is not None}
    return own | answers


def step_at(steps: Sequence[Step], message_index: int) -> int:
    """The number of the step that shows a message; the nearest before it where none does."""
    numbers = step_numbers(steps)
    known = [index for index in numbers if index <= message_index]
    return numbers[max(known)] if known else 0


def window_around(step: int, total: int, size: int = WINDOW) -> range:
    """The turns that are drawn with this one: windows stand side by side, so going on changes little."""
    start = min(max(step, 0), max(total - 1, 0)) // size * size
    return range(start, min(start + size, total))
