"""What practice against the cache was worth on the live desk: tables and plots over the seeds of a mini run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from curate.palette import INK, TIER_COLORS
from curate.plots import curves
from curate.report import Report
from train.comparison import Comparison, compare

READ_OUTS = {"drawn": "turns drawn at temperature 1", "likeliest": "the likeliest turns"}


def compared(places: Sequence[Path], read_out: str = "drawn") -> Comparison:
    """After SFT against after GRPO, paired by task and pooled over seeds.

    Args:
        places: folder of each seed.
        read_out: "drawn" (temperature 1) or "likeliest".
    """
    pairs = [(place / f"live-sft-{read_out}", place / f"live-grpo-{read_out}") for place in places]
    return compare(pairs)


def report(places: Sequence[Path], seconds: Mapping[str, float]) -> Report:
    """The report of a run.

    Args:
        places: folder of each seed.
        seconds: of each step that was run now, over all seeds.
    """
    made = Report("Practice against the cache, judged on the live mini desk")
    made.text(
        "Success is that of held-out tasks: the desk ends as it should and the answer is right. Before: after SFT; "
        "after: after GRPO on cached results alone. Differences are paired by task; intervals are 95 %, by bootstrap."
    )
    for read_out, told in READ_OUTS.items():
        found = compared(places, read_out)
        for caption, (headers, rows) in found.tables()[1:]:
            made.table(f"{caption}; {told}", headers, rows)
        made.plot(f"Live success before and after, with 95 % intervals; {told}", found.plot())
    histories = [_history(place) for place in places]
    for name, label in (("reward/answer", "R_answer"), ("reward", "reward"), ("kl", "KL divergence")):
        series = {place.name: history[name] for place, history in zip(places, histories, strict=True)}
        made.plot(f"{label} over the steps of GRPO", curves(series, xlabel="step", ylabel=label))
    tiers = {name.removeprefix("tier/"): values for name, values in histories[0].items() if name.startswith("tier/")}
    met = {name: values for name, values in tiers.items() if any(values)}
    made.plot(
        f"Worst tier of a rollout over the steps, {places[0].name}",
        curves(met, xlabel="step", ylabel="share of rollouts", colors=TIER_COLORS | {"no_call": INK}),
    )
    if seconds:
        rows = [[label, round(value, 1)] for label, value in seconds.items()]
        made.table("Seconds of each step, all seeds", ["step", "s"], [*rows, ["all", round(sum(seconds.values()), 1)]])
    return made


def _history(place: Path) -> dict[str, list[float | None]]:
    """Each metric, one value a step of GRPO."""
    import polars as pl

    table = pl.read_parquet(place / "grpo" / "metrics.parquet").filter(pl.col("reward").is_not_null())
    return {name: table[name].to_list() for name in table.columns}
