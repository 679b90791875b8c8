"""Saved views: an address under a name, for everyone who opens the same labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from app.filters import FilterState
from app.labels.store import LabelStore, View
from app.reading.plain import escaped
from curate.errors import UsageError

if TYPE_CHECKING:
    from app.labels.store import Annotator

PAGE = "browse"
LONGEST_NAME = 80


def views_menu(state: FilterState, labels: LabelStore, viewer: Annotator | None) -> None:
    """Open, save and delete views; who reads only opens them."""
    menu = st.popover("Views", icon=":material/bookmark:", key="browse.views", on_change="rerun")
    if not menu.open:
        return
    with menu:
        writes = viewer is not None and not labels.read_only
        views = labels.views(page=PAGE)
        for place, view in enumerate(views):
            _view(place, view, labels, viewer if writes else None)
        if not views:
            st.caption("No view is saved yet.")
        if writes and viewer is not None:
            _saving(state, labels, viewer)
        elif not labels.read_only:
            st.caption("Sign in to save this view under a name.")


def _view(place: int, view: View, labels: LabelStore, viewer: Annotator | None) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        # A link to the page that is shown already would change nothing, so a view is opened by a button.
        st.button(
            escaped(view.name, LONGEST_NAME),
            key=f"browse.view.{place}.{view.name}",
            icon=":material/bookmark:",
            type="tertiary",
            on_click=st.query_params.from_dict,
            args=(dict(view.params),),
        )
        if viewer is not None and (viewer.role == "lead" or view.annotator == viewer.name):
            key = f"browse.drop.{place}.{view.name}"
            looks: dict[str, Any] = {"icon": ":material/delete:", "type": "tertiary"}
            st.button("Delete", key=key, on_click=_drop, args=(labels, view.name), **looks)


def _drop(labels: LabelStore, name: str) -> None:
    labels.drop_view(name)


def _saving(state: FilterState, labels: LabelStore, viewer: Annotator) -> None:
    with st.form("browse.save", clear_on_submit=True, border=False):
        name = st.text_input("Save this view as", max_chars=LONGEST_NAME, placeholder="a name")
        if st.form_submit_button("Save", icon=":material/bookmark_add:") and name.strip():
            try:
                labels.save_view(name, PAGE, state.params(), viewer.name)
            except UsageError as error:  # another's name
                st.error(escaped(str(error)))
            else:
                st.rerun()
