"""The trajectory, the record that flows through every room, as plain dicts; `curate/schema.py` is its Arrow form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, TypedDict

import orjson

from curate.canonical import hash128

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "developer", "user", "assistant", "tool")
Origin: TypeAlias = Literal["recorded", "wrapped", "teacher", "rule", "none"]
SPLITS = ("train", "validation", "test")


class ToolCall(TypedDict):
    """One call of a tool; `arguments` is the text as recorded, never re-dumped."""

    id: str | None
    name: str
    arguments: str
    args_status: str  # json, literal (a Python literal), empty, unparsed


class Message(TypedDict):
    """One message; `content_json` holds recorded parts that are not plain text, as JSON text."""

    role: str
    content: str | None
    content_json: str | None
    reasoning_content: str | None
    tool_calls: list[ToolCall]
    tool_call_id: str | None
    name: str | None
    is_error: bool | None
    requestor: str | None  # who called: assistant or user; null on messages without a call or result
    pair_status: str | None  # tool: id, order, unpaired; caller: complete, missing; else null
    train: bool  # loss on this turn


class Thinking(TypedDict):
    """Where the thought of one assistant turn came from; origin `none` says why a turn has none."""

    message_index: int
    kind: str
    origin: str
    teacher: str | None
    prompt_version: str | None
    checks_failed: list[str]
    original: str | None  # the text that was replaced or moved


class Evidence(TypedDict):
    """What one tool result of a rollout rested on; recordings have none."""

    message_index: int
    call_index: int
    tier: str
    p: float
    source_trajectory_id: str | None
    source_message_index: int | None
    reason: str | None
    step_reward: float | None


class Parent(TypedDict):
    """The turn that a rollout goes on from."""

    trajectory_id: str
    message_index: int


class Trajectory(TypedDict):
    """One row of a dataset folder; the README's data-model section says what each column means."""

    trajectory_id: str
    content_hash: str
    source: str
    source_row: int
    license: str | None
    env_id: str
    initial_state_id: str | None
    task_id: str
    trial: int
    task_group: str
    messages: list[Message]
    tools: str
    tools_inferred: bool
    reward: float | None
    thinking: list[Thinking]
    split: str
    weight: float
    evidence: list[Evidence]
    parent: Parent | None
    metadata: str


class Reject(Trajectory):
    """A trajectory that a step turned away, with the step, the reason (a code) and what was found."""

    reject_step: str
    reject_reason: str
    reject_detail: str
    raw: bytes | None  # the record's bytes where no trajectory could be made of it


HASHED_MESSAGE_KEYS = (
    "role",
    "content",
    "content_json",
    "reasoning_content",
    "tool_calls",
    "tool_call_id",
    "name",
    "is_error",
    "requestor",
)
"""What a label refers to: the recorded and generated content, not decisions about it (train, pair_status)."""


def content_hash(messages: Iterable[Message], recorded_tools: str | None) -> str:
    """Hash of the content that labels point to.

    Args:
        messages: of one trajectory.
        recorded_tools: the tools as JSON text, or None if they were inferred: inferred tools depend on the other
            files of a run, and adding a file must not orphan labels.
    """
    picked: list[dict[str, Any]] = [{key: message[key] for key in HASHED_MESSAGE_KEYS} for message in messages]  # type: ignore[literal-required]
    return hash128(orjson.dumps(picked, option=orjson.OPT_SORT_KEYS), recorded_tools or "")


def trajectory_of(
    trajectory_id: str, messages: list[Message], *, source: str, env_id: str, task_id: str, **columns: Any
) -> Trajectory:
    """A trajectory that no file was read for; columns that are not given say nothing of it (no reward, no tools)."""
    row: dict[str, Any] = {
        "trajectory_id": trajectory_id,
        "content_hash": "",
        "source": source,
        "source_row": 0,
        "license": None,
        "env_id": env_id,
        "initial_state_id": None,
        "task_id": task_id,
        "trial": 0,
        "task_group": task_id,
        "messages": messages,
        "tools": "[]",
        "tools_inferred": False,
        "reward": None,
        "thinking": [],
        "split": "train",
        "weight": 1.0,
        "evidence": [],
        "parent": None,
        "metadata": "{}",
    }
    return rehash(Trajectory(**(row | columns)))  # type: ignore[typeddict-item]


def rehash(row: Trajectory) -> Trajectory:
    """The row with its content_hash brought up to date after its messages changed."""
    row["content_hash"] = content_hash(row["messages"], None if row["tools_inferred"] else row["tools"])
    return row
