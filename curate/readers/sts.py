"""Session Trace Simple Format, which the Hub's trace viewer shows: a session header line, then a line a message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from curate.canonical import parse_json
from curate.errors import RecordError
from curate.readers.messages import objects, openai_messages
from curate.readers.raw import FACTS, RawRecord, RawTrajectory, read_tools, take_facts
from curate.trajectory import Trajectory

_NAMES = {"reasoningContent": "reasoning_content", "toolCalls": "tool_calls", "toolCallId": "tool_call_id"}
_TOLD = ("env_id", "initial_state_id", "license", "reward")


class STS:
    """Lines, assembled to `{"session": header, "messages": [...], "events": [...]}`."""

    name = "sts"

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure of a header with its harness, and of a message in its envelope."""
        if record.get("type") == "session":
            return 0.97 if isinstance(record.get("harness"), str) else 0.3
        inner = record.get("message")
        if record.get("type") != "message" or not isinstance(inner, Mapping) or "role" not in inner:
            return 0.0
        return 0.97 if isinstance(inner.get("content"), (str, type(None))) else 0.0

    def assemble(self, records: Iterator[RawRecord]) -> Iterator[RawRecord]:
        """One record a session; only its lines are held, as those of one session stand together."""
        row = 0
        session: dict[str, Any] = {}
        for record in records:
            if record.problem is not None or not isinstance(record.value, Mapping):
                if session:
                    session["unread_lines"] = session.get("unread_lines", 0) + 1
                yield replace(record, row=row)
                row += 1
                continue
            if record.value.get("type") == "session" and session:
                yield RawRecord(row, session)
                row, session = row + 1, {}
            _add_line(session, record.value)
        if session:
            yield RawRecord(row, session)

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one session; its header's fields are the trajectory's."""
        session = record.get("session")
        if not isinstance(session, Mapping):
            raise RecordError("wrong_type", f"the session header is {type(session).__name__}, not an object")
        items = objects(record.get("messages"), "messages")
        raw = openai_messages([{_NAMES.get(key, key): value for key, value in item.items()} for item in items])
        header = {key: value for key, value in session.items() if key != "type"}
        try:
            raw.tools = read_tools(header.get("tools"))
        except RecordError:  # a header may say anything: names of tools, or a count
            header["tools_said"] = header["tools"]
        # So may its other fields; what can be no fact of ours is kept as they said it.
        said = {key: header.pop(key) for key in FACTS if isinstance(header.get(key), (list, dict, bool))}
        beside = {key: value for key, value in record.items() if key not in ("session", "messages")}
        return take_facts({**header, **({"header": said} if said else {}), **beside}, raw, {"tools"})


def _add_line(session: dict[str, Any], line: Mapping[str, Any]) -> None:
    """Put one line where it belongs; a file that lost its header still gives its messages."""
    if not session:
        session |= {"session": {}, "messages": []}
    inner = line.get("message")
    if line.get("type") == "session":
        session["session"] = line
    elif line.get("type") == "message" and isinstance(inner, Mapping):
        envelope = {key: value for key, value in line.items() if key not in ("type", "message", *inner)}
        session["messages"].append({**inner, **envelope})
    else:
        session.setdefault("events", []).append(line)


def to_sts(row: Trajectory) -> list[dict[str, Any]]:
    """A trajectory as the lines of an STS file: a header with its facts and tools, then one line a message.

    What the format has no key for (is_error, names of tool results) goes along under our names, as it allows.
    """
    facts: dict[str, Any] = {key: row[key] for key in _TOLD if row[key] is not None}  # type: ignore[literal-required]
    header = {
        "type": "session",
        "harness": "cacherl",
        "id": row["trajectory_id"],
        "name": row["task_id"],
        "task_id": row["task_id"],
        **({"trial": row["trial"]} if row["trial"] >= 0 else {}),
        **facts,
    }
    if row["tools"] and not row["tools_inferred"]:
        header["tools"] = parse_json(row["tools"])
    return [header, *({"type": "message", "message": _sts_message(dict(item))} for item in row["messages"])]


def _sts_message(message: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {"id": call["id"], "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in message["tool_calls"]
    ]
    parts = message["content_json"]
    optional = {
        "reasoningContent": message["reasoning_content"],
        "toolCalls": calls,
        "toolCallId": message["tool_call_id"],
        "name": message["name"],
        "is_error": message["is_error"],
        "requestor": message["requestor"],
        "parts": parse_json(parts) if parts else None,
    }
    said = {key: value for key, value in optional.items() if value not in (None, [])}
    return {"role": message["role"], "content": message["content"] or "", **said}
