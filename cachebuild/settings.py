"""What the commands can be told; the settings of one idea live beside it (scope, calibration, look-up)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from tyro.conf import Positional

from cachebuild.calibration import CalibrationSettings
from cachebuild.lookup import LookupSettings
from cachebuild.scope import ScopeSettings
from curate.errors import UsageError
from curate.settings import RunSettings
from curate.trajectory import SPLITS

SecretsMode: TypeAlias = Literal["warn", "refuse", "skip"]


@dataclass(frozen=True)
class CompileSettings:
    """Settings of `python -m cachebuild`.

    Attributes:
        folder: the dataset folder to compile (curated, augmented or rollouts).
        out: the cache folder to write.
        splits: whose calls are taken: train, validation, test, or all.
        include_rejects: rejected rows are taken too if this is their reason or a word of it, e.g. outcome, loop
            (below_outcome, call_loop): what a clumsy run saw is still true.
        env_rules: YAML file env -> rules; for envs it does not name, the rules that the folder was made with hold.
        overwrite: replace an existing cache.
        add: add the calls to the cache that stands at OUT, with the settings it was compiled with.
        secrets: found in results and arguments: warn, refuse to write the cache, or skip the search.
        scope: when a tool's results are shared between tasks.
        calibration: how p is counted.
        run: where the work is done.
        config: YAML or JSON file with any of these settings.
    """

    folder: Positional[Path]
    out: Path
    splits: tuple[str, ...] = ("train",)
    include_rejects: tuple[str, ...] = ()
    env_rules: Path | None = None
    overwrite: bool = False
    add: bool = False
    secrets: SecretsMode = "warn"
    scope: ScopeSettings = field(default_factory=ScopeSettings)
    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    run: RunSettings = field(default_factory=RunSettings)
    config: Path | None = None


@dataclass(frozen=True)
class AuditSettings:
    """Settings of `python -m cachebuild.audit`.

    Attributes:
        cache: the cache folder.
        queries: dataset folder whose paired calls are asked again.
        live: the live world to compare with instead: desk, for a cache of desk recordings.
        episodes: how many episodes `--live` plays; each is replayed once more with changes.
        preset: of the desk: full or mini.
        ablations: also answer the same queries with simpler caches, in one table.
        out: folder for one row per query and a report; without it the tables are only printed.
        splits: whose calls are asked: train, validation, test, or all.
        seed: picks among several outcomes of one key; of the episodes of `--live`, and of the intervals.
        overwrite: replace an existing audit.
        lookup: what may be served.
        config: YAML or JSON file with any of these settings.
    """

    cache: Positional[Path]
    queries: Path | None = None
    live: Literal["desk"] | None = None
    episodes: int = 200
    preset: Literal["full", "mini"] = "full"
    ablations: bool = False
    out: Path | None = None
    splits: tuple[str, ...] = ("all",)
    seed: int = 0
    overwrite: bool = False
    lookup: LookupSettings = field(default_factory=LookupSettings)
    config: Path | None = None


@dataclass(frozen=True)
class WithdrawSettings:
    """Settings of `python -m cachebuild.withdraw`; exactly one of trajectory, task, source and tool says what.

    Attributes:
        cache: the cache folder; it is changed in place, in one step.
        reason: why, for the report; needed unless --undo.
        trajectory: ids of the trajectories whose recorded calls are withdrawn.
        task: ids of the tasks.
        source: names of the sources.
        tool: names of the tools.
        undo: serve again what was withdrawn.
    """

    cache: Positional[Path]
    reason: str = ""
    trajectory: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    tool: tuple[str, ...] = ()
    undo: bool = False


@dataclass(frozen=True)
class CompactSettings:
    """Settings of `python -m cachebuild.compact`.

    Attributes:
        cache: the cache folder; it is changed in place, in one step.
        drop: also remove withdrawn calls for good; no --undo brings them back.
    """

    cache: Positional[Path]
    drop: bool = False


def words(values: tuple[str, ...]) -> tuple[str, ...]:
    """Values given apart or with commas between them."""
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def chosen_splits(values: tuple[str, ...]) -> frozenset[str]:
    """The splits that `--splits` names.

    Raises:
        UsageError: for an unknown name, or none.
    """
    names = words(values)
    known = f"known are {', '.join(SPLITS)} and all"
    for name in names:
        if name not in (*SPLITS, "all"):
            raise UsageError(f"--splits {name}: no such split; {known}")
    if not names:
        raise UsageError(f"--splits names no split; {known}")
    return frozenset(SPLITS) if "all" in names else frozenset(names)
