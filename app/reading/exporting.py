"""A trajectory for elsewhere: as it stands, as OpenAI chat, as STS for the Hub's trace viewer; ours read them."""

from __future__ import annotations

import base64
import json
from typing import Any

from curate.canonical import parse_json
from curate.trajectory import Message, Trajectory

_ABOUT = ("trajectory_id", "source", "license", "env_id", "initial_state_id", "task_id", "trial", "reward")


def as_json(row: Trajectory) -> str:
    """The whole row, indented; bytes as base64."""
    return json.dumps(row, indent=2, ensure_ascii=False, default=_plain)


def as_openai(row: Trajectory) -> str:
    """One line: `messages` with thinking as reasoning_content, `tools`, and what the row says of itself."""
    record: dict[str, Any] = {"messages": [_openai(message) for message in row["messages"]], **_about(row)}
    if not row["tools_inferred"]:
        record["tools"] = parse_json(row["tools"])
    return json.dumps(record, ensure_ascii=False) + "\n"


def as_sts(row: Trajectory) -> str:
    """A session header, then a line a message."""
    header: dict[str, Any] = {"type": "session", "harness": "cacherl", "id": row["trajectory_id"], **_about(row)}
    if not row["tools_inferred"]:
        header["tools"] = parse_json(row["tools"])
    lines = [header, *({"type": "message", "message": _sts(message)} for message in row["messages"])]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _about(row: Trajectory) -> dict[str, Any]:
    told: dict[str, Any] = {name: row[name] for name in _ABOUT if row[name] is not None}  # type: ignore[literal-required]
    told.pop("trajectory_id", None)
    return told


def _openai(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message["role"], "content": message["content"]}
    for name in ("reasoning_content", "tool_call_id", "name"):
        if message[name]:
            said[name] = message[name]
    if message["is_error"] is not None:
        said["is_error"] = message["is_error"]
    if message["tool_calls"]:
        said["tool_calls"] = [
            {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
            for call in message["tool_calls"]
        ]
    return said


def _sts(message: Message) -> dict[str, Any]:
    names = {"reasoning_content": "reasoningContent", "tool_calls": "toolCalls", "tool_call_id": "toolCallId"}
    return {names.get(name, name): value for name, value in _openai(message).items()}


def _plain(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
