"""Page: sign in, make an account, sign out; a lead says who else is one."""

from __future__ import annotations

import streamlit as st

from app.labels.accounts import Annotator
from app.labels.store import LabelStore
from app.navigation import link
from app.opened import opened
from app.reading.plain import escaped
from app.signing_in import draw_forms, sign_out, viewer
from curate.errors import UsageError


def draw() -> None:
    """Draw the page."""
    held = opened()
    if held.settings.server.read_only:
        st.info("This server shows the traces read-only: nobody signs in.", icon=":material/lock:")
        return
    who = viewer()
    st.title("Account")
    if who is None:
        draw_forms()
        return
    with st.container(width=560):
        _signed_in(held.labels, who)
        if who.role == "lead":
            _others(held.labels, who)


def _signed_in(labels: LabelStore, who: Annotator) -> None:
    role = "You are a lead: you make queues, see all labels and settle what annotators dispute."
    st.markdown(f"You are signed in as **{escaped(who.name, 64)}**.")
    st.caption(role if who.role == "lead" else "You label; others' labels show once you have given your own.")
    given = labels.latest(annotator=who.name).height
    with st.container(horizontal=True, vertical_alignment="center"):
        link("label", f"Label ({given:,} given so far)", icon=":material/label:")
        st.button("Sign out", icon=":material/logout:", on_click=sign_out)


def _others(labels: LabelStore, who: Annotator) -> None:
    """A lead says who else is one."""
    others = {person.name: person for person in labels.annotators() if person.name != who.name}
    if not others:
        return
    st.subheader("Annotators")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Annotator", list(others), format_func=lambda name: _told(others[name]))
        other = others[name]
        words = "Make an annotator again" if other.role == "lead" else "Make a lead"
        st.button(words, on_click=_change, args=(labels, who, other))
    st.caption("Accounts are removed, and passwords set anew, with `python -m app.accounts`.")


def _told(person: Annotator) -> str:
    return f"{person.name}, {person.role}"


def _change(labels: LabelStore, who: Annotator, other: Annotator) -> None:
    asking = viewer()
    if asking != who:  # signed out, or no lead any more, since the page was drawn
        return
    try:
        labels.set_role(other.name, "annotator" if other.role == "lead" else "lead")
    except UsageError as error:
        st.error(escaped(str(error)))
