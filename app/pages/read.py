"""Page: read one trace. The address names the folder, the trace and the turn; `back` is the search it was found by."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from app.browsing import steps
from app.navigation import go, link
from app.opened import opened
from app.reading.exporting import as_json, as_openai, as_sts
from app.reading.plain import escaped
from app.reading.turns import step_at, steps_of, steps_with
from app.signing_in import viewer
from app.traces import Trace, TraceKey
from app.widgets.texts import WAYS
from app.widgets.turns import WINDOW, draw_turns, tier_badge, trace_controls


def draw() -> None:
    """Draw the page."""
    key = _asked()
    if key is None:
        st.info("Choose a trace on the page Browse.", icon=":material/article:")
        link("browse", "Browse", icon=":material/list:")
        return
    trace = opened().library.trace(key)
    if trace is None:
        st.warning(
            "No opened folder has this trace: " + escaped(f"{key.folder} {key.trace}"), icon=":material/link_off:"
        )
        link("browse", "Browse", icon=":material/list:")
        return
    _top(trace)
    _about(trace)
    if not trace.row["messages"]:
        _raw(trace)
        return
    _body(trace)


def _asked() -> TraceKey | None:
    asked = st.query_params
    folders = [folder.name for folder in opened().library.folders]
    if not asked.get("trace"):
        return None
    folder = asked.get("folder") or next(iter(folders), "")
    return TraceKey(folder, asked["trace"])


def _top(trace: Trace) -> None:
    """Where one is, and the neighbours in the order of the search."""
    back = st.query_params.get("back", "")
    around = steps(opened(), viewer(), back, trace.key)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"### {escaped(trace.key.trace, 40)}", width="content")
        if trace.row.get("evidence"):
            worst = opened().library.frame.filter(
                pl.col("trace") == trace.key.trace, pl.col("folder").cast(pl.String) == trace.key.folder
            )
            if worst.height and worst.item(0, "worst_tier") is not None:
                tier_badge(worst.item(0, "worst_tier"), worst.item(0, "min_p"))
        st.space("stretch")
        if around.place is not None:
            st.caption(f"{around.place + 1:,} of {around.total:,}", width="content")
        _neighbour("Previous", "K", around.previous, back)
        _neighbour("Next", "J", around.next, back)
        if st.button("Back to the list", icon=":material/list:", shortcut="Esc"):
            _browse(back)


def _browse(back: str) -> None:
    from urllib.parse import parse_qsl

    go("browse", **dict(parse_qsl(back)))


def _neighbour(label: str, shortcut: str, key: TraceKey | None, back: str) -> None:
    if st.button(label, shortcut=shortcut, disabled=key is None) and key is not None:
        go("read", folder=key.folder, trace=key.trace, back=back)


def _about(trace: Trace) -> None:
    row = trace.row
    told = {
        "folder": trace.key.folder,
        "source": row["source"],
        "env": row["env_id"],
        "task": row["task_id"],
        "trial": row["trial"],
        "split": row["split"],
        "reward": None if row["reward"] is None else f"{row['reward']:.3f}",
        "license": row["license"],
    }
    st.caption(" · ".join(f"{name} **{escaped(str(value), 80)}**" for name, value in told.items() if value is not None))
    if trace.table == "rejects":
        why = f"Rejected by {row['reject_step']}: {row['reject_reason']}. {row['reject_detail'] or ''}"
        st.error(escaped(why, 600), icon=":material/block:")
    _parent(row)
    trace_controls(trace)


def _parent(row: dict[str, Any]) -> None:
    parent = row["parent"]
    if not parent:
        return
    for place in opened().library.find(parent["trajectory_id"])[:3]:
        where = f"Goes on from {parent['trajectory_id'][:8]}, message {parent['message_index']}, in {place.folder}"
        link(
            "read",
            escaped(where),
            icon=":material/fork_right:",
            folder=place.folder,
            trace=place.trace,
            turn=parent["message_index"],
        )


def _raw(trace: Trace) -> None:
    st.caption("No trajectory could be made of this record.")
    raw = trace.row.get("raw") or b""
    st.code(raw[:20_000].decode("utf-8", "replace"), None, wrap_lines=True)


@st.fragment
def _body(trace: Trace) -> None:
    """The window of turns; what moves it draws this part alone."""
    row: Any = trace.row
    all_steps = steps_of(row)
    first = _first(all_steps)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = st.segmented_control("Texts as", WAYS, default="plain", key="as", bind="query-params", required=True)
        sought = st.text_input("Find in this trace", key="find", bind="query-params", type="search", width=220)
        hits = steps_with(all_steps, sought) if sought else []
        _mover("Earlier turn", "P", all_steps, first - 1, first > 0)
        _mover("Later turn", "N", all_steps, first + 1, first < len(all_steps) - 1)
        if sought:
            later = next((number for number in hits if number > first), hits[0] if hits else first)
            _mover(f"Next of {len(hits)} found", "F", all_steps, later, bool(hits))
        st.space("stretch")
        _exports(trace)
    end = min(first + WINDOW, len(all_steps))
    st.caption(f"Steps {first + 1} to {end} of {len(all_steps):,}")
    draw_turns(trace, first, WINDOW, way or "plain", labels=True)
    with st.container(horizontal=True):
        _mover("Back by a page", "PageUp", all_steps, max(0, first - WINDOW), first > 0)
        _mover("On by a page", "PageDown", all_steps, end, end < len(all_steps))


def _first(all_steps: list[Any]) -> int:
    """The step with which the window begins."""
    asked = st.query_params.get("turn", "0")
    return step_at(all_steps, int(asked)) if asked.isdecimal() and len(asked) < 9 else 0


def _mover(label: str, shortcut: str, all_steps: list[Any], number: int, possible: bool) -> None:
    def moved() -> None:
        st.query_params["turn"] = str(all_steps[number].index)

    st.button(label, key=f"move {shortcut}", shortcut=shortcut, on_click=moved, disabled=not possible)


def _exports(trace: Trace) -> None:
    row: Any = trace.row
    with st.popover("Export", icon=":material/download:", key="exports", on_change="rerun") as box:
        if not box.open:
            return
        name = "".join(sign for sign in trace.key.trace if sign.isalnum() or sign in "-_")[:64]
        st.download_button("JSON", as_json(row), f"{name}.json", "application/json")
        st.download_button("OpenAI JSONL", as_openai(row), f"{name}.openai.jsonl", "application/jsonl")
        st.download_button("STS (Hub trace viewer)", as_sts(row), f"{name}.sts.jsonl", "application/jsonl")
        whole = as_json(row)
        if len(whole) < 200_000:
            st.caption("To copy")
            st.code(whole, "json", height=240)
