"""Caps on what repeats: facts of the rows in, the rows beyond the cap of their task, tools or source out.

The best of a group stay: by reward, then by lot, so that neither the order of the files nor their cuts decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.errors import UsageError
from curate.report import Cell
from curate.sample import lots_of, tools_text

if TYPE_CHECKING:
    import polars as pl

CAPS = {"task_cap": "max_per_task", "tools_cap": "max_per_tools", "source_cap": "max_per_source"}
"""Reason -> setting, in the order in which the caps act: what one turned away does not count for the next."""
LARGEST_GROUPS = 10
"""Rows a cap has in the table of its largest groups."""


@dataclass(frozen=True)
class CapSettings:
    """How many rows of one kind stay; None sets no cap.

    Attributes:
        max_per_task: rows of one task (env_id, task_id).
        max_per_tools: rows that call the same set of tools.
        max_per_source: rows of one source.
        cap_seed: chooses among rows of equal reward.
    """

    max_per_task: int | None = None
    max_per_tools: int | None = None
    max_per_source: int | None = None
    cap_seed: int = 0

    def check(self) -> None:
        """Refuse caps that keep nothing.

        Raises:
            UsageError: for a cap below 1.
        """
        for name in CAPS.values():
            cap = getattr(self, name)
            if cap is not None and cap < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1, not {cap}")

    def caps(self) -> dict[str, int]:
        """Reason -> cap of those that are set, in the order in which they act."""
        given = {reason: getattr(self, name) for reason, name in CAPS.items()}
        return {reason: cap for reason, cap in given.items() if cap is not None}


def capped(facts: pl.DataFrame, settings: CapSettings) -> pl.DataFrame:
    """The rows beyond a cap.

    Args:
        facts: index i64, trajectory_id str, source str, env_id str, task_id str, tools list[str] (distinct and
            sorted), reward f32 or null.
        settings: the caps.

    Returns:
        index i64, reason str (`task_cap`, `tools_cap`, `source_cap`), detail str, in the order of the index.
    """
    import polars as pl

    left = facts.select("index", "trajectory_id", pl.col("reward").fill_nan(None), *_keys())
    nothing = pl.DataFrame(schema={"index": pl.Int64, "reason": pl.String, "detail": pl.String})
    gone = [nothing]
    for reason, cap in settings.caps().items():
        keys = _KEY_COLUMNS[reason]
        ranked = left.with_columns(lot=lots_of(left, reason, settings.cap_seed)).sort(
            "reward", "lot", "trajectory_id", descending=[True, False, False], nulls_last=True
        )
        ranked = ranked.with_columns(rank=pl.int_range(1, pl.len() + 1).over(keys), size=pl.len().over(keys))
        over = ranked.filter(pl.col("rank") > cap)
        gone.append(over.select("index", reason=pl.lit(reason), detail=_detail(reason, cap)))
        left = ranked.filter(pl.col("rank") <= cap).select(left.columns)
    return pl.concat(gone).sort("index")


def cap_table(facts: pl.DataFrame, gone: pl.DataFrame, settings: CapSettings) -> tuple[list[str], list[list[Cell]]]:
    """What each cap did: headers and rows (cap, at most, groups, groups cut, rows turned away).

    Args:
        facts: as given to `capped`.
        gone: what it returned.
        settings: the caps.
    """
    import polars as pl

    rows: list[list[Cell]] = []
    left = facts.select("index", *_keys())
    for reason, cap in settings.caps().items():
        keys = _KEY_COLUMNS[reason]
        cut = left.join(gone.filter(pl.col("reason") == reason), on="index", how="semi")
        rows.append([_NAMES[reason], cap, left.n_unique(keys), cut.n_unique(keys), cut.height])
        left = left.join(cut, on="index", how="anti")
    return ["cap", "at most", "groups", "groups cut", "turned away"], rows


def largest_groups_table(
    facts: pl.DataFrame, gone: pl.DataFrame, settings: CapSettings
) -> tuple[list[str], list[list[Cell]]]:
    """The groups that lost most to a cap: headers and rows (cap, group, rows turned away).

    Args:
        facts: as given to `capped`.
        gone: what it returned.
        settings: the caps.
    """
    import polars as pl

    rows: list[list[Cell]] = []
    for reason in settings.caps():
        lost = facts.join(gone.filter(pl.col("reason") == reason), on="index", how="semi").select(*_keys())
        counts = lost.group_by(_label(reason).alias("group")).len()
        counts = counts.sort("len", "group", descending=[True, False])[:LARGEST_GROUPS]
        rows += [[_NAMES[reason], group, count] for group, count in counts.rows()]
    return ["cap", "group", "turned away"], rows


_NAMES = {"task_cap": "task", "tools_cap": "tools", "source_cap": "source"}
_KEY_COLUMNS = {"task_cap": ["env_id", "task_id"], "tools_cap": ["tools"], "source_cap": ["source"]}


def _keys() -> list[pl.Expr]:
    """The columns by which groups are told apart."""
    import polars as pl

    return [pl.col("source"), pl.col("env_id"), pl.col("task_id"), tools_text().alias("tools")]


def _label(reason: str) -> pl.Expr:
    """A group's name for people."""
    import polars as pl

    name = pl.concat_str(_KEY_COLUMNS[reason], separator=" / ")
    return name.str.replace_all("\n", " + ", literal=True).str.slice(0, 160)


def _detail(reason: str, cap: int) -> pl.Expr:
    import polars as pl

    words = {
        "task_cap": "number {} of the {} of task {}; at most %d stay",
        "tools_cap": "number {} of the {} that call {}; at most %d stay",
        "source_cap": "number {} of the {} from {}; at most %d stay",
    }
    return pl.format(words[reason] % cap, "rank", "size", _label(reason))
