"""The rewards of a group of rollouts as a small plot, coloured by their worst tier."""

from __future__ import annotations

import altair as alt
import polars as pl
import streamlit as st

from app.runs.metrics import COLORS
from curate.palette import QUIET

_COLUMNS = ["rollout", "reward", "tier", "min p", "ending", "answer", "process", "length"]


def group_plot(table: pl.DataFrame) -> None:
    """One point a rollout over the group's mean; those without a reward are left out."""
    paid = table.filter(pl.col("reward").is_not_null()).select(_COLUMNS)
    if paid.is_empty():
        st.caption("No rollout of this group has a reward.")
        return
    tiers = [name for name in COLORS if name in set(paid["tier"])]
    scale = alt.Scale(domain=tiers, range=[COLORS[name] for name in tiers])
    base = alt.Chart(paid)
    top = max(1.0, float(paid["reward"].max()))  # type: ignore[arg-type]
    points = base.mark_circle(size=110, opacity=1).encode(
        x=alt.X("rollout:O", title="rollout", axis=alt.Axis(labelAngle=0, ticks=False)),
        y=alt.Y("reward:Q", title="reward", scale=alt.Scale(domain=[min(0.0, float(paid["reward"].min())), top])),  # type: ignore[arg-type]
        color=alt.Color("tier:N", scale=scale, title="worst tier"),
        tooltip=[alt.Tooltip(name) for name in _COLUMNS],
    )
    mean = base.mark_rule(color=QUIET, strokeDash=[4, 4]).encode(y="mean(reward):Q")
    st.altair_chart((mean + points).properties(height=190), width="stretch", alt="rewards of the group's rollouts")
