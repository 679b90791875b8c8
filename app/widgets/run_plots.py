"""Plots of runs, each with its figures to be shown below it: curves, bars, shares, intervals, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import altair as alt
import polars as pl
import streamlit as st

from app.runs.metrics import COLORS, Panel
from cachebuild.answer import TIERS
from curate.palette import QUIET, SERIES

Plot: TypeAlias = alt.Chart | alt.LayerChart
HEIGHT = 290
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 4], [10, 4])
"""Of several runs over each other; the colour stays that of the series."""
_SYMBOLS: dict[str, Any] = {"symbolOpacity": 1, "symbolStrokeWidth": 3, "symbolSize": 110, "rowPadding": 2}
_NAMES = alt.Axis(labelLimit=260, labelOverlap=False, ticks=False, domain=False, labelPadding=6)


def with_figures(title: str, chart: Plot, figures: pl.DataFrame, key: str) -> None:
    """A plot with its title and, to be opened, the figures it is made of."""
    st.markdown(f"**{title}**")
    st.altair_chart(chart, width="stretch", key=f"plot-{key}", alt=title)
    folded = st.expander("Show figures", type="compact", key=f"figures-{key}", on_change="rerun")
    if folded.open:
        folded.dataframe(figures, hide_index=True)


def curves(panel: Panel, found: pl.DataFrame, runs: Sequence[str]) -> Plot:
    """A panel of one run or of several; the single steps stand thin behind their mean.

    Args:
        panel: what is shown.
        found: step, series, order, value, smooth, run.
        runs: in the order of their dashes.
    """
    names = [name for name in panel.series.values() if name in set(found["series"])]
    return _shares(panel, found, names) if panel.stacked and len(runs) == 1 else _lines(panel, found, names, runs)


def _lines(panel: Panel, found: pl.DataFrame, names: Sequence[str], runs: Sequence[str]) -> Plot:
    alone = len(names) == 1
    if alone and len(runs) > 1:  # one figure of several runs: the colour tells the runs apart
        color = _color("run:N", list(runs), list(SERIES), legend=True, symbol="stroke")
    else:
        color = _color("series:N", names, _colors(panel, names), legend=not alone, symbol="stroke")
    dashes: dict[str, Any] = {} if len(runs) == 1 or alone else {"strokeDash": _dash(runs)}
    base = alt.Chart(found).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickMinStep=1)),
        color=color,
        **dashes,
    )
    scale = alt.Scale(zero=False)
    thin = base.mark_line(strokeWidth=1, opacity=0.25, clip=True).encode(
        y=alt.Y("value:Q", title=panel.unit, scale=scale)
    )
    told = [alt.Tooltip("run:N"), alt.Tooltip("series:N"), alt.Tooltip("step:Q"), _number("value"), _number("smooth")]
    point = found.height <= len(names) * len(runs)
    mean = base.mark_line(strokeWidth=2, point=point).encode(y=alt.Y("smooth:Q", scale=scale), tooltip=told)
    drawn: Plot = (thin + mean).properties(height=HEIGHT)
    return drawn


def _shares(panel: Panel, found: pl.DataFrame, names: Sequence[str]) -> Plot:
    drawn: Plot = (
        alt.Chart(found)
        .mark_area(opacity=0.9)
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickMinStep=1)),
            y=alt.Y("smooth:Q", stack="zero", title=panel.unit, axis=alt.Axis(format="%"), scale=alt.Scale(nice=False)),
            color=_color("series:N", names, _colors(panel, names), legend=True),
            order=alt.Order("order:Q"),
            tooltip=[alt.Tooltip("series:N"), alt.Tooltip("step:Q"), alt.Tooltip("value:Q", format=".1%")],
        )
        .properties(height=HEIGHT)
    )
    return drawn


def _colors(panel: Panel, names: Sequence[str]) -> list[str]:
    return [panel.colors.get(name, SERIES[at % len(SERIES)]) for at, name in enumerate(names)]


def _color(
    field: str, domain: Sequence[str], colors: Sequence[str], *, legend: bool, symbol: str = "square"
) -> alt.Color:
    shown = alt.Legend(title=None, orient="top", columns=4, symbolType=symbol, **_SYMBOLS) if legend else None
    return alt.Color(field, scale=alt.Scale(domain=list(domain), range=list(colors)), legend=shown)


def _dash(runs: Sequence[str]) -> alt.StrokeDash:
    scale = alt.Scale(domain=list(runs), range=[list(each) for each in _DASHES[: len(runs)]])
    legend = alt.Legend(title=None, orient="bottom", columns=2, symbolStrokeWidth=2, symbolOpacity=1, symbolSize=400)
    return alt.StrokeDash("run:N", scale=scale, legend=legend)


def _number(name: str) -> alt.Tooltip:
    return alt.Tooltip(f"{name}:Q", format=".4g")


def bars(
    frame: pl.DataFrame,
    name: str,
    value: str,
    *,
    color: str | None = None,
    colors: dict[str, str] | None = None,
    unit: str,
    percent: bool = False,
) -> Plot:
    """Horizontal bars in the order of the rows.

    Args:
        frame: one row a bar, or a part of one where `color` names what splits them; column `order` orders the parts.
        name: column with the names of bars.
        value: column with their lengths.
        color: column that splits bars.
        colors: its values -> colour.
        unit: of the axis.
        percent: the lengths are shares of 1.
    """
    encoded: dict[str, Any] = {
        "y": alt.Y(f"{name}:N", sort=None, title=None, axis=_NAMES),
        "x": alt.X(f"{value}:Q", title=unit, stack="zero", axis=alt.Axis(format="%") if percent else alt.Axis()),
        "tooltip": [alt.Tooltip(each) for each in frame.columns if each not in ("order", "total")],
    }
    if color is not None and colors is not None:
        shown = [each for each in colors if each in set(frame[color])]
        encoded["color"] = _color(f"{color}:N", shown, [colors[each] for each in shown], legend=True)
        if "order" in frame.columns:
            encoded["order"] = alt.Order("order:Q")
    mark: dict[str, Any] = {"color": SERIES[0]} if color is None else {}
    chart: alt.Chart = alt.Chart(frame).mark_bar(height={"band": 0.72}, **mark).encode(**encoded)
    legend = 60 if color is not None else 0
    drawn: Plot = chart.properties(height=80 + legend + 26 * frame[name].n_unique())
    return drawn


def tier_colors() -> dict[str, str]:
    """The tiers' colours, best first."""
    return {name: COLORS[name] for name in TIERS}


def calibration(bins: pl.DataFrame) -> Plot:
    """What came true over what p promised, with the diagonal of an honest promise; points as large as their answers.

    Args:
        bins: answers, p, right, fidelity.
    """
    named = {"right": "exactly right", "fidelity": "fidelity"}
    long = bins.unpivot(list(named), index=["p", "answers"], variable_name="what", value_name="came")
    long = long.with_columns(pl.col("what").replace(named))
    honest = alt.Chart(pl.DataFrame({"p": [0.0, 1.0], "came": [0.0, 1.0]})).mark_line(color=QUIET, strokeDash=[5, 4])
    whole = alt.Scale(domain=[0, 1])
    base = alt.Chart(long).encode(
        x=alt.X("p:Q", scale=whole, title="mean p of a bin"),
        y=alt.Y("came:Q", scale=whole, title="came true"),
        color=_color("what:N", list(named.values()), list(SERIES[:2]), legend=True),
    )
    told = [alt.Tooltip("what:N"), _number("p"), _number("came"), alt.Tooltip("answers:Q", format=",")]
    size = alt.Size("answers:Q", scale=alt.Scale(range=[40, 320]), legend=None)
    points = base.mark_circle(opacity=0.9).encode(size=size, tooltip=told)
    line = honest.encode(x=alt.X("p:Q", scale=whole), y=alt.Y("came:Q", scale=whole))
    drawn: Plot = (line + base.mark_line(strokeWidth=2) + points).properties(height=380)
    return drawn


def intervals(frame: pl.DataFrame) -> Plot:
    """Two sides of each figure with their intervals.

    Args:
        frame: figure, side, value, low, high.
    """
    sides = list(dict.fromkeys(frame["side"]))
    base = alt.Chart(frame).encode(
        y=alt.Y("figure:N", sort=None, title=None, axis=_NAMES),
        yOffset=alt.YOffset("side:N", sort=sides),
        color=_color("side:N", sides, list(SERIES), legend=True),
    )
    told = [alt.Tooltip("figure:N"), alt.Tooltip("side:N"), *(_number(name) for name in ("value", "low", "high"))]
    lines = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title="value, 95 %"), x2="high:Q", tooltip=told)
    points = base.mark_circle(size=70, opacity=1).encode(x="value:Q", tooltip=told)
    drawn: Plot = (lines + points).properties(height=120 + 40 * frame["figure"].n_unique())
    return drawn
