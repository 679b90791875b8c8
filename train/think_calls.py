"""Dialogues without the calls of think tools: the call goes together with its result, its thought stays as thinking.

A turn that only thought becomes one with the turn behind it, so that the model thinks and acts in one breath.
"""

from __future__ import annotations

from collections.abc import Sequence

from curate.pairing import pair_calls
from curate.trajectory import Message
from curate.turns import is_think_tool, recorded_thought


def without_think_calls(messages: Sequence[Message]) -> list[tuple[int, Message]]:
    """The messages that are left, each with its index among those that were given.

    A turn that is left without a call goes into the next turn of the model before the user speaks: thoughts and texts
    one after the other, trained only if both are. Without such a turn it stays, and is not trained, as it would teach
    to end on a thought.
    """
    pairs = [pair for pair in pair_calls(messages) if is_think_tool(pair.call["name"])]
    dropped = {pair.result_index for pair in pairs}
    thinking = {pair.message_index for pair in pairs}
    kept: list[tuple[int, Message]] = []
    open_turn: Message | None = None
    for index, message in enumerate(messages):
        if index in dropped:
            continue
        if message["role"] != "assistant":
            open_turn = None
            kept.append((index, message))
            continue
        turn = _without(message) if index in thinking else message
        if open_turn is not None:
            turn = _joined(open_turn, turn)
            kept.pop()
        open_turn = turn if index in thinking and not turn["tool_calls"] else None
        kept.append((index, turn))
    return [(index, _untrained(turn) if index in thinking and not turn["tool_calls"] else turn) for index, turn in kept]


def _without(turn: Message) -> Message:
    """The turn without its think calls; their thought is its thinking, unless it stands there already."""
    thought, said = recorded_thought(turn) or "", turn["reasoning_content"] or ""
    thinking = said if thought.strip() in said else _both(said, thought)
    calls = [call for call in turn["tool_calls"] if not is_think_tool(call["name"])]
    return turn | {"reasoning_content": thinking or None, "tool_calls": calls}


def _joined(one: Message, two: Message) -> Message:
    return two | {
        "reasoning_content": _both(one["reasoning_content"], two["reasoning_content"]) or None,
        "content": _both(one["content"], two["content"]) or None,
        "train": one["train"] and two["train"],
    }


def _untrained(turn: Message) -> Message:
    return turn | {"train": False}


def _both(one: str | None, two: str | None) -> str:
    return "\n\n".join(text for text in (one, two) if text)
