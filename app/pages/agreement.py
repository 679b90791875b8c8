"""Page: how far annotators agree, what they dispute, and how a judge stands to them. The address holds the choices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
import streamlit as st

from app.agreed import Agreed, Unit, judged_answers, may_look
from app.navigation import link
from app.opened import opened
from app.reading.plain import escaped, one_line
from app.signing_in import viewer
from app.widgets.disputes import draw_disputes
from app.widgets.heat import heat_map
from app.widgets.judge import draw_judge
from synth.agreement import (
    Figure,
    Ratings,
    cohen_kappa,
    coincidences,
    confusion,
    fleiss_kappa,
    krippendorff_alpha,
    rater_figures,
    raw_agreement,
)

ALL = "All labels"
EVERYBODY = "Everybody"
UNITS: dict[str, Unit] = {"Trajectories": "trajectory", "Turns": "turn"}
VIEWS = ("In dispute", "Annotators", "Tags", "Judge")
"""As in the address."""


def draw() -> None:
    """Draw the page."""
    held, who = opened(), viewer()
    if not may_look(held, who):
        st.info("Who has signed in sees how far annotators agree.", icon=":material/handshake:")
        link("account", "Sign in", icon=":material/login:")
        return
    agreed = _chosen()
    if who is not None:
        st.caption("Labels of others in a queue that you have yet to finish are left out.")
    if agreed.labels.is_empty():
        st.info("There are no labels here yet.", icon=":material/handshake:")
        link("label", "Label", icon=":material/label:")
        return
    _overview(agreed)
    view = st.segmented_control(
        "Look at", VIEWS, default=VIEWS[0], key="view", bind="query-params", required=True, label_visibility="collapsed"
    )
    if view == "Annotators":
        _people(agreed.ratings)
    elif view == "Tags":
        _tags(agreed)
    elif view == "Judge":
        _judge(agreed)
    else:
        draw_disputes(agreed, who)


def _chosen() -> Agreed:
    """The labels of the queue and unit that the visitor chose."""
    store = opened().labels
    queues = [queue.name for queue in store.queues()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        queue = st.selectbox("Queue", [ALL, *queues], format_func=one_line, key="queue", bind="query-params", width=280)
        unit = st.segmented_control(
            "Labels of", list(UNITS), default=next(iter(UNITS)), key="unit", bind="query-params", required=True
        )
    name = None if queue in (ALL, None) else queue
    return Agreed.of(store, viewer(), name, UNITS.get(str(unit), "trajectory"))


def _overview(agreed: Agreed) -> None:
    """Counts and the figures of agreement."""
    ratings = agreed.ratings
    paired = ratings.paired()
    counts = {
        "Labels": agreed.labels.height,
        "Annotators": agreed.labels["annotator"].n_unique(),
        "Labelled by two or more": len(paired.items),
        "In dispute": len(agreed.open_disputes(settled=False)),
    }
    for column, (name, value) in zip(st.columns(len(counts)), counts.items(), strict=True):
        column.metric(name, f"{value:,}")
    st.markdown("##### Agreement on the verdict")
    figure_table(_figures(agreed), "Measure")


def _figures(agreed: Agreed) -> Iterable[tuple[str, Figure]]:
    ratings = agreed.ratings
    yield "Share of equal labels", raw_agreement(ratings)
    yield "Krippendorff's alpha", krippendorff_alpha(ratings)
    if agreed.ordinal:
        yield "Krippendorff's alpha, bad < unsure < good", krippendorff_alpha(ratings, "ordinal")
    yield "Fleiss' kappa", fleiss_kappa(ratings)
    if len(ratings.raters) == 2:
        yield "Cohen's kappa", cohen_kappa(ratings, *ratings.raters)


def figure_table(rows: Iterable[tuple[str, Figure]], head: str) -> None:
    """Figures with their intervals; one that is undefined says why."""
    told = [
        {
            head: name,
            "Value": _value(figure),
            "95 % interval": _interval(figure),
            "Items": figure.items,
            "Why": figure.why,
        }
        for name, figure in rows
    ]
    frame = pl.DataFrame(told)
    shown = frame if (frame["Why"] != "").any() else frame.drop("Why")
    st.dataframe(shown, hide_index=True, column_config={head: st.column_config.TextColumn(width="medium")})


def _value(figure: Figure) -> str:
    return "undefined" if figure.value is None else f"{figure.value:.2f}"


def _interval(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else f"{figure.low:.2f} to {figure.high:.2f}"


def _people(ratings: Ratings[Any]) -> None:
    """Each annotator beside the rest, and who says what where another says something else."""
    rows = [
        {
            "Annotator": one_line(row.rater, 64),
            "Verdicts": row.labels,
            "Equal to others": _value(row.agreement),
            "95 % interval": _interval(row.agreement),
            "Kappa with the majority of the rest": row.kappa.told(),
        }
        for row in rater_figures(ratings)
    ]
    if not rows:
        st.info("Nobody has given a verdict here.")
        return
    st.dataframe(pl.DataFrame(rows), hide_index=True)
    if len(ratings.raters) > 1:
        _confusion(ratings)


def _confusion(ratings: Ratings[Any]) -> None:
    """The heat map of two annotators, or of all pairs of labels."""
    names = [EVERYBODY, *ratings.raters]
    with st.container(horizontal=True):
        one = st.selectbox("Who", names, format_func=_plain_name, key="one", bind="query-params", width=220)
        other = st.selectbox("With whom", names, format_func=_plain_name, key="other", bind="query-params", width=220)
    if one not in ratings.raters or other not in ratings.raters:
        st.caption("Pairs of labels on one item; each label of an item counts once.")
        heat_map("Pairs of labels", ratings.categories, coincidences(ratings), "One", "Another")
        return
    if one == other:
        st.caption("Choose two annotators.")
        return
    pair = ratings.pair(one, other)
    st.caption(f"{len(pair.items):,} items that both labelled. Cohen's kappa {cohen_kappa(ratings, one, other).told()}")
    table = confusion(ratings, one, other)
    heat_map("Labels of two annotators", ratings.categories, table, one_line(one, 40), one_line(other, 40))


def _plain_name(name: str) -> str:
    return one_line(name, 64)


def _tags(agreed: Agreed) -> None:
    """How far annotators agree on each tag."""
    rows = [
        {
            "Tag": one_line(tag, 80),
            "Labels with it": times,
            "Equal": shared.told(),
            "Krippendorff's alpha": alpha.told(),
        }
        for tag, times, shared, alpha in agreed.tag_figures()
    ]
    if not rows:
        st.info("No label has a tag.")
        return
    st.caption("A label without the tag says that it is not there.")
    st.dataframe(pl.DataFrame(rows), hide_index=True)


def _judge(agreed: Agreed) -> None:
    """Judges of the opened rollouts beside people."""
    found = judged_answers(opened().library, agreed.final())
    if not found:
        st.info(
            "Open rollouts whose answers a judge has scored, and label them as good or bad: this page then tells how "
            "far the judge agrees with people.",
            icon=":material/gavel:",
        )
    for judged in found:
        st.markdown(f"##### {escaped(judged.judge, 80)}: {len(judged.scores):,} answers")
        draw_judge(judged)
