"""The rollouts of one prompt and step, GRPO's group: what each was paid, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import polars as pl

from app.comparing.frames import of_folder
from curate.trajectory import Message, Trajectory

SCORES = ("answer", "process", "alpha")
"""Of the metadata's `reward`: what stands first; the parts of the process follow."""


def groups(frame: pl.DataFrame, folder: str) -> pl.DataFrame:
    """The groups of a folder, in the order of its rows.

    A group is a run of rows that go on from one trajectory, with rising numbers: the rollouts of a step stand together.

    Returns:
        group (the trace of its first rollout), parent_id, env_id, task_id, visit (which time this prompt came, from
        1), rollouts, mean, spread (standard deviation), lowest, highest (of the rewards).
    """
    rows = _numbered(of_folder(frame, folder))
    found = rows.group_by("number", maintain_order=True).agg(
        pl.col("trace").first().alias("group"),
        pl.col("parent_id").first(),
        pl.col("env_id").cast(pl.String).first(),
        pl.col("task_id").cast(pl.String).first(),
        pl.len().alias("rollouts"),
        pl.col("reward").mean().alias("mean"),
        pl.col("reward").std(ddof=0).alias("spread"),
        pl.col("reward").min().alias("lowest"),
        pl.col("reward").max().alias("highest"),
    )
    return found.with_columns(pl.int_range(1, pl.len() + 1).over("parent_id").alias("visit")).drop("number")


def members(frame: pl.DataFrame, folder: str, group: str) -> pl.DataFrame:
    """The rows of one group; empty if there is none that begins with `group`."""
    rows = _numbered(of_folder(frame, folder))
    numbers = rows.filter(pl.col("trace") == group)["number"]
    if numbers.is_empty():
        return rows.clear()
    return rows.filter(pl.col("number") == numbers[0])


def group_of(frame: pl.DataFrame, folder: str, trace: str) -> str | None:
    """The group that a rollout belongs to."""
    found = members(frame, folder, trace)
    return None if found.is_empty() else str(found["trace"][0])


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    found = rows.filter(pl.col("parent_id").is_not_null())
    begins = (pl.col("parent_id") != pl.col("parent_id").shift()) | (pl.col("trial") <= pl.col("trial").shift())
    return found.with_columns(begins.fill_null(True).cum_sum().alias("number"))


def table(found: pl.DataFrame, read: Callable[[str], Trajectory | None]) -> pl.DataFrame:
    """The rollouts of a group with what each was paid for.

    Args:
        found: rows of the index, as `members` gives them.
        read: gives the trajectory of a trace.

    Returns:
        trace, rollout (its number), reward, advantage (over the group's mean and spread, as GRPO has it), tier, min p,
        ending, calls, turns, length (characters said since the prompt), answer, process, alpha, then the parts.
    """
    rows = [_paid(row, read(row["trace"])) for row in found.select(_INDEX).to_dicts()]
    parts = sorted({name for row in rows for name in row["scores"]} - set(SCORES))
    columns = [*SCORES, *parts]
    flat = [{**{key: row[key] for key in row if key != "scores"}, **_scored(row["scores"], columns)} for row in rows]
    schema = {**_SCHEMA, **dict.fromkeys(columns, pl.Float64)}
    return pl.DataFrame(flat, schema=schema).with_columns(_advantage().alias("advantage"))


_INDEX = [
    "trace",
    "trial",
    "reward",
    pl.col("worst_tier").cast(pl.String),
    "min_p",
    pl.col("status").cast(pl.String),
    "calls",
    "turns",
]
_SCHEMA: dict[str, Any] = {
    "trace": pl.String,
    "rollout": pl.Int32,
    "reward": pl.Float64,
    "advantage": pl.Float64,
    "tier": pl.String,
    "min p": pl.Float64,
    "ending": pl.String,
    "calls": pl.Int64,
    "turns": pl.Int64,
    "length": pl.Int64,
}


def _advantage() -> pl.Expr:
    """GRPO's, with TRL's guard against a group without variance; null where there is no reward."""
    return (pl.col("reward") - pl.col("reward").mean()) / (pl.col("reward").std(ddof=1).fill_null(0.0) + 1e-4)


def _paid(row: dict[str, Any], trajectory: Trajectory | None) -> dict[str, Any]:
    told = told_of(trajectory)
    mine = [message for message in said_since(trajectory) if message["role"] == "assistant"]
    return {
        "trace": row["trace"],
        "rollout": row["trial"],
        "reward": row["reward"],
        "tier": row["worst_tier"] or "no_call",
        "min p": row["min_p"],
        "ending": row["status"] or told.get("status") or "",
        "calls": sum(len(message["tool_calls"]) for message in mine),
        "turns": len(mine),
        "length": sum(_length(message) for message in mine),
        "scores": _numbers(told.get("reward")),
    }


def said_since(trajectory: Trajectory | None) -> list[Message]:
    """What a rollout said behind its prompt; all of a trajectory without a parent."""
    if trajectory is None:
        return []
    parent = trajectory["parent"]
    return trajectory["messages"][parent["message_index"] + 1 if parent else 0 :]


def _length(message: Message) -> int:
    calls = sum(len(call["arguments"] or "") for call in message["tool_calls"])
    return len(message["content"] or "") + len(message["reasoning_content"] or "") + calls


def told_of(trajectory: Trajectory | None) -> dict[str, Any]:
    """The metadata of a row; empty where it is no JSON object."""
    try:
        found = orjson.loads(trajectory["metadata"] or "{}") if trajectory is not None else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _numbers(given: Any) -> dict[str, float]:
    """The scores among what the metadata says was paid."""
    if not isinstance(given, dict):
        return {}
    return {
        str(name): float(value)
        for name, value in given.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and name not in _SCHEMA
    }


def _scored(scores: dict[str, float], columns: Sequence[str]) -> dict[str, float | None]:
    return {name: scores.get(name) for name in columns}
