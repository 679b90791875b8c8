"""A table of counts as coloured squares: the darker, the more; the count stands in each."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from curate.palette import INK, SERIES

CELL = 62
"""Pixels of a square."""
AROUND = 110
"""Pixels beside the squares, for the rows' names."""
ABOVE = 50
"""Pixels over them, for the columns' names."""


def heat_map(title: str, names: Sequence[str], table: NDArray, rows: str, columns: str) -> None:  # type: ignore[type-arg]
    """Draw counts, shape (names, names); `rows` and `columns` say who they are."""
    cells = [
        {"row": one, "column": other, "count": float(table[y, x])}
        for y, one in enumerate(names)
        for x, other in enumerate(names)
    ]
    most = float(table.max(initial=0)) or 1.0
    base = alt.Chart(pl.DataFrame(cells)).encode(
        x=alt.X(
            "column:N", sort=None, title=columns, axis=alt.Axis(orient="top", labelAngle=0, ticks=False, domain=False)
        ),
        y=alt.Y("row:N", sort=None, title=rows, axis=alt.Axis(ticks=False, domain=False)),
        tooltip=["row:N", "column:N", alt.Tooltip("count:Q", format=",.4~g")],
    )
    shade = alt.Color("count:Q", legend=None, scale=alt.Scale(domain=[0, most], range=["#eef3f7", SERIES[0]]))
    ink = alt.condition(alt.datum.count > most * 0.55, alt.value("#ffffff"), alt.value(INK))
    squares = base.mark_rect(cornerRadius=3, stroke="white", strokeWidth=2).encode(color=shade)
    counts = base.mark_text(fontSize=14).encode(text=alt.Text("count:Q", format=",.4~g"), color=ink)
    side = CELL * max(1, len(names))
    chart = (squares + counts).properties(height=side + ABOVE).configure_view(stroke=None)
    st.altair_chart(chart, width=side + AROUND, alt=title)
