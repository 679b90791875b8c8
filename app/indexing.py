"""The index of a folder: what a list of traces shows and filters by, one row a trajectory or reject.

Row groups stream through: what stays of a trajectory is a few numbers and words, never its texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from app.flat_messages import FlatMessages
from app.folders import OpenFolder
from curate.env import DEFAULT_RULES, EnvRules, env_rules
from curate.manifest import Manifest
from curate.palette import TIER_COLORS

INDEX_VERSION = 1
"""Changes when the columns below, or how one is found, change."""

_WORD = pl.Categorical()
_COLUMN_TYPES: dict[str, Any] = {
    "table": _WORD,
    "trajectory_id": pl.String,
    "content_hash": pl.String,
    "source": _WORD,
    "env_id": _WORD,
    "task_id": pl.String,
    "task_group": pl.String,
    "trial": pl.Int32,
    "split": _WORD,
    "license": _WORD,
    "reward": pl.Float32,
    "weight": pl.Float32,
    "messages": pl.UInt32,
    "turns": pl.UInt32,
    "calls": pl.UInt32,
    "failed_calls": pl.UInt32,
    "characters": pl.UInt64,
    "tools": pl.List(_WORD),
    "turn_kinds": pl.List(_WORD),
    "tiers": pl.List(_WORD),
    "worst_tier": _WORD,
    "min_p": pl.Float32,
    "thinking": pl.UInt32,
    "flags": pl.List(_WORD),
    "reject_step": _WORD,
    "reject_reason": _WORD,
    "parent_id": pl.String,
    "status": _WORD,
    "first_words": pl.String,
    "shard": pl.UInt16,
    "group": pl.UInt16,
    "at": pl.UInt32,
}
SCHEMA = pl.Schema(_COLUMN_TYPES)
"""Columns of a folder's index; `app.library` puts row, folder, kind and trace before them."""

PLAIN = (
    "trajectory_id content_hash source env_id task_id task_group trial split license reward weight "
    "reject_step reject_reason"
).split()
"""Columns taken as they stand."""

MESSAGE_COLUMNS = [
    f"messages.list.element.{name}" for name in ("role", "content", "content_json", "reasoning_content", "is_error")
] + [f"messages.list.element.tool_calls.list.element.{name}" for name in ("name", "arguments")]
_COLUMNS = [
    *PLAIN,
    *MESSAGE_COLUMNS,
    "thinking.list.element.checks_failed",
    "evidence.list.element.tier",
    "evidence.list.element.p",
    "parent.trajectory_id",
    "metadata",
]
_TIERS = {tier: rank for rank, tier in enumerate(TIER_COLORS)}


@dataclass(frozen=True)
class Place:
    """Where rows stand: the table, the number of its shard, and the row group."""

    table: str
    shard: int
    group: int


def index_batches(folder: OpenFolder, progress: Callable[[int], None] | None = None) -> Iterator[pl.DataFrame]:
    """The index of a folder, a frame a row group.

    Args:
        folder: a dataset folder.
        progress: told how many more rows are done.
    """
    if folder.manifest is None:
        return
    rules = rules_by_env(folder.manifest)
    for table in folder.tables:
        for number, shard in enumerate(folder.manifest.tables[table]):
            for group, rows in _groups(folder.path / shard.path):
                yield index_rows(rows, Place(table, number, group), rules)
                if progress is not None:
                    progress(rows.num_rows)


def rules_by_env(manifest: Manifest) -> Callable[[str | None], EnvRules]:
    """What counts as a failed call in each env, by the word of who curated the data."""
    rules = env_rules(manifest.inherited("env_rules"))
    return lambda env_id: rules.get(env_id or "", DEFAULT_RULES)


def index_rows(rows: pa.Table, place: Place, rules: Callable[[str | None], EnvRules]) -> pl.DataFrame:
    """The index of the rows of one row group, in their order."""
    count = rows.num_rows
    columns: dict[str, Any] = {name: _plain(rows, name) for name in PLAIN}
    envs = [rules(env_id) for env_id in columns["env_id"]]
    columns |= FlatMessages.of(rows["messages"]).columns(envs)
    columns |= _of_thinking(_listed(rows, "thinking"))
    columns |= _of_evidence(_listed(rows, "evidence"))
    columns["parent_id"] = [each and each["trajectory_id"] for each in rows["parent"].to_pylist()]
    columns["status"] = [_status(text) for text in _plain(rows, "metadata")]
    columns |= {"table": [place.table] * count, "shard": [place.shard] * count, "group": [place.group] * count}
    columns["at"] = range(count)
    return pl.DataFrame({name: pl.Series(name, columns[name], dtype) for name, dtype in SCHEMA.items()})


def _groups(path: Path) -> Iterator[tuple[int, pa.Table]]:
    with pq.ParquetFile(path) as file:
        names = set(file.schema_arrow.names)
        columns = [name for name in _COLUMNS if name.partition(".")[0] in names]
        for group in range(file.num_row_groups):
            yield group, file.read_row_group(group, columns, use_threads=False)


def _plain(rows: pa.Table, name: str) -> list[Any]:
    return rows[name].to_pylist() if name in rows.column_names else [None] * rows.num_rows


def _listed(rows: pa.Table, name: str) -> list[list[Mapping[str, Any]]]:
    return [each or [] for each in _plain(rows, name)]


def _of_thinking(thinking: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, list[Any]]:
    return {"flags": [sorted({code for each in row for code in each["checks_failed"] or ()}) for row in thinking]}


def _of_evidence(evidence: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, list[Any]]:
    met = [sorted({each["tier"] for each in row if each["tier"]}, key=_rank) for row in evidence]
    sure = [min((each["p"] for each in row if each["p"] is not None), default=None) for row in evidence]
    return {"tiers": met, "worst_tier": [tiers[-1] if tiers else None for tiers in met], "min_p": sure}


def _rank(tier: str) -> tuple[int, str]:
    return _TIERS.get(tier, len(_TIERS)), tier


def _status(metadata: str | None) -> str | None:
    """How a rollout ended, by its metadata."""
    if not metadata or '"status"' not in metadata:
        return None
    try:
        told = orjson.loads(metadata)
    except ValueError:
        return None
    status = told.get("status") if isinstance(told, dict) else None
    return status if isinstance(status, str) else None
