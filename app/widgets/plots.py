"""Small bar plots in the project's colours; what they draw was counted before, so a plot is a few bars and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from curate.palette import SERIES

HEIGHT = 150
_START = "split(datum.label, ' to ')[0]"
_COUNT = {"tickCount": 3, "tickMinStep": 1, "grid": True, "labelExpr": "format(datum.value, '~s')"}


def columns_plot(title: str, counts: Mapping[str, int], key: str) -> str | None:
    """Standing bars in the order given, a histogram; the name of the bar that was clicked."""
    named = alt.X("value:N", sort=None, title=None, axis=_axis(labelAngle=0, labelOverlap="greedy", labelExpr=_START))
    counted = alt.Y("traces:Q", title=None, axis=_axis(**_COUNT))
    return _drawn(title, counts, _bars(counts, SERIES[0]).encode(x=named, y=counted), key)


def ranked_plot(title: str, counts: Mapping[str, int], key: str, colors: Sequence[str] = SERIES[:1]) -> str | None:
    """Lying bars with their names beside them, of one colour or each of its own; the name of the bar clicked."""
    names = _axis(labelLimit=125, labelFontSize=11, labelOverlap=False, labelFlush=False)
    named = alt.Y("value:N", sort=None, title=None, axis=names)
    counted = alt.X("traces:Q", title=None, axis=_axis(**_COUNT))
    chart = _bars(counts, colors[0]).encode(y=named, x=counted)
    if len(colors) > 1:
        scale = alt.Scale(domain=list(counts), range=list(colors))
        chart = chart.encode(color=alt.Color("value:N", scale=scale, legend=None))
    return _drawn(title, counts, chart, key)


def _bars(counts: Mapping[str, int], color: str) -> alt.Chart:
    frame = pl.DataFrame({"value": list(counts), "traces": list(counts.values())})
    tooltip = [alt.Tooltip("value:N", title="value"), alt.Tooltip("traces:Q", title="traces", format=",")]
    chart: alt.Chart = alt.Chart(frame).mark_bar(color=color, cornerRadiusEnd=1).encode(tooltip=tooltip)
    return chart


def _axis(**options: Any) -> alt.Axis:
    return alt.Axis(**{"ticks": False, "domain": False, "grid": False, "labelPadding": 4, **options})


def _drawn(title: str, counts: Mapping[str, int], chart: alt.Chart, key: str) -> str | None:
    st.caption(title)
    if not counts:
        st.text("none")
        return None
    clickable = chart.properties(height=HEIGHT).add_params(alt.selection_point(name="bar", fields=["value"]))
    event: Any = st.altair_chart(clickable, width="stretch", alt=title, key=key, on_select="rerun")
    bars = event["selection"].get("bar") or [{}]
    name = bars[0].get("value")
    return name if name in counts else None
