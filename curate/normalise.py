"""A record as read becomes a trajectory: ids, pairing, recorded thinking, whose turns are trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curate.canonical import canonical_bytes, canonical_json, compact_json, hash128
from curate.errors import RecordError
from curate.pairing import mark_pairs
from curate.readers.raw import KnownTools, RawTrajectory
from curate.trajectory import Message, Thinking, Trajectory, content_hash
from curate.turns import turn_kind


@dataclass(frozen=True)
class Input:
    """One input file and what the user says of it.

    Attributes:
        path: where it is now, or the name of a Hub dataset; never part of the data.
        source: its logical name, shared by all files of a folder or pattern.
        env: the world its tool names live in; None takes what the records say, else the source.
        license: what may be done with it; None takes what the records say.
        format: name of a format; None to look.
        group: dotted path of the field that tells tasks apart, e.g. `info.task`; None for the format's own.
        file: its name inside the folder or pattern that the user named; the row's metadata has it as `source_file`.
    """

    path: str
    source: str
    env: str | None = None
    license: str | None = None
    format: str | None = None
    group: str | None = None
    file: str | None = None


def normalise(raw: RawTrajectory, record: Mapping[str, Any], row: int, given: Input) -> Trajectory:
    """Make a trajectory of a record.

    Args:
        raw: the record, read by its format.
        record: as it stands in the file; its canonical JSON and the source's name are the trajectory's id.
        row: its place in the file.
        given: what the user says of the file.

    Returns:
        A row whose split is still empty and whose tools are empty where they must be inferred; trial is -1 where the
        source does not say.

    Raises:
        RecordError: if a value cannot be stored.
    """
    messages = raw.messages
    mark_pairs(messages)
    _mark_requestors(messages)
    tools = _tools_text(raw.tools) if raw.tools else None
    env_id = given.env or raw.env_id or given.source
    task_id = raw.task_id or "auto:" + hash128(_first_user_text(messages))[:16]
    try:
        row_out = Trajectory(
            trajectory_id=hash128(given.source, canonical_bytes(record)),
            content_hash=content_hash(messages, tools),
            source=given.source,
            source_row=row,
            license=given.license or raw.license,
            env_id=env_id,
            initial_state_id=raw.initial_state_id,
            task_id=task_id,
            trial=-1 if raw.trial is None else raw.trial,
            task_group=_task_group(raw, record, given, env_id, task_id),
            messages=messages,
            tools=tools or "",
            tools_inferred=tools is None,
            reward=raw.reward,
            thinking=_recorded_thinking(raw),
            split="",
            weight=1.0,
            evidence=[],
            parent=None,
            metadata=compact_json(raw.metadata | ({"source_file": given.file} if given.file else {})),
        )
    except UnicodeEncodeError as error:
        raise RecordError("lone_surrogate", "half of a UTF-16 pair cannot be stored") from error
    except (ValueError, TypeError) as error:
        raise RecordError("not_json", f"a value has no JSON form ({error})") from error
    return row_out


def _tools_text(tools: list[dict[str, Any]]) -> str:
    return tools.text if isinstance(tools, KnownTools) else compact_json(tools, finite=True)


def _mark_requestors(messages: list[Message]) -> None:
    """Say who called: the user may call tools too; such turns are kept and never trained on."""
    caller = "assistant"
    for message in messages:
        if message["role"] == "tool":
            message["requestor"] = message["requestor"] or caller
        elif message["tool_calls"]:
            caller = message["requestor"] = "user" if message["role"] == "user" else "assistant"
        else:  # nobody called anything, whatever the source says
            message["requestor"] = None
        message["train"] = message["role"] == "assistant"


def _recorded_thinking(raw: RawTrajectory) -> list[Thinking]:
    return [
        Thinking(
            message_index=index,
            kind=turn_kind(message),
            origin="recorded",
            teacher=None,
            prompt_version=None,
            checks_failed=[],
            original=raw.split_texts.get(index),
        )
        for index, message in enumerate(raw.messages)
        if message["role"] == "assistant" and message["reasoning_content"]
    ]


def _first_user_text(messages: list[Message]) -> str:
    return next((message["content"] or "" for message in messages if message["role"] == "user"), "")


def _task_group(raw: RawTrajectory, record: Mapping[str, Any], given: Input, env_id: str, task_id: str) -> str:
    """What a split keeps together: the user's field, the source's statement of the task, or the task's identity."""
    if given.group is not None:
        value: Any = record
        for key in given.group.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            raise RecordError("no_group", f"the record has no field {given.group!r} to group by")
        return "group:" + hash128(canonical_json(value))[:16]
    if raw.task_statement is not None:
        return "task:" + hash128(canonical_json(raw.task_statement))[:16]
    return f"{env_id}/{task_id}"
