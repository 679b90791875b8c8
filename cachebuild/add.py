"""More recorded calls for a cache that stands: `python -m cachebuild DIR --out CACHE --add`.

What comes out answers as one compile of all folders would. The folder's own calls become further shards; the settings
are those the cache was compiled with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import asdict, dataclass, fields
from typing import Any

from cachebuild.entries import Worlds
from cachebuild.revision import Revision, made_with, open_cache, revising, withdrawn_rows, worlds_of, write_revision
from cachebuild.secret_check import search_secrets
from cachebuild.settings import CompileSettings, chosen_splits, words
from cachebuild.sources import KINDS, chosen_rows, rules_of
from cachebuild.spool import Spool, scratch_folder, spool
from curate.cli import say
from curate.engine import engine_of
from curate.env import DEFAULT_RULES
from curate.errors import UpToDate, UsageError
from curate.folder import DatasetFolder, Manifest, folder_input
from curate.manifest import MANIFEST, sha256_file
from curate.trajectory import SPLITS


@dataclass(frozen=True)
class _Known:
    """The trajectories of a folder of which the cache has calls, also withdrawn ones: they are not stored twice."""

    ids: frozenset[str]
    other_version: int

    def counts(self) -> dict[str, int]:
        return {"known": len(self.ids), "other_version": self.other_version}


def add_folder(given: CompileSettings) -> DatasetFolder:
    """Add the calls of the dataset folder `given.folder` to the cache `given.out`.

    Raises:
        UsageError: for a wrong path, settings or rules other than the cache's, or a tool that the folder says is of
            another kind.
        FolderError: if one of them does not match its manifest.
        UpToDate: if the folder was added before.
    """
    if given.overwrite:
        raise UsageError("--add keeps what the cache holds, and --overwrite replaces it; give one of them")
    base = open_cache(given.out)
    settings = _settings(given, base)
    folder = DatasetFolder.open(settings.folder, kinds=KINDS)
    worlds = _worlds(base, folder, settings)
    reads = [settings.folder, settings.env_rules, settings.config]
    with revising(base, [folder_input(folder)], reads) as writer:
        sha256 = sha256_file(folder.path / MANIFEST)
        if any(source.get("manifest_sha256") == sha256 for source in base.manifest.inputs):
            raise UpToDate(f"{given.out} is up to date: it holds the calls of {folder.path} already")
        known = _known(base, folder, settings)
        revision = Revision(base, worlds, withdrawn_rows(base))
        with scratch_folder(writer.journal / "spool") as scratch, engine_of(given.run) as engine:
            splits = chosen_splits(settings.splits)
            added, left_out = spool(folder, splits, settings, worlds, scratch, engine, known.ids)
            _check_kinds(base, worlds)
            secrets = search_secrets(added.scan(), settings.secrets)
            revision.added = (added, engine)
            revision.counts = _counts(base.manifest.counts, added, left_out, secrets, known)
            revision.rules = {env_id: asdict(rules) for env_id, rules in sorted(worlds.rules.items())}
            write_revision(revision, writer)
    return DatasetFolder(base.path, Manifest.load(base.path))


def _counts(
    before: dict[str, Any], added: Spool, left_out: Counter[str], secrets: dict[str, int], known: _Known
) -> dict[str, Any]:
    """The figures that grow with what is added."""
    totals = added.totals()
    part = {"entries": totals["entries"], "trajectories": totals["trajectories"], **known.counts()}
    found = Counter(before.get("secrets", {})) + Counter(secrets)
    return {
        "left_out": dict(sorted((Counter(before["left_out"]) + left_out).items())),
        **({"secrets": dict(sorted(found.items()))} if found else {}),
        "added": [*before.get("added", []), part],
    }


def _settings(given: CompileSettings, base: DatasetFolder) -> CompileSettings:
    """The cache's own settings for what was not given."""
    made = made_with(base)
    default = {field.name: field.default for field in fields(CompileSettings)}
    chosen: dict[str, Any] = {}
    for name in ("splits", "include_rejects"):
        asked, own = getattr(given, name), getattr(made, name)
        flag = f"--{name.replace('_', '-')}"
        if asked == default[name]:
            if own != default[name]:
                say(f"note: {flag} {_shown(own)}, as {given.out} was compiled")
        elif _meant(name, asked) != _meant(name, own):
            raise UsageError(
                f"{given.out} was compiled with {flag} {_shown(own)}, not {','.join(asked)}; leave "
                f"{flag} out, or compile a cache of its own"
            )
        chosen[name] = own
    for name in ("scope", "calibration"):
        asked, own = getattr(given, name), getattr(made, name)
        for key, value in vars(asked).items():
            if value != getattr(own, key) and value != getattr(type(asked)(), key):
                raise UsageError(
                    f"{given.out} was compiled with --{key.replace('_', '-')} {getattr(own, key)}, not {value}; "
                    "leave it out, or compile a cache of its own"
                )
        chosen[name] = own
    chosen["secrets"] = given.secrets
    return CompileSettings(given.folder, given.out, env_rules=given.env_rules, config=given.config, **chosen)


def _shown(values: tuple[str, ...]) -> str:
    return "all" if set(values) == set(SPLITS) else ",".join(values) or "(none)"


def _meant(name: str, values: tuple[str, ...]) -> Set[str]:
    return chosen_splits(values) if name == "splits" else frozenset(words(values))


def _worlds(base: DatasetFolder, folder: DatasetFolder, settings: CompileSettings) -> Worlds:
    """Rules and tools of both; the rules of an env that the cache holds must be the same."""
    worlds = worlds_of(base)
    held = worlds.rules.keys() | worlds.declared.keys()
    rules = rules_of(folder.manifest, settings.env_rules)
    for env_id in sorted(rules.keys() & held):
        if rules[env_id] != worlds.rules.get(env_id, DEFAULT_RULES):
            raise UsageError(
                f"the rules of env {env_id!r} are not those that {base.path} was compiled with; give the same "
                "--env-rules, or compile the cache again"
            )
    return Worlds(dict(worlds.rules) | rules, worlds.declared)


def _check_kinds(base: DatasetFolder, worlds: Worlds) -> None:
    """The states of the old calls rest on the kinds of tools, so those must not change."""
    for row in base.rows("tools", ["env_id", "tool", "kind", "kind_evidence"]):
        kind, evidence = worlds.kind(row["env_id"], row["tool"])
        if kind != row["kind"]:
            raise UsageError(
                f"the folder says that {row['tool']} of env {row['env_id']} is a {kind} tool ({evidence}), and "
                f"{base.path} was compiled with it as {row['kind']} ({row['kind_evidence']}), on which the states of "
                "its calls rest; say which it is with --env-rules, compile the cache again, and add to that"
            )


def _known(base: DatasetFolder, folder: DatasetFolder, settings: CompileSettings) -> _Known:
    held: dict[str, str] = {}
    for batch in base.batches("entries", ["trajectory_id", "content_hash"]):
        held.update(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    columns, ids, others = ("trajectory_id", "content_hash", "env_id", "split"), set[str](), 0
    for row in chosen_rows(folder, chosen_splits(settings.splits), columns, words(settings.include_rejects)):
        if row["trajectory_id"] in held:
            ids.add(row["trajectory_id"])
            others += held[row["trajectory_id"]] != row["content_hash"]
    if ids:
        more = f", {others:,} of them with other messages" if others else ""
        say(f"note: {len(ids):,} trajectories are in {base.path} already{more}; they are not stored twice")
    return _Known(frozenset(ids), others)
