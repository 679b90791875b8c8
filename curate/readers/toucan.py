"""Toucan-1.5M (Kimi-K2, OSS, Qwen3) and its SFT set: tables whose columns are texts of JSON.

Their agents record one turn in pieces: the thought, the text and each call are messages of their own, and results
carry no ids. The pieces become one turn again, so that parallel calls find their results by order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.canonical import compact_json
from curate.errors import RecordError
from curate.readers.messages import objects, openai_messages
from curate.readers.raw import RawTrajectory, described, json_column, read_tools, take_facts
from curate.readers.written_calls import calls_of_text
from curate.trajectory import Message

_QUALITY = ("question_quality_assessment", "response_quality_assessment")
_SFT_ROLES = {"tool_call": "assistant", "tool_response": "tool"}


class Toucan:
    """Rows of the three teachers: Qwen-Agent messages with `function_call`, `function` results, quality scores."""

    name = "toucan"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure by the columns that only it has."""
        known = [key for key in ("available_tools", *_QUALITY) if key in record]
        return 0.97 if "messages" in record and len(known) > 1 else 0.0

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one row; the scores stand in the metadata as parsed JSON."""
        items = objects(json_column(record, "messages", list), "messages")
        raw = merge_pieces(openai_messages([_with_call_id(item) for item in items]))
        raw.tools = read_tools(record.get("available_tools"))
        return _take_columns(record, raw, "available_tools")


class ToucanSFT:
    """Rows of the SFT set: roles `tool_call`, a Python literal or JSON, and `tool_response`."""

    name = "toucan_sft"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure by the roles; rows without a call are known by their columns."""
        messages = record.get("messages")
        if isinstance(messages, str):
            if any(f'"{role}"' in messages for role in _SFT_ROLES):
                return 0.96
        elif isinstance(messages, list):
            roles = [item.get("role") for item in messages if isinstance(item, Mapping)]
            if any(role in _SFT_ROLES for role in roles if isinstance(role, str)):
                return 0.96
        columns = {"uuid", "question", "target_tools", "tools", "messages"} <= record.keys()
        return 0.85 if columns and isinstance(messages, str) else 0.0

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one row."""
        items = objects(json_column(record, "messages", list), "messages")
        raw = openai_messages([_renamed(item) for item in items])
        for item, read in zip(items, raw.messages, strict=True):
            if item.get("role") == "tool_call":
                content = item.get("content")
                text = content if isinstance(content, str) else compact_json(content)
                read["tool_calls"], read["content"], read["content_json"] = calls_of_text(text), None, None
        raw = merge_pieces(raw)
        raw.tools = read_tools(record.get("tools"))
        return _take_columns(record, raw, "tools")


def _with_call_id(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message with its call in OpenAI's form; the id that OSS gives a call stands inside `function_call`."""
    call = item.get("function_call")
    if not isinstance(call, Mapping) or not call.get("call_id"):
        return item
    function = {key: value for key, value in call.items() if key != "call_id"}
    rest = {key: value for key, value in item.items() if key != "function_call"}
    return {**rest, "tool_calls": [{"id": call["call_id"], "function": function}]}


def _renamed(item: Mapping[str, Any]) -> Mapping[str, Any]:
    role = item.get("role")
    return {**item, "role": _SFT_ROLES[role]} if isinstance(role, str) and role in _SFT_ROLES else item


def _take_columns(record: Mapping[str, Any], raw: RawTrajectory, tools: str) -> RawTrajectory:
    """The facts of a row: its uuid is the task, its question the statement, other columns are parsed metadata."""
    uuid = record.get("uuid")
    taken = take_facts({**record, **described(record, (*_QUALITY, "metadata"))}, raw, {"messages", tools})
    if taken.task_id is None and uuid is not None:
        if not isinstance(uuid, str):
            raise RecordError("wrong_type", f"uuid is {type(uuid).__name__}, not a text")
        taken.task_id = uuid or None
    taken.task_statement = record.get("question") or None
    return taken


def merge_pieces(raw: RawTrajectory) -> RawTrajectory:
    """The trajectory with the pieces of each assistant turn (thought, then text, then calls) made one message."""
    kept: list[Message] = []
    place: list[int] = []
    for read in raw.messages:
        if kept and _goes_on(kept[-1], read):
            _join(kept[-1], read)
        else:
            kept.append(read)
        place.append(len(kept) - 1)
    extras = raw.metadata.get("message_extras", {})
    merged: dict[str, Any] = {}
    for index, extra in extras.items():
        target = merged.setdefault(str(place[int(index)]), {})
        target |= {key if key not in target else f"{key}#{index}": value for key, value in extra.items()}
    raw.messages = kept
    raw.split_texts = {place[index]: text for index, text in raw.split_texts.items()}
    if merged:
        raw.metadata["message_extras"] = merged
    return raw


def _goes_on(turn: Message, piece: Message) -> bool:
    """Whether `piece` goes on with `turn`: a thought opens a turn, a text may follow it, calls may follow both."""
    if turn["role"] != "assistant" or piece["role"] != "assistant" or piece["reasoning_content"]:
        return False
    return bool(piece["tool_calls"] and not piece["content"]) or not (turn["content"] or turn["tool_calls"])


def _join(turn: Message, piece: Message) -> None:
    """Add a piece to the turn that it goes on with."""
    turn["content"] = turn["content"] or piece["content"]
    turn["content_json"] = turn["content_json"] or piece["content_json"]
    turn["tool_calls"].extend(piece["tool_calls"])
