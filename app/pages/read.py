"""Page: read one trace. The address holds folder, trace, turn, and in `back` the query by which it was found."""

from __future__ import annotations

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
from app.reading.turns import WINDOW, window_around
from app.signing_in import viewer
from app.widgets.long_text import marked
from app.widgets.tiers import tier_styles
from app.widgets.trace_header import header
from app.widgets.turns import Look, draw_turn, role_styles, trace_labelling

_KEPT = "reading"
_SHOWN_HITS = 12
_COPIED = 200_000
"""Characters of JSON that are shown for copying; more is downloaded."""
_LONGEST = 1_000


def draw() -> None:
    """Draw the page."""
    held = opened()
    key = _key()
    read = _read(held, key) if key is not None else None
    if read is None:
        _say_missing(key)
        return
    st.html(f"<style>{tier_styles()}{role_styles()}{_BAR}</style>")
    turn = _turn(read)
    _bar(held, read, turn)
    header(read, held.library)
    trace_labelling(read)
    look = _look(turn, read)
    _search(read)
    _turns(held, read, turn, look)


_BAR = (
    ".st-key-reader-bar{position:sticky;top:3.2rem;z-index:90;background:var(--st-background-color,Canvas);"
    "padding:.3rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 14%,transparent)}"
    '[class*="st-key-turn-"]{scroll-margin-top:8rem}[class*="st-key-turn-"] h3{scroll-margin-top:8rem}'
)


def _key() -> TraceKey | None:
    folder, trace = (_param(name) for name in ("folder", "trace"))
    return TraceKey(folder, trace) if folder and trace else None


def _param(name: str) -> str:
    return str(st.query_params.get(name, ""))[:_LONGEST]


def _read(held: Opened, key: TraceKey) -> ReadTrace | None:
    """The trace, kept while the visitor reads it."""
    kept: ReadTrace | None = st.session_state.get(_KEPT)
    if kept is None or kept.trace.key != key:
        trace = held.library.trace(key)
        kept = None if trace is None else ReadTrace.of(trace)
        st.session_state[_KEPT] = kept
    return kept


def _say_missing(key: TraceKey | None) -> None:
    if key is None:
        st.info("Choose a trace to read on the page Browse.", icon=":material/article:")
    else:
        said = f"The folder {escaped(key.folder, 80)} holds no trace {escaped(key.trace, 80)}, or is not open."
        st.warning(said, icon=":material/search_off:")
    link("browse", "Browse", icon=":material/list:")


def _turn(read: ReadTrace) -> int:
    """The turn that the address names, by its number or by one of its messages."""
    given, message = _param("turn"), _param("message")
    last = max(len(read.turns) - 1, 0)
    if _counts(given):
        return min(max(int(given) - 1, 0), last)
    if _counts(message):
        return read.numbers.get(int(message), 0)
    return 0


def _counts(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _go(turn: int) -> None:
    st.query_params["turn"] = str(turn + 1)
    st.query_params.pop("message", None)


def _open(key: TraceKey) -> None:
    for name in ("turn", "message", "find"):
        st.query_params.pop(name, None)
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


def _turn_buttons(read: ReadTrace, turn: int) -> None:
    total = len(read.turns)
    ways = (("Turn", "P", ":material/arrow_upward:", turn - 1), ("Turn", "N", ":material/arrow_downward:", turn + 1))
    for name, letter, icon, to in ways:
        st.button(
            name,
            key=f"turn-{letter}-{read.uid}",
            shortcut=letter,
            icon=icon,
            help="Next turn" if letter == "N" else "Previous turn",
            disabled=not 0 <= to < total,
            on_click=_go,
            args=(to,),
        )
    st.caption(f"{min(turn + 1, total):,} of {total:,}", width="content")


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


def _look(turn: int, read: ReadTrace) -> Look:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.text_input(
            "Search",
            key="find",
            placeholder="Search in this trace",
            bind="query-params",
            icon=":material/search:",
            label_visibility="collapsed",
            width=320,
        )
        texts = st.segmented_control(
            "Texts",
            ("plain", "markdown"),
            default="plain",
            required=True,
            key="texts",
            format_func=str.capitalize,
            bind="query-params",
            label_visibility="collapsed",
        )
        shape = st.segmented_control(
            "Arguments",
            ("table", "json"),
            default="table",
            required=True,
            key="arguments",
            format_func={"table": "Arguments as table", "json": "as JSON"}.__getitem__,
            bind="query-params",
            label_visibility="collapsed",
        )
    return Look(texts == "markdown", shape == "json", window_around(turn, len(read.turns)), _go, _param("back"))


def _search(read: ReadTrace) -> None:
    needle = str(st.session_state.get("find") or "").strip()
    if not needle:
        return
    found = hits(read.turns, needle)
    st.caption(f"{len(found):,} found" if found else "Nothing found in text, thinking, arguments and results.")
    for at, hit in enumerate(found[:_SHOWN_HITS]):
        st.button(_hit_label(hit), key=f"found-{read.uid}-{at}", type="tertiary", on_click=_go, args=(hit.turn,))
    if len(found) > _SHOWN_HITS:
        st.caption(f"The first {_SHOWN_HITS} are shown; a longer text finds fewer.")


def _hit_label(hit: Hit) -> str:
    of = f" of {escaped(hit.tool, 60)}" if hit.tool else ""
    return f"turn {hit.turn + 1}, {hit.part}{of}: {marked(hit.match)}"


def _turns(held: Opened, read: ReadTrace, turn: int, look: Look) -> None:
    total, pages = len(read.turns), -(-len(read.turns) // WINDOW)
    if pages > 1:
        _pages(read, turn, pages, "above")
    for number in look.window:
        draw_turn(read, read.turns[number], look, held.library, number == turn)
    if pages > 1:
        st.caption(f"Turns {look.window.start + 1:,} to {look.window.stop:,} of {total:,}")
        _pages(read, turn, pages, "below")
    _scroll(read, turn)


def _pages(read: ReadTrace, turn: int, pages: int, where: str) -> None:
    """Windows of turns as pages; they follow the turn of the address."""
    key = f"window-{where}-{read.uid}"
    st.session_state[key] = turn // WINDOW + 1
    st.pagination(pages, key=key, on_change=_window, args=(key,))


def _window(key: str) -> None:
    _go((int(st.session_state[key]) - 1) * WINDOW)


def _scroll(read: ReadTrace, turn: int) -> None:
    """Bring the turn into view where the address has changed; the script holds a number and nothing else."""
    place = (read.uid, turn)
    before = st.session_state.get("reading-place")
    st.session_state["reading-place"] = place
    if before == place or (turn == 0 and (before is None or before[0] != read.uid)):
        return
    script = f"document.getElementById('turn-{turn + 1:d}')?.scrollIntoView({{block:'start'}})"
    st.html(f"<script>setTimeout(()=>{{{script}}},50)</script>", unsafe_allow_javascript=True)
