"""The published form of a row, which TRL, chat templates and the Hub read: `messages` and `tools`, arguments parsed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from curate.canonical import compact_json, parse_arguments, parse_json
from curate.pairing import PairedCall, pair_calls
from curate.trajectory import Message, Trajectory

TRAINING_SCHEMA = pa.schema(
    [
        pa.field("trajectory_id", pa.string()),
        pa.field("messages", pa.list_(pa.json_(pa.string()))),
        pa.field("tools", pa.list_(pa.json_(pa.string()))),
    ]
)
"""Lists of JSON: a plain struct would merge the keys of all calls, and train on the nulls that this makes."""


def training_row(row: Trajectory) -> dict[str, Any]:
    """One trajectory as `{"messages": [...], "tools": [...]}`.

    Arguments are objects (the recorded text where it could not be parsed), thinking stands in `reasoning_content`, a
    null content is "", and calls recorded without an id get `call_<message>_<call>`, their results the same.
    """
    pairs = pair_calls(row["messages"])
    ids = {(pair.message_index, pair.call_index): _id_of(pair) for pair in pairs}
    answers = {pair.result_index: _id_of(pair) for pair in pairs if pair.result_index is not None}
    messages = [_message(index, message, ids, answers) for index, message in enumerate(row["messages"])]
    return {"messages": messages, "tools": parse_json(row["tools"]) if row["tools"] else []}


def training_table(rows: Iterable[Trajectory]) -> pa.Table:
    """Many rows as Arrow, columns trajectory_id, messages, tools, the latter two as lists of JSON."""
    ids: list[str] = []
    columns: dict[str, list[list[str]]] = {"messages": [], "tools": []}
    for row in rows:
        form = training_row(row)
        ids.append(row["trajectory_id"])
        for name, lists in columns.items():
            lists.append([compact_json(item) for item in form[name]])
    arrays = [pa.array(ids, pa.string()), *(_json_lists(lists) for lists in columns.values())]
    return pa.Table.from_arrays(arrays, schema=TRAINING_SCHEMA)


def _json_lists(lists: list[list[str]]) -> pa.Array[Any]:
    offsets = [0]
    for items in lists:
        offsets.append(offsets[-1] + len(items))
    storage = pa.array([item for items in lists for item in items], pa.string())
    values = pa.ExtensionArray.from_storage(pa.json_(pa.string()), storage)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def _id_of(pair: PairedCall) -> str:
    return pair.call["id"] or f"call_{pair.message_index}_{pair.call_index}"


def _message(
    index: int, message: Message, ids: Mapping[tuple[int, int], str], answers: Mapping[int, str]
) -> dict[str, Any]:
    form: dict[str, Any] = {"role": message["role"], "content": message["content"] or ""}
    if message["reasoning_content"]:
        form["reasoning_content"] = message["reasoning_content"]
    if message["tool_calls"]:
        form["tool_calls"] = [
            {
                "id": ids[index, position],
                "type": "function",
                "function": {"name": call["name"], "arguments": _arguments(call["arguments"])},
            }
            for position, call in enumerate(message["tool_calls"])
        ]
    if message["role"] == "tool":
        answered = answers.get(index) or message["tool_call_id"]
        form |= {"tool_call_id": answered} if answered else {}
        form |= {"name": message["name"]} if message["name"] else {}
    return form


def _arguments(text: str) -> dict[str, Any] | str:
    parsed, _ = parse_arguments(text)
    return text if parsed is None else parsed
