"""Page: label the traces of a queue by keyboard. The address holds the queue, so that a reload goes on in it."""

from __future__ import annotations

import time

import streamlit as st

from app.labels.accounts import Annotator
from app.labels.queues import Queue
from app.navigation import link
from app.opened import Opened, opened
from app.reading.plain import escaped
from app.signing_in import draw_forms, viewer
from app.sitting import Sitting, sitting_at
from app.widgets.keyboard import controls, draw_item, said_of_last
from app.widgets.queue_form import MODE_TITLES, queue_form
from curate.errors import UsageError

REST_AFTER = 0.12
"""Seconds that the browser has to show the first steps; keys that come so soon are refused anyway."""
_SITTING = "label.sitting"
_UNIT_TITLES = {"trajectory": "whole trajectories", "turn": "single turns"}


def draw() -> None:
    """Draw the page."""
    held = opened()
    if held.settings.server.read_only:
        st.info("This server shows the traces read-only: nothing is labelled.", icon=":material/lock:")
        return
    who = viewer()
    if who is None:
        st.title("Label")
        st.write("Sign in, so that your labels carry your name.")
        draw_forms()
        return
    name = st.query_params.get("queue", "")
    sitting = _sitting(held, name, who) if name else None
    if sitting is None:
        _queues(held, who, name)
    else:
        _labelling(sitting, held)


def _sitting(held: Opened, name: str, who: Annotator) -> Sitting | None:
    """The visit that goes on, or a new one."""
    kept: Sitting | None = st.session_state.get(_SITTING)
    if kept is not None and kept.queue.name == name and kept.annotator == who:
        return kept
    try:
        sitting = sitting_at(held.library, held.labels, name, who)
    except UsageError:
        return None
    st.session_state[_SITTING] = sitting
    return sitting


@st.fragment
def _labelling(sitting: Sitting, held: Opened) -> None:
    """The item and its keys; each press draws this part alone."""
    item = sitting.item()
    reading, saying = st.columns([7, 2], gap="medium")
    with reading:
        rest = None if item is None else draw_item(item)
        if item is None:
            _finished(sitting)
    with saying, st.container(key="label-controls", gap="small"):
        _head(sitting)
        said_of_last(sitting, held.labels.schema)
        controls(sitting, item, held.labels.schema)
    sitting.drawn()
    if rest is not None:
        time.sleep(REST_AFTER)
        rest()


def _head(sitting: Sitting) -> None:
    done, total = sitting.progress()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escaped(sitting.queue.name, 60)}**", width="stretch")
        if st.button("Queues", icon=":material/arrow_back:", type="tertiary", key="label.leave"):
            st.query_params.pop("queue", None)
            st.rerun()
    share = min(done / total, 1.0) if total else 1.0
    st.progress(share, f"{done:,} done, {max(total - done, 0):,} left")


def _finished(sitting: Sitting) -> None:
    if sitting.skipped:
        many = len(sitting.skipped)
        st.info(f"All is labelled but the {many:,} you skipped.", icon=":material/redo:")
        st.button("Show the skipped ones", on_click=sitting.again, type="primary")
        return
    st.success("This queue is done: there is nothing left for you to label in it.", icon=":material/check_circle:")
    link("agreement", "See the agreement", icon=":material/handshake:")


def _queues(held: Opened, who: Annotator, wanted: str) -> None:
    st.title("Label")
    if wanted:
        st.warning(f"There is no queue {escaped(wanted)} for you to label.", icon=":material/link_off:")
    own = {queue.name for queue in held.labels.queues(who.name)}
    shown = held.labels.queues() if who.role == "lead" else held.labels.queues(who.name)
    for queue in shown:
        _queue(held, who, queue, queue.name in own)
    if not shown and who.role != "lead":
        st.info("There is no queue for you yet. A lead makes one.", icon=":material/hourglass_empty:")
    if who.role == "lead":
        with st.container(width=760):
            st.subheader("Make a queue")
            queue_form(held, who, len(held.labels.queues()))


def _queue(held: Opened, who: Annotator, queue: Queue, own: bool) -> None:
    with st.container(border=True, width=760, horizontal=True, vertical_alignment="center"):
        with st.container(gap="xsmall", width="stretch"):
            st.markdown(f"**{escaped(queue.name, 120)}**")
            people = escaped(", ".join(queue.annotators), 200) or "everyone"
            st.caption(f"{_UNIT_TITLES[queue.unit]}, {MODE_TITLES[queue.mode].lower()}, for {people}")
        if not own:
            st.caption("not yours", width="content")
            return
        done, total = held.labels.progress(queue.name, who.name)
        st.progress(done / total if total else 1.0, f"{done:,} of {total:,} done", width=180)
        words = "Start" if not done else "Go on" if done < total else "Look"
        st.button(words, key=f"label.start {queue.name}", on_click=_start, args=(queue.name,), type="primary")


def _start(name: str) -> None:
    st.session_state.pop(_SITTING, None)
    st.query_params["queue"] = name
