"""The turn rule: which assistant turns get which thought, and how each change is undone.

Texts that reason beside a call are moved into reasoning_content (wrapped), recorded thoughts stay, all other turns ask
a teacher. Calls, results and users' messages are never touched.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Written:
    """What came of asking a teacher for one turn's thought.

    Attributes:
        text: the thought; None where there is none that can be used.
        codes: why there is none.
        version: of the prompt that it answers.
        tried: codes that each attempt failed, in order; empty for the one that was accepted.
        sources: where each argument of the turn's calls was found, from the offline teacher.
        tokens: (in, out) of all attempts.
        usd: of all attempts.
        model: that the server named.
        at: day of the last answer, ISO.
    """

    text: str | None
    codes: tuple[str, ...] = ()
    version: str | None = None
    tried: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()
    tokens: tuple[int, int] = (0, 0)
    usd: float = 0.0
    model: str | None = None
    at: str | None = None


NOT_ASKED = Written(None, ("not_asked",))
"""Of a turn that no teacher was asked about, or not in time."""


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


def with_thoughts(
    row: Trajectory,
    turns: Sequence[Turn],
    written: Mapping[int, Written],
    teacher: tuple[str, Origin],
) -> Trajectory:
    """The row with every turn's thought in place, its `thinking` entries and its content_hash brought up to date.

    Args:
        row: changed in place.
        turns: from `plan_turns`.
        written: message index -> what the teacher wrote.
        teacher: its name, and the origin of what it writes.
    """
    recorded = {entry["message_index"]: entry for entry in row["thinking"]}
    entries: list[Thinking] = []
    name, origin_written = teacher
    for turn in turns:
        old = recorded.get(turn.message_index)
        if turn.origin == "recorded" and turn.by is None:
            entries.append(old or _entry(row, turn, None, None))
            continue
        failed = [turn.reason] if turn.reason else []
        thought, origin = turn.thought, turn.origin
        by: tuple[str | None, str | None] = (turn.by, None)
        if turn.origin == "teacher":
            given = written.get(turn.message_index, NOT_ASKED)
            thought, failed, by = given.text, list(given.codes), (name, given.version)
            origin = "none" if thought is None else origin_written
        entry = _entry(row, replace(turn, origin=origin), *by)
        entry["checks_failed"] = failed
        if old is not None and old["original"] is not None:
            entries.append(old)
        entries.append(entry)
        _apply(row["messages"][turn.message_index], entry, thought)
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
