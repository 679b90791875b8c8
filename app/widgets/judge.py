"""A judge beside people: kappa at a threshold, AUC, the table of both, and how good the answers of each score are."""

from __future__ import annotations

import altair as alt
import polars as pl
import streamlit as st

from app.agreed import BAD, GOOD, Judged
from app.widgets.heat import heat_map
from curate.palette import QUIET, SERIES
from synth.judge_agreement import JudgeFigures, judge_figures


def draw_judge(judged: Judged) -> None:
    """Draw one judge."""
    threshold = st.slider(
        "The judge says good from a score of", 0.0, 1.0, 0.6, 0.1, key=f"threshold {judged.judge}", width=360
    )
    found = judge_figures(judged.scores, judged.good, threshold)
    with st.container(horizontal=True):
        st.metric("Cohen's kappa with people", found.kappa.told(), width="content")
        st.metric("AUC: a good answer scores higher", found.auc.told(), width="content")
        st.metric("Calibration error", "undefined" if found.error is None else f"{found.error:.2f}", width="content")
    left, right = st.columns(2)
    with left:
        st.caption("People in rows, the judge in columns")
        heat_map("People and judge", (GOOD, BAD), found.confusion, "People", "Judge")
    with right:
        st.caption("Share of good answers by score, with 95 % intervals; on the line the score means what it says")
        _curve(found)
    st.dataframe(_bins(found), hide_index=True)


def _bins(found: JudgeFigures) -> pl.DataFrame:
    """The table of calibration."""
    rows = [
        {
            "Score": f"{each.low:.1f} to {each.high:.1f}",
            "Answers": each.items,
            "Mean score": "" if each.score is None else f"{each.score:.2f}",
            "Good, say people": each.good.told() if each.items else "",
        }
        for each in found.bins
    ]
    return pl.DataFrame(rows)


def _curve(found: JudgeFigures) -> None:
    points = [
        {
            "score": each.score,
            "good": each.good.value,
            "low": each.good.low,
            "high": each.good.high,
            "items": each.items,
        }
        for each in found.bins
        if each.items
    ]
    share = alt.Scale(domain=[0, 1])
    x = alt.X("score:Q", title="mean score", scale=share)
    base = alt.Chart(pl.DataFrame(points)).encode(x=x)
    bars = base.mark_rule(color=SERIES[0]).encode(y=alt.Y("low:Q", title="share of good", scale=share), y2="high:Q")
    dots = base.mark_point(color=SERIES[0], filled=True, size=70).encode(y="good:Q", tooltip=["score", "good", "items"])
    line = alt.Chart(pl.DataFrame({"score": [0.0, 1.0], "good": [0.0, 1.0]}))
    ideal = line.mark_line(color=QUIET, strokeDash=[4, 4]).encode(x="score:Q", y="good:Q")
    st.altair_chart((ideal + bars + dots).properties(height=220), width="stretch", alt="Calibration")
