"""What is known of each tool of a cache, with its evidence: the tables `tools` and `calibration`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from cachebuild.bystanders import count_unchanged, seen_rows
from cachebuild.calibration import FieldCounts, calibration_rows
from cachebuild.distinct_calls import EntryNumbers, calibrated
from cachebuild.entries import Worlds
from cachebuild.normalising import count_ways, way_rows
from cachebuild.schema import CALIBRATION, TOOL
from cachebuild.scope import Agreement, ScopeSettings, decide_scope, expected_agreement, measure_tools, tool_policy
from cachebuild.settings import CompileSettings
from cachebuild.spool import Spool
from curate.engine import Engine, LocalEngine
from curate.folder import FolderWriter

Facts: TypeAlias = dict[tuple[str, str], dict[str, Any]]
"""(env, tool) -> its row of table `tools`."""

_SHARE_DIGITS = 6
"""Shares are rounded to this, so that the order in which threads add cannot show in the bytes."""


def write_tool_tables(
    spool: Spool, worlds: Worlds, settings: CompileSettings, writer: FolderWriter, engine: Engine | None = None
) -> Facts:
    """Write tables `tools` and `calibration`; returns the rows of `tools` by (env, tool)."""
    numbers = EntryNumbers.of(spool)
    measured = {numbers.tools[place]: found for place, found in measure_tools(numbers.entries).items()}
    declared = {(env_id, tool) for env_id, tools in worlds.declared.items() for tool in tools}
    facts = {
        (env_id, tool): _tool_row(env_id, tool, measured.get((env_id, tool)), worlds, settings.scope)
        for env_id, tool in sorted(declared | measured.keys())
    }
    task_scoped = task_scoped_tools(facts)
    calibration = writer.table("calibration", CALIBRATION)
    id_fields = {env_id: rules.id_fields for env_id, rules in worlds.rules.items()}
    engine = engine or LocalEngine(1)
    for (env_id, tool), counted in calibrated(spool, numbers, task_scoped, settings.calibration, id_fields, engine):
        facts[env_id, tool]["id_driven"] = _id_driven(counted)
        calibration.write(calibration_rows(env_id, tool, counted, settings.calibration))
    _add_evidence(facts, spool, id_fields)
    for row in facts.values():
        row["policy"] = tool_policy(row["kind"], row["id_driven"])
    writer.table("tools", TOOL).write(facts.values())
    return facts


def _add_evidence(facts: Facts, spool: Spool, id_fields: Mapping[str, tuple[str, ...]]) -> None:
    """Count what calls of equal normalised arguments, and equal reads behind tied writes, have in common."""
    for place, counted in count_ways(spool.scan(), id_fields).items():
        facts[place]["normalised"] = way_rows(counted)
    for place, seen in count_unchanged(spool.scan(), id_fields).items():
        facts[place]["behind"] = seen_rows(seen)


def task_scoped_tools(facts: Facts) -> set[tuple[str, str]]:
    """The (env, tool) whose results hold within one task."""
    return {place for place, row in facts.items() if row["scope"] == "task"}


def _tool_row(
    env_id: str, tool: str, found: dict[str, Any] | None, worlds: Worlds, settings: ScopeSettings
) -> dict[str, Any]:
    """The row of table `tools`, but for what the calibration tells."""
    nothing = Agreement(0, None)
    found = found or {}
    within, across = found.get("within", nothing), found.get("across", nothing)
    scope, evidence, volatile = decide_scope(tool, within, across, worlds.of(env_id), settings)
    kind, kind_evidence = worlds.kind(env_id, tool)
    keys = found.get("task_keys" if scope == "task" else "keys", 0)
    same = found.get("same_within" if scope == "task" else "same", nothing)
    return {
        "env_id": env_id,
        "tool": tool,
        "kind": kind,
        "kind_evidence": kind_evidence,
        "scope": scope,
        "scope_evidence": evidence,
        "volatile": volatile,
        "id_driven": False,
        "calls": found.get("calls", 0),
        "keys": keys,
        "repeated_keys": within.groups if scope == "task" else found.get("repeated_keys", 0),
        "success_share": _rounded(found.get("success_share")),
        "within_groups": within.groups,
        "within_agreement": _rounded(within.share),
        "across_keys": across.groups,
        "across_agreement": _rounded(across.share),
        "agreement": _rounded(expected_agreement(same)),
        "normalised": [],
        "behind": [],
    }


def _id_driven(counted: dict[str, FieldCounts]) -> bool:
    """Whether most calls carry an id: then another call's result is about another thing."""
    return any(counts.type == "id" and counts.share > 0.5 for counts in counted.values())


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, _SHARE_DIGITS)
