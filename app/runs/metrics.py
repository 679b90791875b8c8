"""Curves of a training run: metrics.parquet of a model folder, whatever columns it has, binned for a plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from app.runs.files import METRICS, inside
from cachebuild.answer import TIERS
from curate.errors import FolderError
from curate.palette import SERIES, TIER_COLORS

MAX_POINTS = 200
"""Points of a curve; a longer run is binned, with the mean of each bin."""
NO_CALL = "no_call"
TIER_NAMES = (*TIERS, NO_CALL)
COLORS: Mapping[str, str] = {**TIER_COLORS, NO_CALL: SERIES[5]}
"""Of the tiers, and of a rollout without a call."""
_STATUSES = ("answered", "truncated", "unclosed_thinking", "turn_limit", "out_of_room", "crashed")
_MAIN = ("reward", "loss")


@dataclass(frozen=True)
class Panel:
    """One plot of a run.

    Attributes:
        title: what it shows.
        unit: of the axis.
        series: column -> name in the legend.
        colors: name -> colour; the palette's series otherwise.
        stacked: whether the series are shares of one whole.
    """

    title: str
    unit: str
    series: Mapping[str, str]
    colors: Mapping[str, str] = field(default_factory=dict)
    stacked: bool = False


PANELS = (
    Panel("Reward", "mean of a step", {"reward": "reward", "reward/answer": "answer", "reward/process": "process"}),
    Panel("Reward by worst tier", "mean of a step", {f"reward_by_tier/{name}": name for name in TIER_NAMES}, COLORS),
    Panel("Worst tiers", "share of rollouts", {f"tier/{name}": name for name in TIER_NAMES}, COLORS, stacked=True),
    Panel("Distance from the first model (KL)", "nats a token", {"kl": "KL"}),
    Panel(
        "Length of a rollout",
        "tokens",
        {f"completions/{name}_length": name for name in ("mean", "min", "max")},
    ),
    Panel("Endings", "share of rollouts", {f"ended/{name}": name for name in _STATUSES}, stacked=True),
    Panel("Calls and turns of a rollout", "mean of a step", {"rollout/calls": "calls", "rollout/turns": "turns"}),
    Panel("Lowest p of a rollout", "mean of a step", {"rollout/min_p": "lowest p"}),
    Panel(
        "Spread of rewards in a group",
        "reward, share of groups",
        {"reward_std": "spread", "frac_reward_zero_std": "groups without"},
    ),
    Panel("Loss", "loss of a step", {"loss": "loss", "eval_loss": "on validation"}),
    Panel("Learning rate", "of a step", {"learning_rate": "learning rate"}),
    Panel(
        "Time of a step",
        "seconds",
        {f"time/{name}_s": name for name in ("generation", "cache", "reward", "bookkeeping", "keeping")},
    ),
)
"""In the order of the page; a panel whose columns a run lacks is left out."""
_PROCESS = "process/"


def panels(frame: pl.DataFrame) -> list[Panel]:
    """The panels that a run has figures for, each with the series that it has."""
    process = [name for name in frame.columns if name.startswith(_PROCESS)]
    parts = Panel("Parts of the process", "0 to 1", {name: name.removeprefix(_PROCESS) for name in process})
    shown = [*PANELS[:8], parts, *PANELS[8:]]
    found = []
    for panel in shown:
        series = {name: label for name, label in panel.series.items() if _has(frame, name, stacked=panel.stacked)}
        if series:
            found.append(Panel(panel.title, panel.unit, series, _colors(panel), panel.stacked))
    return found


def _colors(panel: Panel) -> Mapping[str, str]:
    """A series has its colour whichever others a run has."""
    return panel.colors or {label: SERIES[at % len(SERIES)] for at, label in enumerate(panel.series.values())}


def _has(frame: pl.DataFrame, name: str, *, stacked: bool) -> bool:
    """Whether there is anything to draw; of shares, which all are 0 but for a few, something above 0."""
    if name not in frame.columns or frame[name].null_count() == frame.height:
        return False
    return not stacked or bool((frame[name] != 0).any())


def read_metrics(folder: Path) -> pl.DataFrame | None:
    """The steps of a run, one row each, all columns 64-bit floats but `step`; None if the folder has no metrics.

    The last row of a run, which sums it up, has neither reward nor loss and is left out.

    Raises:
        FolderError: if the file cannot be read.
    """
    path = inside(folder, METRICS)
    if path is None:
        return None
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FolderError(f"{METRICS} cannot be read ({error})") from error
    numeric = [name for name, kind in frame.schema.items() if kind.is_numeric()]
    frame = frame.select(pl.col(name).cast(pl.Float64).fill_nan(None) for name in numeric)
    main = [pl.col(name).is_not_null() for name in _MAIN if name in frame.columns]
    frame = frame.filter(pl.any_horizontal(main)) if main else frame
    if "step" not in frame.columns:
        frame = frame.with_row_index("step", 1)
    frame = frame.with_columns(pl.col("step").cast(pl.Int64))
    return frame.unique("step", keep="last", maintain_order=True).sort("step")


def curve(frame: pl.DataFrame, panel: Panel, *, points: int = MAX_POINTS) -> pl.DataFrame:
    """What a panel draws: step, series, value (mean of the bin), smooth (mean with its neighbours, a twentieth a side).

    Args:
        frame: the steps of a run.
        panel: of them.
        points: bins, at most.
    """
    width = -(-max(frame.height, 1) // points)
    columns = [name for name in panel.series if name in frame.columns]
    binned = (
        frame.with_row_index("at")
        .group_by(pl.col("at") // width, maintain_order=True)
        .agg(pl.col("step").last(), *(pl.col(name).mean() for name in columns))
    )
    reach = max(1, binned.height // 20)
    order = {name: place for place, name in enumerate(panel.series)}
    long = binned.unpivot(columns, index="step", variable_name="column", value_name="value").drop_nulls("value")
    smooth = pl.col("value").rolling_mean(2 * reach + 1, min_samples=1, center=True).over("column")
    named = pl.col("column").replace_strict(dict(panel.series), return_dtype=pl.String).alias("series")
    placed = pl.col("column").replace_strict(order, return_dtype=pl.Int32).alias("order")
    return long.with_columns(smooth.alias("smooth"), named, placed).select("step", "series", "order", "value", "smooth")


def overlaid(runs: Mapping[str, pl.DataFrame], panel: Panel, *, points: int = MAX_POINTS) -> pl.DataFrame:
    """`curve` of several runs, with the column `run`."""
    found = [curve(frame, panel, points=points).with_columns(pl.lit(name).alias("run")) for name, frame in runs.items()]
    return pl.concat(found) if found else pl.DataFrame()


@dataclass(frozen=True)
class Headline:
    """A run in a few figures, None where it has none.

    Attributes:
        steps: of the run.
        first: mean reward over the first tenth of the steps.
        last: over the last tenth.
        kl: at the end.
        length: mean tokens of a rollout over the last tenth.
        loss: over the last tenth.
    """

    steps: int
    first: float | None
    last: float | None
    kl: float | None
    length: float | None
    loss: float | None

    @property
    def gain(self) -> float | None:
        """What the reward gained from the first tenth to the last."""
        return None if self.first is None or self.last is None else self.last - self.first


def headline(frame: pl.DataFrame) -> Headline:
    """The figures of a run."""
    tenth = max(1, frame.height // 10)
    begin, end = frame.head(tenth), frame.tail(tenth)
    length = _mean(end, "completions/mean_length")
    return Headline(
        frame.height, _mean(begin, "reward"), _mean(end, "reward"), _mean(end, "kl"), length, _mean(end, "loss")
    )


def _mean(frame: pl.DataFrame, name: str) -> float | None:
    if name not in frame.columns:
        return None
    found = frame[name].mean()
    return float(found) if isinstance(found, (int, float)) else None
