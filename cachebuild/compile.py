"""From a dataset folder to a cache folder: tables entries, tools, calibration; report.md / report.html.

Entries are first written beside OUT with keys of env scope; what they say about each tool decides its scope, and the
second pass brings their shards into OUT. Held in memory are one batch and the arguments of the distinct calls.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from cachebuild.entries import Worlds
from cachebuild.index import open_index, prepare_index
from cachebuild.index_place import NoPlaceForIndex
from cachebuild.key import KEY_VERSION
from cachebuild.report import cache_report, history
from cachebuild.schema import ENTRY
from cachebuild.secret_check import search_secrets
from cachebuild.settings import CompileSettings, chosen_splits, words
from cachebuild.sources import KINDS, rules_of, unmatched
from cachebuild.spool import scratch_folder, spool
from cachebuild.tool_table import task_scoped_tools, write_tool_tables
from curate.cli import say
from curate.engine import engine_of
from curate.folder import DatasetFolder, FolderWriter, Manifest, folder_input


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
    settings.run.check()
    folder = DatasetFolder.open(settings.folder, kinds=KINDS)
    worlds = Worlds(rules_of(folder.manifest, settings.env_rules))
    manifest = Manifest("cache", "cachebuild", _recorded_settings(settings, worlds), [folder_input(folder)])
    reads = [settings.folder, settings.env_rules, settings.config]
    writing = FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads, finish=prepare_index)
    with writing as writer:
        for word in unmatched(folder, words(settings.include_rejects)):
            found = (
                "no reject with"
                if "rejects" in folder.manifest.tables
                else "no rejects (the curated folder holds them); none has"
            )
            say(f"note: {settings.folder} has {found} {word!r} in its reason")
        with scratch_folder(writer.journal / "spool") as scratch, engine_of(settings.run) as engine:
            spooled, left_out = spool(folder, splits, settings, worlds, scratch, engine)
            secrets = search_secrets(spooled.paths, settings.secrets)
            facts = write_tool_tables(spooled, worlds, settings, writer, engine)
            spooled.write(writer.table("entries", ENTRY), task_scoped_tools(facts), engine)
            totals = spooled.totals() | {"keys": sum(row["keys"] for row in facts.values())}
        writer.count(**totals, left_out=dict(sorted(left_out.items())), **({"secrets": secrets} if secrets else {}))
        report = cache_report(totals, left_out, facts)
        history(report, writer.counts, {})
        writer.add_report(report)
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


def _recorded_settings(settings: CompileSettings, worlds: Worlds) -> dict[str, Any]:
    """What decides the bytes: no paths; the rules themselves instead of their file."""
    return {
        "key_version": KEY_VERSION,
        "splits": sorted(chosen_splits(settings.splits)),
        "include_rejects": sorted(words(settings.include_rejects)),
        "env_rules": {env_id: asdict(rules) for env_id, rules in sorted(worlds.rules.items())},
        "scope": asdict(settings.scope),
        "calibration": asdict(settings.calibration),
        **({"secrets": "skip"} if settings.secrets == "skip" else {}),
    }
