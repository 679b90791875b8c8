"""One row as a file that others read: our JSON, an STS file, a line of OpenAI chat; the latter two our readers read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from curate.canonical import compact_json, parse_json
from curate.readers.sts import to_sts
from curate.trajectory import Message, Trajectory

_FACTS = ("task_id", "env_id", "initial_state_id", "license", "reward")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


class Export(NamedTuple):
    """One form: what it is called, how its file ends, what makes it."""

    title: str
    ending: str
    mime: str
    made: Callable[[Trajectory], str]


def as_json(row: Mapping[str, Any]) -> str:
    """The row as it stands; a reject's bytes as text."""
    raw = row.get("raw")
    shown = dict(row) | ({"raw": raw.decode(errors="replace")} if isinstance(raw, bytes) else {})
    return compact_json(shown) + "\n"


def as_sts(row: Trajectory) -> str:
    """The lines of an STS file: a header, then a line a message."""
    return "".join(compact_json(line) + "\n" for line in to_sts(_whole(row)))


def as_openai(row: Trajectory) -> str:
    """One line of OpenAI chat: messages, tools and the facts that the format's records may carry."""
    record: dict[str, Any] = {"messages": [_openai(message) for message in row["messages"] or []]}
    if row["tools"] and not row["tools_inferred"]:
        record["tools"] = parse_json(row["tools"])
    record |= {key: row[key] for key in _FACTS if row[key] is not None}  # type: ignore[literal-required]
    if row["trial"] is not None and row["trial"] >= 0:
        record["trial"] = row["trial"]
    return compact_json(record) + "\n"


EXPORTS: Mapping[str, Export] = {
    "json": Export("JSON of the row", ".json", "application/json", as_json),
    "sts": Export("STS", ".sts.jsonl", "application/x-ndjson", as_sts),
    "openai": Export("OpenAI chat", ".openai.jsonl", "application/x-ndjson", as_openai),
}


def file_name(trace: str, ending: str) -> str:
    """A name that any file system takes, whatever the trace is called."""
    return (_UNFIT.sub("_", trace)[:80].strip("._") or "trace") + ending


def _whole(row: Trajectory) -> Trajectory:
    """A reject may lack what a trajectory has."""
    trial = row["trial"] if row["trial"] is not None else -1
    return {**row, "messages": row["messages"] or [], "trial": trial}


def _openai(message: Message) -> dict[str, Any]:
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in message["tool_calls"] or []
    ]
    optional = {
        "reasoning_content": message["reasoning_content"],
        "tool_calls": calls,
        "tool_call_id": message["tool_call_id"],
        "name": message["name"],
        "is_error": message["is_error"],
        "requestor": message["requestor"],
    }
    said = {key: value for key, value in optional.items() if value not in (None, [])}
    return {"role": message["role"], "content": _content(message), **said}


def _content(message: Message) -> Any:
    """The recorded parts where the text is theirs, else the text."""
    try:
        parts = parse_json(message["content_json"]) if message["content_json"] else None
    except ValueError:
        return message["content"]
    if not isinstance(parts, list):
        return message["content"]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    joined = "".join(text for text in texts if isinstance(text, str))
    return parts if joined == (message["content"] or "") else message["content"]
