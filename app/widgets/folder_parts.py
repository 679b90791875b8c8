"""What a folder says of itself: its lineage, settings and counts, and its report as text and tables."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.folders import OpenFolder
from app.reading.plain import escaped
from app.runs import funnels, lineage, reports
from app.runs.files import MANIFEST, REPORT, TRAINING, inside, read_json, read_text
from curate.manifest import sha256_file


def manifest(folder: OpenFolder) -> None:
    """Where the folder came from, what it was made with, what it counts."""
    told = _told(folder)
    st.markdown("**Lineage**")
    st.code("\n".join(lineage.tree(told)), language=None)
    left, right = st.columns(2)
    with left:
        st.markdown("**Settings**")
        st.json(told.get("settings") or {}, expanded=2)
    with right:
        st.markdown("**Counts**")
        counts = told.get("counts")
        figures = funnels.figures(counts if isinstance(counts, dict) else {})
        if figures.is_empty():
            st.caption("none")
        else:
            st.dataframe(figures, hide_index=True, height="content" if figures.height < 20 else 720)


def _told(folder: OpenFolder) -> dict[str, Any]:
    """The manifest, or a model's training.json in its form."""
    if folder.manifest is None:
        training = read_json(folder.path, TRAINING)
        return lineage.told_of_training(training) | {"counts": training.get("counts")}
    path = inside(folder.path, MANIFEST)
    sha256 = sha256_file(path) if path is not None else None
    kept = folder.manifest
    return {
        "kind": kept.kind,
        "command": kept.command,
        "manifest_sha256": sha256,
        "settings": kept.settings,
        "inputs": kept.inputs,
        "counts": kept.counts,
    }


def report(folder: OpenFolder) -> None:
    """report.md as text and tables; nothing of it is rendered."""
    text = read_text(folder.path, REPORT)
    if text is None:
        st.info("This folder has no report.", icon=":material/info:")
        return
    for part in reports.parts(text):
        if isinstance(part, reports.Heading):
            st.markdown(f"{'#' * (part.level + 2)} {escaped(part.text)}")
        elif isinstance(part, reports.Paragraph):
            st.text(part.text)
        else:
            if part.caption:
                st.markdown(f"**{escaped(part.caption)}**")
            st.dataframe(part.frame, hide_index=True, height="content" if part.frame.height < 30 else 600)
