"""The Arrow form of the data model: what a dataset folder's Parquet files hold, and its version."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

FORMAT_VERSION = 1

_STR = pa.string()

TOOL_CALL = pa.struct([("id", _STR), ("name", _STR), ("arguments", _STR), ("args_status", _STR)])

MESSAGE = pa.struct(
    [
        ("role", _STR),
        ("content", _STR),
        ("content_json", _STR),
        ("reasoning_content", _STR),
        ("tool_calls", pa.list_(TOOL_CALL)),
        ("tool_call_id", _STR),
        ("name", _STR),
        ("is_error", pa.bool_()),
        ("requestor", _STR),
        ("pair_status", _STR),
        ("train", pa.bool_()),
    ]
)

THINKING = pa.struct(
    [
        ("message_index", pa.int32()),
        ("kind", _STR),
        ("origin", _STR),
        ("teacher", _STR),
        ("prompt_version", _STR),
        ("checks_failed", pa.list_(_STR)),
        ("original", _STR),
    ]
)

EVIDENCE = pa.struct(
    [
        ("message_index", pa.int32()),
        ("call_index", pa.int32()),
        ("tier", _STR),
        ("p", pa.float32()),
        ("source_trajectory_id", _STR),
        ("source_message_index", pa.int32()),
        ("reason", _STR),
        ("step_reward", pa.float32()),
    ]
)

PARENT = pa.struct([("trajectory_id", _STR), ("message_index", pa.int32())])

_TRAJECTORY_FIELDS: list[pa.Field[Any]] = [
    pa.field("trajectory_id", _STR, nullable=False),
    pa.field("content_hash", _STR, nullable=False),
    pa.field("source", _STR, nullable=False),
    pa.field("source_row", pa.int64(), nullable=False),
    pa.field("license", _STR),
    pa.field("env_id", _STR, nullable=False),
    pa.field("initial_state_id", _STR),
    pa.field("task_id", _STR, nullable=False),
    pa.field("trial", pa.int32(), nullable=False),
    pa.field("task_group", _STR, nullable=False),
    pa.field("messages", pa.list_(MESSAGE)),
    pa.field("tools", _STR),
    pa.field("tools_inferred", pa.bool_()),
    pa.field("reward", pa.float32()),
    pa.field("thinking", pa.list_(THINKING)),
    pa.field("split", _STR),
    pa.field("weight", pa.float32()),
    pa.field("evidence", pa.list_(EVIDENCE)),
    pa.field("parent", PARENT),
    pa.field("metadata", _STR),
]
TRAJECTORY = pa.schema(_TRAJECTORY_FIELDS)

# A reject is a whole row where one could be made, so nothing is required of it.
_REJECT_FIELDS: list[pa.Field[Any]] = [
    *(field.with_nullable(True) for field in _TRAJECTORY_FIELDS),
    pa.field("reject_step", _STR, nullable=False),
    pa.field("reject_reason", _STR, nullable=False),
    pa.field("reject_detail", _STR),
    pa.field("raw", pa.binary()),
]
REJECT = pa.schema(_REJECT_FIELDS)
