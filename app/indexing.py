"""The index of a folder: what browsing shows, filters and sorts, one row a trajectory or reject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from app.traces import ROW
from cachebuild.answer import TIERS
from curate.canonical import json_object
from curate.folder import DatasetFolder
from curate.pairing import pair_calls
from curate.progress import track
from curate.table_writer import MAX_GROUP_ROWS
from curate.turns import result_failed, turn_kind

TABLES = ("trajectories", "rejects")
VERSION = 1
"""Changes with the columns below or with what they mean: an index of another version is made anew."""
FIRST_WORDS = 120
"""Characters of the first user message that a table shows."""

_LIST = pl.List(pl.String)
SCHEMA: dict[str, Any] = {
    "table": pl.String,
    "trace": pl.String,
    "trajectory_id": pl.String,
    "content_hash": pl.String,
    "source": pl.String,
    "env_id": pl.String,
    "task_id": pl.String,
    "task_group": pl.String,
    "trial": pl.Int32,
    "split": pl.String,
    "license": pl.String,
    "reward": pl.Float32,
    "weight": pl.Float32,
    "messages": pl.UInt32,
    "turns": pl.UInt32,
    "calls": pl.UInt32,
    "failed_calls": pl.UInt32,
    "characters": pl.UInt64,
    "tools": _LIST,
    "turn_kinds": _LIST,
    "tiers": _LIST,
    "worst_tier": pl.String,
    "min_p": pl.Float32,
    "thinking": pl.UInt32,
    "flags": _LIST,
    "reject_step": pl.String,
    "reject_reason": pl.String,
    "parent_id": pl.String,
    "status": pl.String,
    "first_words": pl.String,
    "shard": pl.UInt16,
    "group": pl.UInt16,
    "at": pl.UInt32,
}
REPEATED = ("table", "source", "env_id", "split", "license", "worst_tier", "reject_step", "reject_reason", "status")
"""Columns of few values: kept as categories."""
PLAIN = ("trajectory_id", "content_hash", "source", "env_id", "task_id", "task_group", "trial", "split", "license")
"""Columns that stand in the index as in the row."""
_REJECTED = ("reject_step", "reject_reason")
_READ = [*PLAIN, "reward", "weight", "messages", "thinking", "evidence", "parent", "metadata"]


def index_frame(folder: DatasetFolder) -> pl.DataFrame:
    """The index of one folder, in the order of its rows: the columns of `SCHEMA`."""
    tables = [table for table in TABLES if table in folder.manifest.tables]
    total = sum(folder.manifest.rows(table) for table in tables)
    rows = (row for table in tables for row in _rows(folder, table))
    parts: list[pl.DataFrame] = []
    pending: list[dict[str, Any]] = []
    for row in track(rows, f"index of {folder.path.name}", total=total):
        pending.append(row)
        if len(pending) == 10_000:
            parts.append(pl.DataFrame(pending, schema=SCHEMA))
            pending = []
    parts.append(pl.DataFrame(pending, schema=SCHEMA))
    frame = pl.concat(parts, rechunk=True)
    return frame.cast(stored_schema())  # type: ignore[arg-type]


def stored_schema() -> dict[str, Any]:
    """The columns of an index as they are kept."""
    return SCHEMA | dict.fromkeys(REPEATED, pl.Categorical())


def _rows(folder: DatasetFolder, table: str) -> Iterator[dict[str, Any]]:
    """The index row of each row of a table."""
    columns = _READ if table == "trajectories" else [*_READ, *_REJECTED]
    before = folder.manifest.rows("trajectories") if table == "rejects" else 0
    number = 0
    for shard_number, shard in enumerate(folder.manifest.tables[table]):
        with pq.ParquetFile(folder.path / shard.path) as file:
            for group in range(file.num_row_groups):
                at = 0
                for batch in file.iter_batches(MAX_GROUP_ROWS, [group], columns):
                    for row in _plain(batch):
                        place = {"table": table, "shard": shard_number, "group": group, "at": at}
                        named = row["trajectory_id"] or f"{ROW}{before + number}"
                        yield place | summary(row) | {"trace": named}
                        at, number = at + 1, number + 1


def _plain(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    return batch.to_pylist()


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the index says of one row."""
    messages = row["messages"] or []
    turns = [message for message in messages if message["role"] == "assistant"]
    calls = [call for message in messages for call in message["tool_calls"] or []]
    evidence = row["evidence"] or []
    told = json_object(row["metadata"] or "") or {}
    found = {name: row[name] for name in (*PLAIN, "reward", "weight")}
    found |= {name: row.get(name) for name in _REJECTED}
    tiers = {step["tier"] for step in evidence}
    return found | {
        "messages": len(messages),
        "turns": len(turns),
        "calls": len(calls),
        "failed_calls": _failed(messages),
        "characters": sum(map(_length, messages)),
        "tools": sorted({str(call["name"]) for call in calls}),
        "turn_kinds": sorted({turn_kind(turn) for turn in turns}),
        "tiers": [tier for tier in TIERS if tier in tiers],
        "worst_tier": next((tier for tier in reversed(TIERS) if tier in tiers), None),
        "min_p": min((step["p"] for step in evidence if step["p"] is not None), default=None),
        "thinking": sum(bool(turn["reasoning_content"]) for turn in turns),
        "flags": sorted({code for each in row["thinking"] or [] for code in each["checks_failed"] or []}),
        "parent_id": (row["parent"] or {}).get("trajectory_id"),
        "status": _text(told.get("status")),
        "first_words": _first_words(messages),
    }


def _failed(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many calls got a result that reports a failure."""
    whole: Any = messages
    found = (pair.result_index for pair in pair_calls(whole))
    return sum(result_failed(whole[index]) for index in found if index is not None)


def _length(message: Mapping[str, Any]) -> int:
    said = len(message["content"] or "") + len(message["reasoning_content"] or "")
    return said + sum(len(call["arguments"] or "") for call in message["tool_calls"] or [])


def _first_words(messages: Sequence[Mapping[str, Any]]) -> str:
    said = next((message["content"] for message in messages if message["role"] == "user"), None)
    return " ".join((said or "")[: 4 * FIRST_WORDS].split())[:FIRST_WORDS]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
