"""Draws untrusted texts: plain, as Markdown made harmless, or as JSON; long ones in pieces, with a search in them."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from app.reading.markdown import harmless
from app.reading.pieces import PIECE, laid_out, piece, piece_with, pieces

Way = Literal["plain", "markdown", "json"]
WAYS: tuple[Way, ...] = ("plain", "markdown", "json")
SHORT = 1_500
"""Characters of a result that is shown without being asked for."""


def text(said: str, key: str, way: Way = "plain", *, code: bool = False) -> None:
    """Draw a text.

    Args:
        said: of a trajectory.
        key: names the text among all that are drawn.
        way: how it is wanted; JSON that is none, or too long, is drawn plain.
        code: in a typeface of equal widths.
    """
    if pieces(said) > 1:
        said = _piece(said, key)
    indented = laid_out(said) if way == "json" else None
    if indented is not None:
        st.code(indented, "json", wrap_lines=True)
    elif way == "markdown":
        st.markdown(harmless(said))
    elif code:
        st.code(said, None, wrap_lines=True)
    else:
        st.text(said)


def _piece(said: str, key: str) -> str:
    """One piece of a long text, chosen by its number or by what it holds."""
    number = f"{key} piece"
    st.session_state.setdefault(number, 1)

    def sought() -> None:
        found = piece_with(said, st.session_state[f"{key} sought"], st.session_state[number])
        if found is None:
            st.session_state[f"{key} missed"] = st.session_state[f"{key} sought"]
        else:
            st.session_state.pop(f"{key} missed", None)
            st.session_state[number] = found

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.pagination(pieces(said), key=number)
        st.text_input("Find in this text", key=f"{key} sought", on_change=sought, width=220, type="search")
        st.caption(f"{len(said):,} characters, {PIECE:,} at a time", width="content")
    if st.session_state.get(f"{key} missed"):
        st.caption("Nothing in this text holds what you look for.")
    return piece(said, st.session_state[number])
