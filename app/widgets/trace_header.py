"""The head of a trace on a page: what it is of, what it earned, why it was turned away, what it goes on from."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.library import Library
from app.navigation import link
from app.reading.forms import folded, parsed
from app.reading.plain import escaped
from app.reading.read_trace import ReadTrace
from app.widgets.long_text import result_view
from curate.trajectory import Parent


def header(read: ReadTrace, library: Library) -> None:
    """Draw the head of a trace."""
    row: Any = read.trace.row
    st.markdown(f"#### {escaped(read.trace.key.trace, 120)}", anchors=False)
    facts = [_fact(name, value) for name, value in _facts(read).items() if value not in (None, "")]
    st.caption(" \u00b7 ".join([*facts, read.counts]))
    if read.trace.table == "rejects":
        _reject(row)
    if row["parent"]:
        _parent(row["parent"], library)
    _more(read)
    if not row["messages"] and row.get("raw"):
        st.caption("No trajectory could be made of this record; these are its bytes.")
        result_view(row["raw"].decode(errors="replace"), f"raw-{read.uid}")


def _facts(read: ReadTrace) -> dict[str, Any]:
    row = read.trace.row
    reward, weight = row["reward"], row["weight"]
    return {
        "folder": read.trace.key.folder,
        "source": row["source"],
        "environment": row["env_id"],
        "task": row["task_id"],
        "trial": row["trial"] if row["trial"] is not None and row["trial"] >= 0 else None,
        "reward": None if reward is None else f"{reward:g}",
        "weight": None if weight in (None, 1.0) else f"{weight:g}",
        "split": row["split"],
        "license": row["license"],
    }


def _fact(name: str, value: Any) -> str:
    return f"{name} **{escaped(str(value), 80)}**"


def _reject(row: Any) -> None:
    said = f"Rejected by **{escaped(row['reject_step'], 60)}**: **{escaped(row['reject_reason'], 80)}**"
    detail = f" ({escaped(row['reject_detail'], 400)})" if row["reject_detail"] else ""
    st.warning(said + detail, icon=":material/block:")


def _parent(parent: Parent, library: Library) -> None:
    """The recorded turn that a rollout goes on from."""
    trajectory, at = parent["trajectory_id"], parent["message_index"]
    found = library.find(trajectory)
    if not found:
        st.caption(f"goes on from message {at} of {escaped(trajectory, 80)}, which no opened folder holds")
    for key in found[:3]:
        label = f"goes on from message {at} of {escaped(key.trace, 80)}, folder {escaped(key.folder, 60)}"
        link("read", label, icon=":material/call_split:", folder=key.folder, trace=key.trace, turn=at)


def _more(read: ReadTrace) -> None:
    """Tools and metadata, drawn when they are asked for."""
    row = read.trace.row
    with st.expander("Tools and metadata", type="compact", key=f"more-{read.uid}", on_change="rerun") as box:
        if box.open:
            for text in (row["tools"], row["metadata"]):
                value = parsed(text or "")
                if value is not None:
                    st.json(folded(value)[0], expanded=1)
