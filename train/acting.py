"""What comes back to a model that speaks and calls tools: the rules that all loops of rollouts share.

How a turn ended, the results of its calls with what they rest on, errors for calls that cannot be run, long results
cut. Who generates, and in which form, is the loop's own affair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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


def take_turn(rollout: Rollout, said: Said, *, whole: bool, last: bool) -> bool:
    """Take in a turn; returns whether its calls are to be run. If not, the rollout has ended.

    Args:
        rollout: what the turn belongs to.
        said: as it was read.
        whole: it came to its end; a call that was cut off is never run, even where it could be read.
        last: the rollout may take no further turn.
    """
    rollout.messages.append(spoken(said, len(rollout.messages)))
    status = _ended_by(said, whole=whole) or ("turn_limit" if last else None)
    if status is None:
        return True
    rollout.status, rollout.answer = status, said.content if status == "answered" else ""
    return False


def _ended_by(said: Said, *, whole: bool) -> Status | None:
    """How a turn ends its rollout; None if it calls tools."""
    if not whole:
        return "truncated"
    if not said.closed:
        return "unclosed_thinking"
    return None if said.calls else "answered"


def act(
    rollout: Rollout,
    calls: Sequence[SaidCall],
    session: Episode,
    tools: frozenset[str],
    max_result: int,
    length: Callable[[str], int],
) -> tuple[list[Message], list[Evidence]]:
    """Run the calls of a rollout's last turn; one that cannot be run is told so, and counted.

    Args:
        rollout: whose last message makes the calls.
        calls: as they were read.
        session: answers calls.
        tools: those that may be called; empty for any.
        max_result: tokens of a result at most; longer ones are cut, and counted.
        length: tokens of a text, at most its characters.

    Returns:
        One result a call in their order, and what each rests on; the rollout gets them once they are shown.
    """
    turn, index = rollout.messages[-1], len(rollout.messages) - 1
    refused = [_refused(call, tools) for call in calls]
    run = [(call.name, call.arguments) for call, refusal in zip(calls, refused, strict=True) if refusal is None]
    answers = iter(session.turn(run) if run else ())
    results: list[Message] = []
    evidence: list[Evidence] = []
    for at, refusal in enumerate(refused):
        answer = refusal or next(answers)
        evidence.append(_evidence(index, at, answer))
        short = cut(answer.result, max_result, length)
        rollout.cut_results += short != answer.result
        result = message("tool", short)
        result["tool_call_id"], result["name"] = turn["tool_calls"][at]["id"], turn["tool_calls"][at]["name"]
        results.append(result)
    rollout.malformed += len(calls) - len(run)
    return results, evidence


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
