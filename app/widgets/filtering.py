"""The widgets that filter traces; each only writes the address, and the address alone decides what is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from app.browsing import MOST_OFFERED, vocabulary
from app.filters import (
    CHOICES,
    DISPUTED,
    LABELLED,
    MINE,
    RANGES,
    SORTS,
    TABLES,
    UNLABELLED,
    FilterState,
    Range,
    from_query,
    parsed,
)
from app.labels.schema import LabelSchema
from app.library import Library

FIRST_CHOICES = ("folder", "source", "tool", "worst", "reason")
FIRST_RANGES = ("reward", "turns")
_ORDER = "as stored"


def address() -> tuple[FilterState, list[str]]:
    """What the address asks for, and what of it was ignored.

    Going to a trace leaves the trace's parameters beside this page's name in the browser's history; stepping back to
    them means the way back.
    """
    params = st.query_params.to_dict()
    if params.keys() >= {"trace", "back"} or params.keys() == {"folder", "trace"}:
        return from_query(params.get("back", "")), []
    return parsed(params)


def show(state: FilterState) -> None:
    """Make the address ask for this."""
    st.query_params.from_dict(state.params())


def search_box(state: FilterState) -> None:
    """Where the text is typed that messages must hold."""
    key = _synced("browse.q", state.text)
    st.text_input(
        "Search",
        key=key,
        type="search",
        placeholder="Text in messages, thinking and arguments; or an id",
        label_visibility="collapsed",
        on_change=lambda: show(replace(address()[0], text=st.session_state[key] or "", page=1)),
    )


def kept_or_rejected(state: FilterState) -> None:
    """Whether kept traces, rejects or both are shown."""
    key = _synced("browse.show", state.show or "all")
    st.segmented_control(
        "Show",
        ["all", *TABLES],
        key=key,
        required=True,
        label_visibility="collapsed",
        on_change=lambda: show(replace(address()[0], show=_unless(st.session_state[key], "all"), page=1)),
    )


def order(state: FilterState) -> None:
    """By which column rows are sorted, and which way."""
    key = _synced("browse.sort", state.sort or _ORDER)

    def changed() -> None:
        sort = _unless(st.session_state[key], _ORDER)
        show(replace(address()[0], sort=sort, descending=bool(sort), page=1))

    titles = {_ORDER: "Order: as stored", **{name: f"Order: {title.lower()}" for name, (_, title) in SORTS.items()}}
    name = titles.__getitem__
    st.selectbox(
        "Order", list(titles), key=key, format_func=name, label_visibility="collapsed", on_change=changed, width=210
    )
    if state.sort:
        turned = replace(state, descending=not state.descending, page=1)
        words, icon = ("Descending", "downward") if state.descending else ("Ascending", "upward")
        st.button(words, key="browse.turn", icon=f":material/arrow_{icon}:", on_click=show, args=(turned,))


def sorted_by(state: FilterState, column: str) -> FilterState:
    """The state after a click on a column's head: sorted by it, highest first, then lowest first, then as stored."""
    if column not in SORTS:
        return state
    if state.sort != column:
        return replace(state, sort=column, descending=True, page=1)
    return replace(state, sort=column if state.descending else "", descending=False, page=1)


def facets(state: FilterState, library: Library, schema: LabelSchema | None) -> None:
    """The fields to filter by; those seldom used are folded until they are asked for or used.

    Args:
        state: what is asked now.
        library: what is open.
        schema: of the labels, if the viewer may see any.
    """
    for name in FIRST_CHOICES:
        _choice(name, state, library)
    for name in FIRST_RANGES:
        _range(name, state)
    if schema is not None:
        _labels(state, schema)
    others = [name for name in CHOICES if name not in FIRST_CHOICES]
    measures = [name for name in RANGES if name not in FIRST_RANGES]
    used = any(name in state.chosen for name in others) or any(name in state.ranges for name in measures)
    more = st.expander("More fields", expanded=used, key="browse.more", on_change="rerun")
    if more.open:
        with more:
            for name in others:
                _choice(name, state, library)
            for name in measures:
                _range(name, state)


def _choice(name: str, state: FilterState, library: Library) -> None:
    chosen = list(state.chosen.get(name, ()))
    counts = vocabulary(library, name)
    if len(counts) < 2 and not chosen:
        return
    key = _synced(f"browse.{name}", chosen)
    titles = _titles(_with(list(counts), chosen), counts)
    st.multiselect(
        CHOICES[name].title,
        list(titles),
        key=key,
        format_func=lambda value: titles.get(value, value),
        accept_new_options=len(counts) >= MOST_OFFERED,
        placeholder="any",
        on_change=lambda: show(address()[0].choosing(name, st.session_state[key])),
    )


def _titles(values: Sequence[str], counts: Mapping[str, int]) -> dict[str, str]:
    """What each value is shown as; no two alike, because the browser gives back the title of what was chosen."""
    titles: dict[str, str] = {}
    taken: set[str] = set()
    for number, value in enumerate(values):
        title = f"{_short(value)} ({counts[value]:,})" if value in counts else _short(value)
        titles[value] = title if title not in taken else f"{title} #{number}"
        taken.add(titles[value])
    return titles


def _range(name: str, state: FilterState) -> None:
    limits = state.ranges.get(name, Range())
    low, high = st.columns(2, gap="small", vertical_alignment="bottom")
    keys = _synced(f"browse.{name}.low", limits.low), _synced(f"browse.{name}.high", limits.high)

    def changed() -> None:
        asked = Range(st.session_state[keys[0]], st.session_state[keys[1]])
        show(address()[0].within(name, asked))

    looks: dict[str, Any] = {"value": None, "format": "%g", "on_change": changed}
    step = 0.1 if name in ("reward", "p") else 1.0
    title = RANGES[name][1]
    low.number_input(f"{title}, from", key=keys[0], step=step, placeholder="any", **looks)
    high.number_input("to", key=keys[1], step=step, placeholder="any", **looks)


def _labels(state: FilterState, schema: LabelSchema) -> None:
    verdicts = [choice.name for choice in schema.verdicts]
    offered = [UNLABELLED, LABELLED, MINE, DISPUTED, *verdicts]
    offered += [f"{MINE}.{name}" for name in verdicts] + [f"tag.{choice.name}" for choice in schema.tags]
    key = _synced("browse.label", list(state.labels))
    st.multiselect(
        "Label",
        _with(offered, state.labels),
        key=key,
        format_func=_label_title,
        placeholder="any",
        on_change=lambda: show(replace(address()[0], labels=tuple(st.session_state[key]), page=1)),
    )


def _label_title(name: str) -> str:
    if name.startswith(f"{MINE}."):
        return f"{_short(name[len(MINE) + 1 :])} (mine)"
    return f"tag: {_short(name[4:])}" if name.startswith("tag.") else _short(name)


def _synced(key: str, value: object) -> str:
    """The key of a widget whose value was made that of the address."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    return key


def _with(offered: Sequence[str], chosen: Sequence[str]) -> list[str]:
    return [*offered, *(value for value in chosen if value not in offered)]


def _unless(value: str | None, default: str) -> str:
    return "" if value in (None, default) else str(value)


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "\u2026"
