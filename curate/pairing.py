"""Which tool result answers which call: by id, else in order within the turn; one code for every room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from curate.trajectory import Message, ToolCall


class PairedCall(NamedTuple):
    """One call and where it stands; `result_index` is the message that answers it, None if none does."""

    message_index: int
    call_index: int
    call: ToolCall
    result_index: int | None
    by: str | None  # "id", "order", or None without a result


def pair_calls(messages: Sequence[Message]) -> list[PairedCall]:
    """Pair every call of a trajectory with its result.

    A result with an id answers the latest unanswered call of that id, so ids that start anew each turn are safe. A
    result without an id answers the first unanswered call of the latest turn, of the same tool if it names one.

    Returns:
        One entry a call, in the order of the calls.
    """
    open_turns: list[list[tuple[int, int, ToolCall]]] = []
    results: dict[tuple[int, int], tuple[int, str]] = {}
    for index, message in enumerate(messages):
        if message["tool_calls"]:
            open_turns.append([(index, position, call) for position, call in enumerate(message["tool_calls"])])
        if message["role"] == "tool" and open_turns:
            found = _answered(message, open_turns)
            if found is not None:
                place, by = found
                results[place] = (index, by)
    return [
        PairedCall(index, position, call, *results.get((index, position), (None, None)))
        for index, message in enumerate(messages)
        for position, call in enumerate(message["tool_calls"])
    ]


def _answered(result: Message, open_turns: list[list[tuple[int, int, ToolCall]]]) -> tuple[tuple[int, int], str] | None:
    """The place of the call that `result` answers; that call is taken out of `open_turns`."""
    if result["tool_call_id"] is not None:
        for turn in reversed(open_turns):
            for entry in turn:
                if entry[2]["id"] == result["tool_call_id"]:
                    turn.remove(entry)
                    return entry[:2], "id"
    name = result["name"]
    for entry in open_turns[-1]:
        without_id = result["tool_call_id"] is None or entry[2]["id"] is None
        if without_id and (name is None or name == entry[2]["name"]):
            open_turns[-1].remove(entry)
            return entry[:2], "order"
    return None


def mark_pairs(messages: Sequence[Message]) -> list[PairedCall]:
    """Pair the calls and write `pair_status` into the messages: id / order / unpaired, complete / missing."""
    pairs = pair_calls(messages)
    status: dict[int, str] = {}
    for pair in pairs:
        if pair.result_index is not None and pair.by is not None:
            status[pair.result_index] = pair.by
        if status.get(pair.message_index) != "missing":
            status[pair.message_index] = "complete" if pair.result_index is not None else "missing"
    for index, message in enumerate(messages):
        message["pair_status"] = status.get(index, "unpaired" if message["role"] == "tool" else None)
    return pairs
