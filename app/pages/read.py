"""Page: read one trace. The address holds folder, trace, turn, and in `back` the query by which it was found."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import streamlit as st

from app.browsing import Steps, steps
from app.library import TraceKey
from app.navigation import link
from app.opened import Opened, opened
from app.reading.exporting import EXPORTS, Export, file_name
from app.reading.plain import escaped
from app.reading.read_trace import ReadTrace
from app.reading.searching import Hit, hits
from app.reading.turns import WINDOW, step_at, window_around
from app.signing_in import viewer
from app.theme import DARK, LIGHT
from app.widgets.long_text import marked
from app.widgets.trace_header import header
from app.widgets.turns import Look, draw_step, kept, ready, role_styles, trace_controls

_SHOWN_HITS = 12
_COPIED = 200_000
"""Characters of JSON that are shown for copying; more is downloaded."""
_LONGEST = 1_000
_PLACE = "reading-place"


def draw() -> None:
    """Draw the page."""
    held = opened()
    key = _key()
    read = _read(held, key) if key is not None else None
    if read is None:
        _say_missing(key)
        return
    st.html(f"<style>{role_styles()}{_BAR}</style>")
    at = _step(read)
    _bar(held, read, at)
    header(read, held.library)
    trace_controls(read.trace)
    look = _look(at, read)
    _search(read)
    _turns(held, read, at, look)


_BAR = (
    "div:has(> .st-key-reader-bar){position:sticky;top:3.75rem;z-index:90;"
    f"background:light-dark({LIGHT['backgroundColor']},{DARK['backgroundColor']});"
    "padding:.3rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 14%,transparent)}"
    '[class*="st-key-turn-"]{scroll-margin-top:8.5rem}[class*="st-key-turn-"] h3{scroll-margin-top:8.5rem}'
)


def _key() -> TraceKey | None:
    folder, trace = (_param(name) for name in ("folder", "trace"))
    return TraceKey(folder, trace) if folder and trace else None


def _param(name: str) -> str:
    return str(st.query_params.get(name, ""))[:_LONGEST]


def _read(held: Opened, key: TraceKey) -> ReadTrace | None:
    """The trace, kept while the visitor reads it."""
    known = kept(key)
    if known is not None:
        return known
    trace = held.library.trace(key)
    return None if trace is None else ready(trace)


def _say_missing(key: TraceKey | None) -> None:
    if key is None:
        st.info("Choose a trace to read on the page Browse.", icon=":material/article:")
    else:
        said = f"The folder {escaped(key.folder, 80)} holds no trace {escaped(key.trace, 80)}, or is not open."
        st.warning(said, icon=":material/search_off:")
    link("browse", "Browse", icon=":material/list:")


def _step(read: ReadTrace) -> int:
    """The number of the step that shows the message which the address names as `turn`."""
    given = _param("turn")
    return step_at(read.steps, int(given)) if given.isascii() and given.isdecimal() and len(given) < 10 else 0


def _go(message_index: int) -> None:
    st.query_params["turn"] = str(message_index)


def _go_step(read: ReadTrace, number: int) -> None:
    _go(read.steps[number].index)


def _open(key: TraceKey) -> None:
    st.query_params.pop("turn", None)
    st.query_params["folder"], st.query_params["trace"] = key.folder, key.trace


def _bar(held: Opened, read: ReadTrace, turn: int) -> None:
    """The ways on: traces by J and K, turns by N and P."""
    around = steps(held, viewer(), _param("back"), read.trace.key)
    with st.container(key="reader-bar", horizontal=True, vertical_alignment="center", gap="small"):
        link("browse", "Browse", icon=":material/list:", **_back())
        _trace_buttons(read, around)
        st.space("stretch")
        _turn_buttons(read, turn)
        _export(read)


def _back() -> dict[str, str]:
    try:
        return dict(parse_qsl(_param("back"), max_num_fields=100))
    except ValueError:
        return {}


def _trace_buttons(read: ReadTrace, around: Steps) -> None:
    ways: tuple[tuple[str, str, str, TraceKey | None], ...] = (
        ("Previous", "K", ":material/chevron_left:", around.previous),
        ("Next", "J", ":material/chevron_right:", around.next),
    )
    for name, letter, icon, key in ways:
        st.button(
            name,
            key=f"trace-{letter}-{read.uid}",
            shortcut=letter,
            icon=icon,
            help=f"{name} trace",
            disabled=key is None,
            on_click=_open,
            args=(key,),
        )
    place = f"{around.place:,} of {around.total:,}" if around.place is not None else f"not among {around.total:,}"
    st.caption(place, width="content")


def _turn_buttons(read: ReadTrace, at: int) -> None:
    total = len(read.steps)
    for name, letter, icon, to in (("Up", "P", "upward", at - 1), ("Down", "N", "downward", at + 1)):
        st.button(
            name,
            key=f"step-{letter}-{read.uid}",
            shortcut=letter,
            icon=f":material/arrow_{icon}:",
            help="Next turn" if letter == "N" else "Previous turn",
            disabled=not 0 <= to < total,
            on_click=_go_step,
            args=(read, to),
        )
    st.caption(f"{min(at + 1, total):,} of {total:,}", width="content")


def _export(read: ReadTrace) -> None:
    row: Any = read.trace.row
    with st.popover("Export", icon=":material/download:", key=f"export-{read.uid}", on_change="rerun") as box:
        if not box.open:
            return
        for name, form in EXPORTS.items():
            if name != "json" and not row["messages"]:
                continue
            st.download_button(
                form.title,
                partial(_bytes, form, row),
                file_name(read.trace.key.trace, form.ending),
                form.mime,
                key=f"export-{name}-{read.uid}",
                icon=":material/download:",
                on_click="ignore",
            )
        text = EXPORTS["json"].made(row)
        if len(text) <= _COPIED:
            st.caption("JSON to copy")
            st.code(text, language="json", height=160)
        else:
            st.caption(f"{len(text):,} characters of JSON: too many to copy from here.")


def _bytes(form: Export, row: Any) -> bytes:
    return form.made(row).encode()


def _look(at: int, read: ReadTrace) -> Look:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.text_input(
            "Search",
            key="find",
            placeholder="Search in this trace",
            bind="query-params",
            icon=":material/search:",
            label_visibility="collapsed",
            width=320,
        )
        texts = _choice("texts", {"plain": "Texts plain", "markdown": "as Markdown"})
        shape = _choice("arguments", {"table": "Arguments as table", "json": "as JSON"})
    window = window_around(at, len(read.steps))
    return Look(texts == "markdown", shape == "json", window, _go, labels=True)


def _choice(name: str, titles: Mapping[str, str]) -> str | None:
    """One of two looks, kept in the address."""
    return st.segmented_control(
        name.capitalize(),
        list(titles),
        default=next(iter(titles)),
        required=True,
        key=name,
        format_func=titles.__getitem__,
        bind="query-params",
        label_visibility="collapsed",
    )


def _search(read: ReadTrace) -> None:
    needle = str(st.session_state.get("find") or "").strip()
    if not needle:
        return
    found = hits(read.steps, needle)
    st.caption(f"{len(found):,} found" if found else "Nothing found in text, thinking, arguments and results.")
    with st.container(gap=None):
        for place, hit in enumerate(found[:_SHOWN_HITS]):
            name = f"found-{read.uid}-{place}"
            st.button(_hit_label(hit), key=name, type="tertiary", on_click=_go, args=(hit.message_index,))
    if len(found) > _SHOWN_HITS:
        st.caption(f"The first {_SHOWN_HITS} are shown; a longer text finds fewer.")


def _hit_label(hit: Hit) -> str:
    of = f" of {escaped(hit.tool, 60)}" if hit.tool else ""
    return f"message {hit.message_index}, {hit.part}{of}: {marked(hit.match)}"


def _turns(held: Opened, read: ReadTrace, at: int, look: Look) -> None:
    total, pages = len(read.steps), -(-len(read.steps) // WINDOW)
    if pages > 1:
        _pages(read, at, pages, "above")
    for number in look.window:
        draw_step(read, read.steps[number], look, held.library, number == at)
    if pages > 1:
        st.caption(f"Turns {look.window.start + 1:,} to {look.window.stop:,} of {total:,}")
        _pages(read, at, pages, "below")
    _scroll(read, at)


def _pages(read: ReadTrace, at: int, pages: int, where: str) -> None:
    """Windows of turns as pages; they follow the turn of the address."""
    page = at // WINDOW + 1
    key = f"window-{where}-{read.uid}-{page}"
    st.pagination(pages, default=page, key=key, on_change=_window, args=(read, key))


def _window(read: ReadTrace, key: str) -> None:
    _go_step(read, (int(st.session_state[key]) - 1) * WINDOW)


def _scroll(read: ReadTrace, at: int) -> None:
    """Bring the turn into view where the address has changed; the script holds a number and nothing else."""
    place, before = (read.uid, at), st.session_state.get(_PLACE)
    st.session_state[_PLACE] = place
    if not read.steps or before == place or (at == 0 and before is None):
        return
    found = f"document.getElementById('message-{read.steps[at].index:d}')?.scrollIntoView({{block:'start'}})"
    top = "document.querySelector('[data-testid=stMain]')?.scrollTo(0,0)"
    script = f"setTimeout(()=>{found if at else top},50)"
    st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)
