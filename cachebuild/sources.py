"""Which trajectories of a dataset folder a cache is made of, and the rules they were made with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from curate.env import EnvRules, env_rules, load_env_rules
from curate.split import SplitSettings, split_of
from curate.trajectory import Trajectory

if TYPE_CHECKING:
    from curate.folder import DatasetFolder, Manifest

KINDS = ("curated", "augmented", "rollouts")
"""The folders that hold table `trajectories`."""


def rules_of(manifest: Manifest, given: Path | None = None) -> dict[str, EnvRules]:
    """Rules per env: those of `--env-rules FILE`, and for other envs those the folder was made with.

    Raises:
        UsageError: naming the env and the field that is wrong.
    """
    return env_rules(manifest.inherited("env_rules")) | load_env_rules(given)


def chosen_rows(
    folder: DatasetFolder, splits: frozenset[str], columns: Iterable[str], rejects: tuple[str, ...] = ()
) -> Iterator[Trajectory]:
    """The kept trajectories of some splits, then the rejected ones of some reasons.

    A reject was never split; it belongs where its task group belongs, so that held-out tasks stay held out.
    """
    columns = list(columns)
    for row in folder.rows("trajectories", columns):
        if row["split"] in splits:
            yield cast(Trajectory, row)
    if not rejects or "rejects" not in folder.manifest.tables:
        return
    shares = SplitSettings(**folder.manifest.inherited("split"))
    for row in folder.rows("rejects", [*columns, "task_group", "reject_reason"]):
        if row["task_group"] is not None and _chosen(row["reject_reason"], rejects):
            row["split"] = split_of(row["task_group"], shares)
            if row["split"] in splits:
                yield cast(Trajectory, row)


def unmatched(folder: DatasetFolder, rejects: tuple[str, ...]) -> list[str]:
    """The words of `--include-rejects` that no reject's reason has."""
    if not rejects:
        return []
    counted: Counter[str] = Counter()
    if "rejects" in folder.manifest.tables:
        counted.update(row["reject_reason"] for row in folder.rows("rejects", ["reject_reason"]))
    return [word for word in rejects if not any(_chosen(reason, (word,)) for reason in counted)]


def _chosen(reason: str, rejects: tuple[str, ...]) -> bool:
    return any(word == reason or word in reason.split("_") for word in rejects)
