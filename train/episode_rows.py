"""A played dialogue as a row of the table `episodes`, and as a trajectory to be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from cachebuild.answer import TIERS
from curate.canonical import hash128
from curate.sandbox.checking import CheckResult
from curate.trajectory import Parent, Trajectory
from train.dialogue import Dialogue
from train.evaluate_settings import Thinking
from train.evaluation import process_accuracy
from train.going_on import gone_on

_STR, _WHOLE = pa.string(), pa.int32()
_FIELDS: list[pa.Field[Any]] = [
    pa.field("task_id", _STR, nullable=False),
    pa.field("turn", _STR, nullable=False),
    pa.field("kind", _STR, nullable=False),
    pa.field("trial", _WHOLE, nullable=False),
    pa.field("thinking", _STR, nullable=False),
    pa.field("success", pa.bool_()),
    pa.field("state_ok", pa.bool_()),
    pa.field("facts_ok", pa.bool_()),
    pa.field("process_accuracy", pa.float64(), nullable=False),
    pa.field("all_calls_met", pa.bool_(), nullable=False),
    pa.field("user_turns", _WHOLE, nullable=False),
    pa.field("turns", _WHOLE, nullable=False),
    pa.field("calls", _WHOLE, nullable=False),
    pa.field("malformed_calls", _WHOLE, nullable=False),
    pa.field("thinking_tokens", _WHOLE),
    pa.field("thinking_words", _WHOLE, nullable=False),
    *(pa.field(f"tier_{tier}", _WHOLE, nullable=False) for tier in TIERS),
    pa.field("status", _STR, nullable=False),
    pa.field("error", _STR),
    pa.field("answer", _STR, nullable=False),
    pa.field("trajectory_id", _STR, nullable=False),
]
EPISODE = pa.schema(_FIELDS)
"""One attempt: on the desk with what the checker found; of a recorded turn the three columns of that are null."""


def episode_row(
    dialogue: Dialogue, found: CheckResult | None, thinking: Thinking, tokens: Callable[[str], int | None]
) -> dict[str, Any]:
    """The row of an attempt.

    Args:
        dialogue: as it was played.
        found: the checker's word; None where there is no end state.
        thinking: whether earlier thoughts stood in the prompts.
        tokens: of a text.
    """
    case = dialogue.case
    thoughts = [each["reasoning_content"] or "" for each in dialogue.messages]
    counted = [tokens(thought) for thought in thoughts or [""]]
    share = process_accuracy(dialogue.messages, case.expected)
    met = Counter(step["tier"] for step in dialogue.evidence)
    return {
        "task_id": case.task_id,
        "turn": case.turn,
        "kind": case.kind,
        "trial": case.trial,
        "thinking": thinking,
        "success": None if found is None else found.reward == 1.0,
        "state_ok": None if found is None else found.state_ok,
        "facts_ok": None if found is None else not found.facts_missing,
        "process_accuracy": share,
        "all_calls_met": share == 1.0,
        "user_turns": dialogue.rollouts,
        "turns": dialogue.turns,
        "calls": len(dialogue.evidence),
        "malformed_calls": dialogue.malformed,
        "thinking_tokens": None if None in counted else sum(count for count in counted if count is not None),
        "thinking_words": sum(len(thought.split()) for thought in thoughts),
        **{f"tier_{tier}": met[tier] for tier in TIERS},
        "status": dialogue.status,
        "error": dialogue.error,
        "answer": dialogue.answer,
        "trajectory_id": _name(dialogue, thinking),
    }


def episode_trajectory(dialogue: Dialogue, row: dict[str, Any]) -> Trajectory:
    """The dialogue as a trajectory; its reward is success, or process accuracy where there is no end state."""
    case = dialogue.case
    told = {name: row[name] for name in ("status", "error", "malformed_calls", "state_ok", "facts_ok", "thinking")}
    turn_index = case.turn.rpartition(":")[2]
    parent = Parent(trajectory_id=case.row["trajectory_id"], message_index=int(turn_index)) if turn_index else None
    return gone_on(
        case.row,
        len(case.row["messages"]),
        dialogue.messages,
        dialogue.evidence,
        told,
        trajectory_id=row["trajectory_id"],
        source="evaluation",
        trial=case.trial,
        reward=row["process_accuracy"] if row["success"] is None else float(row["success"]),
        parent=parent,
    )


def _name(dialogue: Dialogue, thinking: Thinking) -> str:
    case = dialogue.case
    return hash128("evaluation", case.row["trajectory_id"], case.turn, str(case.trial), thinking)
