"""What comes back to a model that speaks and calls tools: the rules that all loops of rollouts share.

How a turn ended, the results of its calls with what they rest on, errors for calls that cannot be run, long results
cut. Who generates, and in which form, is the loop's own affair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachebuild.answer import Answer
from curate.readers.messages import message
from curate.trajectory import Evidence, Message, ToolCall
from train.parsing import Said, SaidCall

if TYPE_CHECKING:
    from train.chat_format import Form
    from train.rollout import Episode, Rollout, RolloutTask, Sessions, Status
    from train.tokens import Part

MALFORMED = "malformed_call"
UNKNOWN_TOOL = "unknown_tool"


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of the calls of one turn.

    Attributes:
        results: one message a call, in order.
        evidence: what each rests on.
        malformed: calls that could not be run.
    """

    results: list[Message]
    evidence: list[Evidence]
    malformed: int


def begun(cache: Sessions, task: RolloutTask) -> Episode:
    """The episode that answers the calls of a rollout: the task's own, else one of the cache."""
    if task.episode is not None:
        return task.episode
    row = task.row
    history = row["messages"][: task.part.message_index + 1]
    return cache.session(row["env_id"], row["initial_state_id"], row["task_id"], history=history, seed=task.seed)


def crashed(rollout: Rollout, error: Exception) -> None:
    """End a rollout by an error: a bad rollout is data."""
    rollout.status, rollout.error = "crashed", f"{type(error).__name__}: {error}"


def tool_names(part: Part) -> frozenset[str]:
    """The tools that a rollout may call; empty if the row names none."""
    return frozenset(str(tool.get("function", tool).get("name")) for tool in part.tools)


def spoken(said: Said, number: int) -> Message:
    """A turn as the message with this number within its rollout."""
    turn = message("assistant", said.content or None)
    turn["reasoning_content"], turn["train"] = said.thinking or None, True
    turn["tool_calls"] = [
        ToolCall(
            id=f"call_{number}_{at}",
            name=call.name or MALFORMED,
            arguments=call.arguments,
            args_status="unparsed" if call.problem else "json",
        )
        for at, call in enumerate(said.calls)
    ]
    return turn


def ended_by(said: Said, *, whole: bool) -> Status | None:
    """How a turn ends its rollout; None if it calls tools. A call that was cut off is never run, even if readable."""
    if not whole:
        return "truncated"
    if not said.closed:
        return "unclosed_thinking"
    return None if said.calls else "answered"


def acted(
    turn: Message,
    calls: Sequence[SaidCall],
    index: int,
    session: Episode,
    tools: frozenset[str],
    fitted: Callable[[str], str],
) -> Acted:
    """Run the calls of a turn; one that cannot be run is told so.

    Args:
        turn: the message that makes them.
        calls: as they were read.
        index: number of that message within the rollout.
        session: answers calls.
        tools: those that may be called; empty for any.
        fitted: cuts a result that is too long.
    """
    refused = [_refused(call, tools) for call in calls]
    run = [(call.name, call.arguments) for call, refusal in zip(calls, refused, strict=True) if refusal is None]
    answers = iter(session.turn(run) if run else ())
    found = Acted([], [], len(calls) - len(run))
    for at, refusal in enumerate(refused):
        answer = refusal or next(answers)
        found.evidence.append(_evidence(index, at, answer))
        result = message("tool", fitted(answer.result))
        result["tool_call_id"], result["name"] = turn["tool_calls"][at]["id"], turn["tool_calls"][at]["name"]
        found.results.append(result)
    return found


def tool_forms(results: Sequence[Message]) -> list[Form]:
    """Results in the published form."""
    return [
        {"role": "tool", "name": each["name"], "tool_call_id": each["tool_call_id"], "content": each["content"]}
        for each in results
    ]


def cut(text: str, most: int, length: Callable[[str], int]) -> str:
    """A text with a mark where it was cut, if it is longer than `most` tokens.

    Args:
        text: a result.
        most: tokens that it may have.
        length: tokens of a text, at most its characters.
    """
    if len(text) <= most or length(text) <= most:
        return text
    kept = len(text)
    while True:
        kept = min(kept - 1, int(kept * most / max(1, length(text[:kept])) * 0.98))
        short = f"{text[:kept]}\n[cut here: {len(text) - kept:,} more characters]"
        if kept <= 0 or length(short) <= most:
            return short


def _refused(call: SaidCall, tools: frozenset[str]) -> Answer | None:
    """The error that the model gets instead of a result; None for a call that can be run."""
    if call.problem is not None:
        kind, told = MALFORMED, call.problem
    elif tools and call.name not in tools:
        kind, told = UNKNOWN_TOOL, f"there is no tool {call.name!r}"
    else:
        return None
    text = json.dumps({"error": {"type": kind, "tool": call.name or None, "message": told}}, ensure_ascii=False)
    return Answer(text, "unavailable", 0.0, f"{kind}: {told}", failed=True)


def _evidence(message_index: int, call_index: int, answer: Answer) -> Evidence:
    return Evidence(
        message_index=message_index,
        call_index=call_index,
        tier=answer.tier,
        p=answer.p,
        source_trajectory_id=answer.source_trajectory_id,
        source_message_index=answer.source_message_index,
        reason=answer.reason,
        step_reward=None,
    )
