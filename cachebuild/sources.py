"""Which trajectories of a dataset folder a cache is made of, and the rules they were made with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

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


@dataclass(frozen=True)
class Chosen:
    """Which trajectories are taken: the kept ones of some splits, and rejects of some reasons.

    A reject was never split; it belongs where its task group belongs, so that held-out tasks stay held out.

    Attributes:
        splits: their names.
        rejects: reasons, or words of them.
        shares: how the folder was split; None where no reject is taken.
    """

    splits: frozenset[str]
    rejects: tuple[str, ...] = ()
    shares: SplitSettings | None = None

    @classmethod
    def of(cls, folder: DatasetFolder, splits: frozenset[str], rejects: tuple[str, ...] = ()) -> Chosen:
        """The choice among the trajectories of a folder."""
        if not rejects or "rejects" not in folder.manifest.tables:
            return cls(splits)
        return cls(splits, rejects, SplitSettings(**folder.manifest.inherited("split")))

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables to be read, in their order."""
        return ("trajectories",) if self.shares is None else ("trajectories", "rejects")

    def columns(self, table: str, columns: Iterable[str]) -> list[str]:
        """Columns of a table with those that the choice needs."""
        needed = ("split",) if table == "trajectories" else ("split", "task_group", "reject_reason")
        return list(dict.fromkeys((*columns, *needed)))

    def rows(self, table: str, rows: Iterable[dict[str, Any]]) -> Iterator[Trajectory]:
        """Those rows of a table that are taken; a reject gets the split of its task group."""
        for row in rows:
            if table == "rejects":
                if row["task_group"] is None or not _chosen(row["reject_reason"], self.rejects):
                    continue
                row["split"] = split_of(row["task_group"], self.shares or SplitSettings())
            if row["split"] in self.splits:
                yield cast(Trajectory, row)


def chosen_rows(
    folder: DatasetFolder, splits: frozenset[str], columns: Iterable[str], rejects: tuple[str, ...] = ()
) -> Iterator[Trajectory]:
    """The kept trajectories of some splits, then the rejected ones of some reasons."""
    chosen, columns = Chosen.of(folder, splits, rejects), list(columns)
    for table in chosen.tables:
        yield from chosen.rows(table, folder.rows(table, chosen.columns(table, columns)))


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
