"""From a dataset folder to a cache folder: tables entries, tools, calibration; report.md / report.html.

Entries are first written beside OUT with keys of env scope; what they say about each tool decides its scope, and the
second pass writes them into OUT. Held in memory are one batch and the arguments of the distinct calls.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from cachebuild.calibration import FieldCounts, Recorded, calibrate, calibration_rows
from cachebuild.entries import ROW_COLUMNS, Worlds, entries, narrow
from cachebuild.index import open_index
from cachebuild.index_place import NoPlaceForIndex
from cachebuild.key import KEY_VERSION
from cachebuild.report import cache_report
from cachebuild.schema import CALIBRATION, ENTRY, TOOL
from cachebuild.scope import Agreement, ScopeSettings, decide_scope, expected_agreement, measure_tools, tool_policy
from cachebuild.settings import CompileSettings, chosen_splits, words
from cachebuild.sources import KINDS, chosen_rows, rules_of, unmatched
from curate.cli import say
from curate.folder import DatasetFolder, FolderWriter, Manifest, folder_input, read_batches
from curate.progress import track
from curate.table_writer import TableWriter

_SHARE_DIGITS = 6
"""Shares are rounded to this, so that the order in which threads add cannot show in the bytes."""
_RESULT_HEAD = 8_192
"""Characters of a result that calibration compares; long results of one tool are alike in form."""


def compile_cache(settings: CompileSettings) -> DatasetFolder:
    """Compile the calls of a dataset folder into the cache folder `settings.out`.

    Raises:
        UsageError: for a wrong path, split, rule or output folder.
        FolderError: if the input does not match its manifest.
        UpToDate: if OUT already is what these settings and this input give.
    """
    splits = chosen_splits(settings.splits)
    settings.calibration.check()
    settings.scope.check()
    folder = DatasetFolder.open(settings.folder, kinds=KINDS)
    worlds = Worlds(rules_of(folder.manifest, settings.env_rules))
    manifest = Manifest("cache", "cachebuild", _recorded_settings(settings, worlds), [folder_input(folder)])
    reads = [settings.folder, settings.env_rules, settings.config]
    with FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads) as writer:
        for word in unmatched(folder, words(settings.include_rejects)):
            found = (
                "no reject with"
                if "rejects" in folder.manifest.tables
                else "no rejects (the curated folder holds them); none has"
            )
            say(f"note: {settings.folder} has {found} {word!r} in its reason")
        with scratch_folder(writer.journal / "spool") as scratch:
            left_out = _spool(folder, splits, settings, worlds, scratch)
            spooled = Spool(scratch)
            facts = _tables(spooled, worlds, settings, writer)
            _write_entries(spooled, facts, writer)
            totals = spooled.totals() | {"keys": sum(row["keys"] for row in facts.values())}
        writer.count(**totals, left_out=dict(sorted(left_out.items())))
        writer.add_report(cache_report(totals, left_out, facts))
    return _indexed(settings.out)


def _indexed(out: Path) -> DatasetFolder:
    """The finished cache; that its index has no space takes nothing from it."""
    folder = DatasetFolder.open(out, unchecked=("entries",))  # what builds the index checks those
    try:
        open_index(folder)
    except NoPlaceForIndex as error:
        say(f"note: {error}; the cache is complete, and its index is tried again when it is opened")
        return DatasetFolder.open(out)
    return folder


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """An empty folder for the time of the block; what a killed run left there goes first."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _recorded_settings(settings: CompileSettings, worlds: Worlds) -> dict[str, Any]:
    """What decides the bytes: no paths; the rules themselves instead of their file."""
    return {
        "key_version": KEY_VERSION,
        "splits": sorted(chosen_splits(settings.splits)),
        "include_rejects": sorted(words(settings.include_rejects)),
        "env_rules": {env_id: asdict(rules) for env_id, rules in sorted(worlds.rules.items())},
        "scope": asdict(settings.scope),
        "calibration": asdict(settings.calibration),
    }


class Spool:
    """The entries of the first pass, as Parquet in a scratch folder."""

    def __init__(self, root: Path) -> None:
        self.paths = sorted(root.glob("*.parquet"))

    def scan(self) -> pl.LazyFrame:
        """All entries as a LazyFrame."""
        return pl.scan_parquet(self.paths)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The entries in the order of the input."""
        for path in self.paths:
            yield from read_batches(path)

    def totals(self) -> dict[str, int]:
        """Entries, trajectories and tasks (an identity of env and task each)."""
        counted = self.scan().select(
            entries=pl.len(),
            trajectories=pl.col("trajectory_id").n_unique(),
            tasks=pl.struct("env_id", "task_id").n_unique(),
        )
        return {name: int(value) for name, value in counted.collect().row(0, named=True).items()}

    def distinct(self, task_scoped: Set[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], Iterator[Recorded]]]:
        """(env, tool) -> its distinct successful calls with their commonest result, in the order of their keys."""
        by = ["env_id", "tool", "key", "scope_value"]
        scoped = pl.concat_str("env_id", "tool", separator="\0").is_in(["\0".join(place) for place in task_scoped])
        found = (
            self.scan()
            .filter("success")
            .with_columns(scope_value=pl.when(scoped).then("task_id").otherwise("scope_value"))
            .group_by(by)
            .agg(
                pl.col("initial_state_id", "state_digest", "canonical_arguments").first(),
                pl.col("result_hash").mode().min(),
            )
            .sort(by)
            .collect()
        )
        heads = self.scan().select("result_hash", result=pl.col("result").str.head(_RESULT_HEAD)).unique("result_hash")
        rows = found.join(heads.collect(), on="result_hash", how="left", maintain_order="left").iter_rows(named=True)
        for place, calls in groupby(rows, key=lambda row: (row["env_id"], row["tool"])):
            yield place, map(_recorded, calls)


def _recorded(row: dict[str, Any]) -> Recorded:
    group = (repr(row["initial_state_id"]), row["scope_value"], row["state_digest"])
    return Recorded(group, json.loads(row["canonical_arguments"]), row["result_hash"], row["result"])


def _spool(
    folder: DatasetFolder, splits: frozenset[str], settings: CompileSettings, worlds: Worlds, scratch: Path
) -> Counter[str]:
    """First pass: declared tools, then entries; returns what was left out, by reason."""
    rejects = words(settings.include_rejects)
    for row in chosen_rows(folder, splits, ("env_id", "split", "tools"), rejects):
        worlds.declare(row["env_id"], row["tools"])
    left_out: Counter[str] = Counter()
    table = TableWriter(scratch, "spool", ENTRY)
    rows = chosen_rows(folder, splits, ROW_COLUMNS, rejects)
    followed = track(rows, "reading calls", total=folder.manifest.rows("trajectories"))
    table.write(chain.from_iterable(entries(row, worlds, left_out) for row in followed))
    table.close()
    return left_out


def _tables(
    spool: Spool, worlds: Worlds, settings: CompileSettings, writer: FolderWriter
) -> dict[tuple[str, str], dict[str, Any]]:
    """Write tables `tools` and `calibration`; returns the rows of `tools` by (env, tool)."""
    measured = measure_tools(spool.scan())
    declared = {(env_id, tool) for env_id, tools in worlds.declared.items() for tool in tools}
    facts = {
        (env_id, tool): _tool_row(env_id, tool, measured.get((env_id, tool)), worlds, settings.scope)
        for env_id, tool in sorted(declared | measured.keys())
    }
    task_scoped = {place for place, row in facts.items() if row["scope"] == "task"}
    calibration = writer.table("calibration", CALIBRATION)
    for (env_id, tool), calls in spool.distinct(task_scoped):
        counted = calibrate(calls, settings.calibration, worlds.of(env_id).id_fields)
        facts[env_id, tool]["id_driven"] = _id_driven(counted)
        calibration.write(calibration_rows(env_id, tool, counted, settings.calibration))
    for row in facts.values():
        row["policy"] = tool_policy(row["kind"], row["id_driven"])
    writer.table("tools", TOOL).write(facts.values())
    return facts


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
        "normalised_agreement": _rounded(expected_agreement(found.get("normalised", nothing))),
    }


def _id_driven(counted: dict[str, FieldCounts]) -> bool:
    """Whether most calls carry an id: then another call's result is about another thing."""
    return any(counts.type == "id" and counts.share > 0.5 for counts in counted.values())


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, _SHARE_DIGITS)


def _write_entries(spool: Spool, facts: dict[tuple[str, str], dict[str, Any]], writer: FolderWriter) -> None:
    """Second pass: every entry with the scope that was found for its tool."""
    table = writer.table("entries", ENTRY)
    task_scoped = {place for place, row in facts.items() if row["scope"] == "task"}
    for batch in track(spool.batches(), "writing entries", unit="batch"):
        rows = pa.Table.from_batches([batch])
        places = rows.select(["env_id", "tool"]).group_by(["env_id", "tool"]).aggregate([]).to_pylist()
        if any((place["env_id"], place["tool"]) in task_scoped for place in places):
            table.write(
                narrow(entry) if (entry["env_id"], entry["tool"]) in task_scoped else entry
                for entry in batch.to_pylist()
            )
        else:
            table.write_table(rows)
