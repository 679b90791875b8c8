"""Entries get the scope that was found for their tools: keys of the env, or keys of one task."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, TypeAlias

import pyarrow as pa

from cachebuild.key import Place, exact_key, normalised_key
from cachebuild.schema import ENTRY

Tool: TypeAlias = tuple[str, str]
"""(env_id, tool)."""

_CHANGED = ("scope", "scope_value", "key", "normalised_key")
_PARTS = ("initial_state_id", "task_id", "canonical_arguments", "normalised_arguments", "state_digest")


def misplaced(batch: pa.RecordBatch, task_scoped: Set[Tool], unserved: Set[Tool] = frozenset()) -> set[Tool]:
    """The (env, tool) whose entries have another scope than that; `batch` has columns env_id, tool, scope."""
    names = ["env_id", "tool", "scope"]
    found = pa.Table.from_batches([batch]).select(names).group_by(names).aggregate([])
    scopes = {((row["env_id"], row["tool"]), row["scope"]) for row in found.to_pylist()}
    return {tool for tool, scope in scopes if tool not in unserved and (scope == "task") != (tool in task_scoped)}


def rescoped(batch: pa.RecordBatch, task_scoped: Set[Tool], unserved: Set[Tool] = frozenset()) -> pa.Table:
    """The entries with task scope for the given (env, tool) and env scope for all others.

    Args:
        batch: rows of table `entries`.
        task_scoped: the tools whose results hold within one task.
        unserved: tools without a served call, of which nothing is known; theirs are left as they are.
    """
    table, moved = pa.Table.from_batches([batch]), misplaced(batch, task_scoped, unserved)
    if not moved:
        return table
    columns: dict[str, list[Any]] = {name: table[name].to_pylist() for name in ("env_id", "tool", *_CHANGED)}
    envs, tools, *changed = columns.values()
    parts: list[list[Any]] = [table[name].to_pylist() for name in _PARTS]
    scopes, values, keys, normalised_keys = changed
    for at, (env_id, tool) in enumerate(zip(envs, tools, strict=True)):
        if (env_id, tool) not in moved:
            continue
        start, task_id, canonical, normalised, digest = (part[at] for part in parts)
        scopes[at] = "task" if (env_id, tool) in task_scoped else "env"
        values[at] = task_id if scopes[at] == "task" else ""
        place = Place(env_id, start, values[at])
        keys[at] = exact_key(place, tool, canonical, digest)
        normalised_keys[at] = normalised_key(place, tool, normalised, digest)
    for name in _CHANGED:
        column = pa.chunked_array([columns[name]], pa.string())
        table = table.set_column(ENTRY.get_field_index(name), ENTRY.field(name), column)
    return table
