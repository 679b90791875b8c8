"""A cache folder in a new state: more recorded calls, or some of them out of service.

The shards of `entries` stay as they are, as links in the new folder, unless the evidence now tells another scope of one
of their tools. `tools` and `calibration` are counted anew over what is served. The folder is replaced in one step.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cachebuild.calibration import CalibrationSettings
from cachebuild.entries import Worlds
from cachebuild.index import prepare_index
from cachebuild.key import KEY_VERSION
from cachebuild.report import cache_report, history
from cachebuild.rescope import Tool, misplaced, rescoped
from cachebuild.schema import ENTRY, WITHDRAWN
from cachebuild.scope import ScopeSettings
from cachebuild.served import kept
from cachebuild.settings import CompileSettings
from cachebuild.sources import rules_of
from cachebuild.spool import Spool, scratch_folder
from cachebuild.tool_table import Facts, task_scoped_tools, write_tool_tables
from curate.atomic import aside_name
from curate.canonical import compact_json, hash128
from curate.cli import say
from curate.engine import Engine
from curate.errors import FolderError, UsageError
from curate.folder import DatasetFolder, FolderWriter, Manifest, read_batches
from curate.manifest import Shard
from curate.table_writer import TableWriter


@dataclass
class Revision:
    """What is to be published.

    Attributes:
        base: the cache as it stands.
        worlds: rules and tools of all its recorded calls, also of those to come.
        withdrawn: rows of table `withdrawn`, by position.
        added: recorded calls to come, with keys of env scope, and who writes them.
        rules: rules per env as they are recorded.
        counts: figures of the manifest that the revision does not count itself.
    """

    base: DatasetFolder
    worlds: Worlds
    withdrawn: list[dict[str, Any]]
    added: tuple[Spool, Engine] | None = None
    rules: dict[str, Any] | None = None
    counts: dict[str, Any] = field(default_factory=dict)


def open_cache(path: Path) -> DatasetFolder:
    """The cache that a command is to change.

    Raises:
        UsageError: if there is none.
        FolderError: if it does not match its manifest, or was compiled with another version of the key.
    """
    aside = aside_name(path)
    if not path.exists() and aside.exists():
        raise FolderError(f"a run was killed while it replaced {path}: rename {aside} to {path}, and run this again")
    folder = DatasetFolder.open(path, kinds=("cache",))
    version = folder.manifest.settings.get("key_version")
    if version != KEY_VERSION:
        raise FolderError(
            f"{path} was compiled with key version {version!r}, this version writes {KEY_VERSION!r}. "
            "Compile it again: python -m cachebuild DIR --out CACHE --overwrite"
        )
    return folder


def made_with(folder: DatasetFolder) -> CompileSettings:
    """The settings that a cache was compiled with, as far as the manifest holds them."""
    given = folder.manifest.settings
    return CompileSettings(
        folder.path,
        folder.path,
        splits=tuple(given["splits"]),
        include_rejects=tuple(given["include_rejects"]),
        scope=ScopeSettings(**given["scope"]),
        calibration=CalibrationSettings(**given["calibration"]),
    )


def worlds_of(folder: DatasetFolder) -> Worlds:
    """Rules and tools of a cache's recorded calls; MCP hints as far as they told the kind of a tool."""
    worlds = Worlds(rules_of(folder.manifest))
    for row in folder.rows("tools", ["env_id", "tool", "kind", "kind_evidence"]):
        hints = {"readOnlyHint": row["kind"] == "read"} if row["kind_evidence"] == "mcp" else {}
        worlds.declared.setdefault(row["env_id"], {})[row["tool"]] = hints
    return worlds


def withdrawn_rows(folder: DatasetFolder) -> list[dict[str, Any]]:
    """The rows of table `withdrawn`."""
    return list(folder.rows("withdrawn")) if "withdrawn" in folder.manifest.tables else []


@contextmanager
def revising(
    base: DatasetFolder, inputs: Sequence[dict[str, Any]] = (), reads: Iterable[Path | None] = ()
) -> Iterator[FolderWriter]:
    """Write the next state of a cache in its place; its settings begin empty.

    Args:
        base: the cache as it was read.
        inputs: what is added to it, as `folder_input` puts it.
        reads: the files and folders that the command reads.

    Raises:
        UsageError: if another run changed the cache since it was read, or is writing it.
    """
    manifest = Manifest("cache", base.manifest.command, {}, [*base.manifest.inputs, *inputs])
    with FolderWriter(base.path, manifest, overwrite=True, revises=True, reads=reads, finish=prepare_index) as writer:
        if Manifest.load(base.path) != base.manifest:
            raise UsageError(f"{base.path} was changed by another run meanwhile; run the same command again")
        yield writer


def write_revision(revision: Revision, writer: FolderWriter) -> None:
    """Write all tables of the new state, its settings, counts and report."""
    writer.settings.update(_recorded(revision))
    with scratch_folder(writer.journal / "served") as scratch:
        spool = _served(revision, scratch)
        engine = None if revision.added is None else revision.added[1]
        facts = write_tool_tables(spool, revision.worlds, made_with(revision.base), writer, engine)
        _write_entries(revision, facts, writer)
        totals = spool.totals() | {"keys": sum(row["keys"] for row in facts.values())}
    if revision.withdrawn:
        writer.table("withdrawn", WITHDRAWN).write(revision.withdrawn)
    writer.count(**(revision.base.manifest.counts | totals | revision.counts))
    report = cache_report(writer.counts, writer.counts["left_out"], facts)
    history(report, writer.counts, Counter(row["reason"] for row in revision.withdrawn))
    writer.add_report(report)


def tombstones(rows: Iterable[dict[str, Any]]) -> str:
    """The name of a set of withdrawn calls."""
    return hash128(compact_json([[row["position"], row["reason"]] for row in rows]))


def _recorded(revision: Revision) -> dict[str, Any]:
    """The settings with all that decides the bytes of this state; `parts` are the calls that came with each folder."""
    manifest, added = revision.base.manifest, revision.added
    given = {name: value for name, value in manifest.settings.items() if name != "withdrawn"}
    if revision.rules is not None:
        given["env_rules"] = revision.rules
    if added is not None and (rows := added[0].totals()["entries"]):
        given["parts"] = [*manifest.settings.get("parts", [manifest.rows("entries")]), rows]
    if revision.withdrawn:
        given["withdrawn"] = tombstones(revision.withdrawn)
    return given


def _served(revision: Revision, scratch: Path) -> Spool:
    """All that will be served, with keys of env scope: what stands in the shards so is linked, the rest is written."""
    hidden, start = np.array([row["position"] for row in revision.withdrawn], dtype=np.int64), 0
    for number, (path, shard) in enumerate(_shards(revision.base)):
        own = hidden[(hidden >= start) & (hidden < start + shard.rows)]
        if len(own) or _narrowed(path):
            rewritten = TableWriter(scratch, f"{number:05d}-served", ENTRY)
            for batch in kept(read_batches(path), own, start):
                rewritten.write_table(rescoped(batch, frozenset()))
            rewritten.close()
        else:
            _link(path, scratch / f"{number:05d}-as-it-stands.parquet")
        start += shard.rows
    for number, path in enumerate(revision.added[0].paths if revision.added is not None else ()):
        _link(path, scratch / f"added-{number:05d}.parquet")
    return Spool(scratch)


def _narrowed(path: Path) -> bool:
    """Whether a shard holds entries of task scope."""
    scopes = (batch.column(0).unique().to_pylist() for batch in read_batches(path, ["scope"]))
    return any("task" in found for found in scopes)


def _link(path: Path, target: Path) -> None:
    """A shard under another name; where links cannot be, a symbolic one does for scratch."""
    try:
        os.link(os.path.realpath(path), target)
    except OSError:
        target.symlink_to(path.resolve())


def _shards(folder: DatasetFolder) -> list[tuple[Path, Shard]]:
    return [(folder.path / shard.path, shard) for shard in folder.manifest.tables["entries"]]


def _write_entries(revision: Revision, facts: Facts, writer: FolderWriter) -> None:
    """The old shards, rewritten only where the scope of a served tool changed, then the new calls."""
    table, task_scoped = writer.table("entries", ENTRY), task_scoped_tools(facts)
    unserved = {place for place, row in facts.items() if not row["calls"]}
    moved: set[Tool] = set()
    for path, shard in _shards(revision.base):
        found = [misplaced(batch, task_scoped, unserved) for batch in read_batches(path, ["env_id", "tool", "scope"])]
        if any(found):
            moved = moved.union(*found)
            table.cut()
            for batch in read_batches(path):
                table.write_table(rescoped(batch, task_scoped, unserved))
        else:
            table.adopt(path, shard)
    for env_id, tool in sorted(moved):
        scope = "one task" if (env_id, tool) in task_scoped else "all tasks"
        say(f"note: results of {tool} in env {env_id} now hold within {scope}; the shards with them are written anew")
    if revision.added is not None:
        spool, engine = revision.added
        table.cut()
        spool.write(table, task_scoped, engine)
