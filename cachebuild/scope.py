"""What the recorded calls say about each tool: do equal keys have equal results, within a task and across tasks?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from curate.env import EnvRules, ToolKind
from curate.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

Scope: TypeAlias = Literal["env", "task"]

PRIOR_AGREEMENT = 0.95
"""Agreement assumed of a tool without any repeated key; with the weight below it is soon outweighed by the data."""
PRIOR_KEYS = 2.0


@dataclass(frozen=True)
class ScopeSettings:
    """When the data narrow a tool's scope to the task, or call it volatile.

    Attributes:
        min_keys: equal keys that must have been compared before the data may say anything; several of them that
            disagree within a task make a tool volatile before.
        across_below: narrow if equal keys of different tasks agree less often than this ...
        margin: ... and by this much less often than equal keys of one task (where those could be compared).
        volatile_below: volatile if equal keys of one task agree less often than this.
    """

    min_keys: int = 5
    across_below: float = 0.8
    margin: float = 0.1
    volatile_below: float = 0.8

    def check(self) -> None:
        """Refuse bounds that no agreement can have.

        Raises:
            UsageError: naming the setting.
        """
        if self.min_keys < 1:
            raise UsageError(f"--min-keys must be at least 1, not {self.min_keys}")
        for name in ("across_below", "margin", "volatile_below"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"--{name.replace('_', '-')} must be between 0 and 1, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two recorded calls of equal key had equal results: mean over keys, None where none could be compared.

    `groups` are the keys (within a task: keys of one task) that were recorded more than once.
    """

    groups: int
    share: float | None

    def __str__(self) -> str:
        return "no pairs" if self.share is None else f"{self.share:.0%} of {self.groups}"


def decide_scope(
    tool: str, within: Agreement, across: Agreement, rules: EnvRules, settings: ScopeSettings
) -> tuple[Scope, str, bool]:
    """(scope, evidence, volatile) of a tool; the user's word on the scope wins over the data.

    Narrowing helps only where keys of one task agree better: a tool whose tasks disagree, and whose few repeats within
    a task disagree as well, is volatile rather than task-scoped.
    """
    apart = within.share is None or within.share - (across.share or 0.0) >= settings.margin
    disagrees = _below(across, settings.across_below, settings.min_keys)
    volatile = _below(within, settings.volatile_below, settings.min_keys)
    volatile = volatile or _few_disagree(within, settings.volatile_below)
    if disagrees and not apart:
        volatile = volatile or _below(within, settings.volatile_below, 1)
    if tool in rules.scopes:
        return rules.scopes[tool], "user", volatile
    seen = f"equal keys agree within a task {within}, across tasks {across}"
    if disagrees and apart:
        return "task", f"data: {seen}", volatile
    compared = across.groups >= settings.min_keys
    return "env", f"{'data' if compared else 'default'}: {seen}", volatile


def _below(agreement: Agreement, bound: float, min_keys: int) -> bool:
    """Whether enough keys were compared, and they agree less often than the bound."""
    return agreement.share is not None and agreement.groups >= min_keys and agreement.share < bound


def _few_disagree(agreement: Agreement, bound: float) -> bool:
    """Whether more than one key disagrees, and the agreement to expect is below the bound.

    A key takes away at most 1, so that one accident never counts, however few keys there are.
    """
    disagreeing = agreement.groups * (1 - (agreement.share or 0.0))
    return disagreeing > 1 and expected_agreement(agreement) < bound


def expected_agreement(agreement: Agreement) -> float:
    """Agreement to expect of the next equal call: the measured one, drawn towards the prior where keys are few."""
    measured = (agreement.share or 0.0) * agreement.groups
    return (measured + PRIOR_AGREEMENT * PRIOR_KEYS) / (agreement.groups + PRIOR_KEYS)


def tool_policy(kind: ToolKind, id_driven: bool) -> list[str]:
    """The tiers that may answer for a tool.

    A write is never served by another write's result. Best-effort is for reads that no id decides, and for terminal
    tools, whose result nothing follows; a wrong sum is worse than none, so pure tools have none.
    """
    tiers = ["exact", "normalised"]
    if kind != "write":
        tiers.append("fuzzy")
    if kind == "terminal" or (kind == "read" and not id_driven):
        tiers.append("best_effort")
    return tiers


def measure_tools(entries: pl.DataFrame) -> dict[int, dict[str, Any]]:
    """What one can count of each tool; `key` must still be that of env scope.

    Two failures of one key agree in `within` and `across`, which decide scope and volatility: how a failure is worded
    (one recorder writes `Error: ...`, another `# var_7 = "Error: ..."`) says nothing about the world. The agreements
    that p rests on (`same_within`, `same`) compare texts.

    Args:
        entries: columns place (of the tool), task, key, result (UInt64), success.

    Returns:
        place -> calls, keys, task_keys, repeated_keys, success_share, and the `Agreement`s named above.
    """
    import polars as pl

    totals = entries.group_by("place").agg(
        calls=pl.len(),
        keys=pl.col("key").n_unique(),
        task_keys=pl.struct("key", "task").n_unique(),
        success_share=pl.col("success").mean(),
    )
    counts = entries.group_by("place", "key").len()
    repeated = counts.filter(pl.col("len") > 1).select("place", "key")  # only these can agree or disagree
    again = entries.join(repeated, on=["place", "key"], how="semi")
    failed = again.with_columns(result=pl.when("success").then("result").otherwise(_FAILED))
    columns = {
        "within": _agreement(_pairs_by_task(failed)),
        "across": _agreement(_pairs_by_key(failed), "across_share"),
        "same_within": _agreement(_pairs_by_task(again)),
        "same": _agreement(_pairs_by_key(again)),
    }
    numbers = dict(repeated.group_by("place").len().rows())
    nothing = Agreement(0, None)
    return {
        row["place"]: row
        | {"repeated_keys": numbers.get(row["place"], 0)}
        | {name: found.get(row["place"], nothing) for name, found in columns.items()}
        for row in totals.to_dicts()
    }


_FAILED = 0
"""Stands for the results of all failed calls."""


def _pairs_by_task(entries: pl.DataFrame) -> pl.DataFrame:
    """One row a key that one task recorded more than once: the share of its pairs that agree."""
    import polars as pl

    counted = _equal_pairs(entries, ["place", "key", "task"])
    return (
        counted.filter(pl.col("pairs") > 0).with_columns(share=pl.col("equal") / pl.col("pairs")).sort("key", "share")
    )


def _pairs_by_key(entries: pl.DataFrame) -> pl.DataFrame:
    """One row a key: the share of its pairs that agree, and of its pairs across tasks."""
    import polars as pl

    key = ["place", "key"]
    by_task = _equal_pairs(entries, [*key, "task"]).group_by(key)
    joined = _equal_pairs(entries, key).join(
        by_task.agg(task_equal=pl.col("equal").sum(), task_pairs=pl.col("pairs").sum()), on=key
    )
    across = pl.col("pairs") - pl.col("task_pairs")
    return joined.with_columns(
        share=pl.when(pl.col("pairs") > 0).then(pl.col("equal") / pl.col("pairs")),
        across_share=pl.when(across > 0).then((pl.col("equal") - pl.col("task_equal")) / across),
    ).sort("key")


def _equal_pairs(entries: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """One row a group: its ordered pairs of calls, and those with equal results."""
    import polars as pl

    n = pl.col("n").cast(pl.Int64)
    by_result = entries.group_by(*by, "result").agg(n=pl.len())
    counted = by_result.group_by(by).agg(equal=(n * (n - 1)).sum(), count=n.sum())
    return counted.with_columns(pairs=pl.col("count") * (pl.col("count") - 1))


def _agreement(groups: pl.DataFrame, column: str = "share") -> Mapping[int, Agreement]:
    """Number and mean of a column of shares, by place; null where nothing could be compared."""
    import polars as pl

    found = groups.drop_nulls(column).group_by("place", maintain_order=True).agg(pl.len(), share=pl.col(column).mean())
    return {row["place"]: Agreement(row["len"], row["share"]) for row in found.to_dicts()}
