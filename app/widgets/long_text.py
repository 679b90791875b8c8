"""Texts of any length: drawn whole where short, in pieces with pages and a search inside where long."""

from __future__ import annotations

import streamlit as st

from app.reading.forms import FORMS, Form, folded, form_of, parsed, pretty
from app.reading.markdown import parts
from app.reading.pieces import AROUND, PIECE, Match, count_matches, matches, piece, piece_of, pieces
from app.reading.plain import escaped

SHOWN_MATCHES = 20
JSON_DEPTH = 2


def plain_text(text: str) -> None:
    """A text as it stands."""
    st.text(text, width="stretch")


def markdown_text(text: str) -> None:
    """Markdown of which nothing can act."""
    for part in parts(text):
        if part.code:
            st.code(part.text, language=None, wrap_lines=True)
        else:
            st.markdown(part.text, anchors=False)


def result_view(text: str, key: str) -> None:
    """A result: in the form that suits it or another, with a search and pages where it is long.

    Args:
        text: of the result.
        key: of the widgets; no text of a trace.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form: Form = (
            st.segmented_control(
                "Form",
                list(FORMS),
                default=_suits(text, key),
                required=True,
                format_func=lambda name: FORMS[name],
                key=f"form-{key}",
                label_visibility="collapsed",
            )
            or "plain"
        )
        needle = ""
        if len(text) > 2_000:
            needle = (
                st.text_input(
                    "Search in this result",
                    key=f"needle-{key}",
                    placeholder="Search in this result",
                    label_visibility="collapsed",
                    width=280,
                )
                or ""
            )
    value = parsed(text) if form == "json" else None
    if value is not None and not needle:
        _json_view(value)
    else:
        _pieces_view(pretty(text) if form == "json" else text, form, needle, key)


def _suits(text: str, key: str) -> Form:
    """The form that suits a text; found once, as megabytes have to be parsed for it."""
    name = f"suits-{key}"
    if name not in st.session_state:
        st.session_state[name] = form_of(text)
    found: Form = st.session_state[name]
    return found


def _json_view(value: object) -> None:
    shown, cut = folded(value)
    st.json(shown, expanded=JSON_DEPTH)
    if cut:
        st.caption(f"{cut:,} values or long texts are not drawn; Plain shows everything, piece by piece.")


def _pieces_view(text: str, form: Form, needle: str, key: str) -> None:
    count, page_key = pieces(text), f"piece-{key}"
    if needle:
        _found(text, needle, page_key if count > 1 else "", key)
    number: int = st.session_state.get(page_key, 1)
    if count > 1:
        widget = f"{page_key}-{number}"
        st.pagination(count, default=min(number, count), key=widget, on_change=_page, args=(page_key, widget))
    shown = piece(text, number)
    if form == "markdown":
        markdown_text(shown.text)
    else:
        st.code(shown.text, language=None, wrap_lines=True)
    if count > 1:
        end = shown.start + len(shown.text)
        st.caption(f"Characters {shown.start + 1:,} to {end:,} of {len(text):,}")


def _found(text: str, needle: str, page_key: str, key: str) -> None:
    """What was found; in a text of several pieces each place leads to its piece."""
    found = matches(text, needle, SHOWN_MATCHES)
    total = count_matches(text, needle)
    said = f"{total:,}{' or more' if total == 10_000 else ''} found" if total else "Not found"
    st.caption(said + (f", the first {SHOWN_MATCHES} are shown" if total > SHOWN_MATCHES else ""))
    for at, match in enumerate(found):
        label = marked(match)
        if page_key:
            where = f"piece {piece_of(match.start)}: "
            st.button(
                where + label, key=f"hit-{key}-{at}", type="tertiary", on_click=_turn_to, args=(page_key, match.start)
            )
        else:
            st.markdown(label)


def marked(match: Match) -> str:
    """A place that was found, as Markdown: what was looked for is bold."""
    before, after = match.before[-AROUND:], match.after[:AROUND]
    lead = " " if before[-1:].isspace() else ""
    tail = " " if after[:1].isspace() else ""
    return f"{escaped(before)}{lead}**{escaped(match.found, 80)}**{tail}{escaped(after)}"


def _page(page_key: str, widget: str) -> None:
    st.session_state[page_key] = int(st.session_state[widget])


def _turn_to(page_key: str, offset: int) -> None:
    st.session_state[page_key] = piece_of(offset, PIECE)
