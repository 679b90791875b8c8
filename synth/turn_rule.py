"""The turn rule: which assistant turns get which thought, and how each change is undone.

Texts that reason beside a call are moved into reasoning_content (wrapped), recorded thoughts stay, all other turns ask
a teacher. Calls, results and users' messages are never touched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from curate.trajectory import Message, Origin, Thinking, Trajectory, rehash
from curate.turns import TurnKind, recorded_thought, turn_kind

Recorded: TypeAlias = Literal["keep", "rewrite", "drop"]

THINK_TOOL = "think_tool"
"""Stands in `thinking.teacher` where the thought is the argument of the turn's own think call."""
NOT_TRAINED = "not_trained"
"""Stands in `checks_failed` where a turn without a thought was not trained on in the first place."""

_MARKUP = re.compile(r"</?(?:think|tool_call|tool_response)\b|<\|im_|\ufffd", re.IGNORECASE)


@dataclass(frozen=True)
class Bounds:
    """How long a written thought may be.

    Attributes:
        min_chars: shorter thoughts are refused.
        max_chars: longer thoughts are refused.
    """

    min_chars: int = 40
    max_chars: int = 4000


@dataclass(frozen=True, slots=True)
class Turn:
    """One assistant turn and what the rule says of it.

    Attributes:
        message_index: of the turn.
        kind: final, analysis, announce or silent.
        origin: where its thought comes from; "teacher" where one has to be asked, "none" where there can be none.
        thought: the thought that stands already.
        reason: why there can be none.
        by: `THINK_TOOL`, or None.
    """

    message_index: int
    kind: TurnKind
    origin: Origin
    thought: str | None = None
    reason: str | None = None
    by: str | None = None


def plan_turns(row: Trajectory, recorded: Recorded = "keep") -> list[Turn]:
    """What the rule says of each assistant turn, in order; messages of the user's side are left out."""
    return [
        _plan(index, message, recorded)
        for index, message in enumerate(row["messages"])
        if message["role"] == "assistant" and message["requestor"] != "user"
    ]


def _plan(index: int, message: Message, recorded: Recorded) -> Turn:
    kind, text = turn_kind(message), (message["content"] or "").strip()
    thought = message["reasoning_content"]
    if thought is not None and thought.strip():
        if recorded == "keep":
            return Turn(index, kind, "recorded", thought)
        if recorded == "drop":
            return Turn(index, kind, "none", reason="recorded_dropped")
    if not message["tool_calls"] and not text:
        return Turn(index, kind, "none", reason="parts_only" if message["content_json"] else "empty_turn")
    if any(call["args_status"] == "unparsed" for call in message["tool_calls"]):
        return Turn(index, kind, "none", reason="unparsed_call")
    thought = recorded_thought(message)
    if thought is not None:
        return Turn(index, kind, "recorded", thought, by=THINK_TOOL)
    if kind == "analysis":
        return Turn(index, kind, "wrapped", text)
    return Turn(index, kind, "teacher")


def refused(thought: str | None, bounds: Bounds) -> list[str]:
    """The checks that a written thought fails: missing, too short or long, markup that a chat template would read."""
    if thought is None or not thought.strip():
        return ["no_thought"]
    failed = []
    if len(thought) < bounds.min_chars:
        failed.append("too_short")
    if len(thought) > bounds.max_chars:
        failed.append("too_long")
    if _MARKUP.search(thought):
        failed.append("markup")
    return failed


def with_thoughts(
    row: Trajectory,
    turns: Sequence[Turn],
    thoughts: Mapping[int, str | None],
    bounds: Bounds,
    teacher: tuple[str, str, Origin],
) -> Trajectory:
    """The row with every turn's thought in place, its `thinking` entries and its content_hash brought up to date.

    Args:
        row: changed in place.
        turns: from `plan_turns`.
        thoughts: message index -> what the teacher wrote.
        bounds: of written thoughts.
        teacher: name, prompt version and origin of written thoughts.
    """
    recorded = {entry["message_index"]: entry for entry in row["thinking"]}
    entries: list[Thinking] = []
    name, version, written = teacher
    for turn in turns:
        old = recorded.get(turn.message_index)
        if turn.origin == "recorded" and turn.by is None:
            entries.append(old or _entry(row, turn, None, None))
            continue
        failed = [turn.reason] if turn.reason else []
        thought, origin = turn.thought, turn.origin
        by: tuple[str | None, str | None] = (turn.by, None)
        if turn.origin == "teacher":
            thought, by = thoughts.get(turn.message_index), (name, version)
            failed = refused(thought, bounds)
            origin = "none" if failed else written
        entry = _entry(row, replace(turn, origin=origin), *by)
        entry["checks_failed"] = failed
        if old is not None and old["original"] is not None:
            entries.append(old)
        entries.append(entry)
        _apply(row["messages"][turn.message_index], entry, None if failed else thought)
    row["thinking"] = entries
    return rehash(row)


def _apply(message: Message, entry: Thinking, thought: str | None) -> None:
    """Write a turn's thought into its message; without one the turn is not trained on."""
    if thought is None:
        if not message["train"]:
            entry["checks_failed"].append(NOT_TRAINED)
        message["train"] = False
    if entry["origin"] == "wrapped":
        message["content"] = None
    message["reasoning_content"] = thought


def _entry(row: Trajectory, turn: Turn, teacher: str | None, version: str | None) -> Thinking:
    """The `thinking` entry of a turn; `original` holds the text or the recorded thought that is replaced."""
    message = row["messages"][turn.message_index]
    kept = turn.origin == "recorded" and turn.by is None
    original = message["content"] if turn.origin == "wrapped" else None if kept else message["reasoning_content"]
    return Thinking(
        message_index=turn.message_index,
        kind=turn.kind,
        origin=turn.origin,
        teacher=teacher,
        prompt_version=version,
        checks_failed=[],
        original=original,
    )


def strip_thinking(row: Trajectory) -> Trajectory:
    """Undo `with_thoughts`: the row as it was before, changed in place."""
    kept = {e["message_index"]: e for e in row["thinking"] if e["origin"] == "recorded" and e["teacher"] is None}
    for entry in row["thinking"]:
        index = entry["message_index"]
        message = row["messages"][index]
        if entry["origin"] == "recorded" and entry["teacher"] is None:
            continue
        if entry["origin"] == "wrapped":
            message["content"], message["reasoning_content"] = entry["original"], None
        else:
            message["reasoning_content"] = entry["original"]
        if entry["origin"] == "none" and NOT_TRAINED not in entry["checks_failed"]:
            message["train"] = True
        if message["reasoning_content"] is not None and index not in kept:
            kept[index] = _recorded(index, entry["kind"])
    row["thinking"] = [kept[index] for index in sorted(kept)]
    return rehash(row)


def _recorded(message_index: int, kind: str) -> Thinking:
    return Thinking(
        message_index=message_index,
        kind=kind,
        origin="recorded",
        teacher=None,
        prompt_version=None,
        checks_failed=[],
        original=None,
    )
