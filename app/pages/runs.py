"""Page: what runs left behind. The address says which folder, and which runs lie over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from app.folders import OpenFolder
from app.library import Library
from app.opened import opened
from app.reading.plain import escaped, one_line
from app.runs.files import METRICS, inside
from app.widgets import addressed
from app.widgets.folder_parts import manifest, report
from app.widgets.run_parts import audit, cache, comparison, curation, evaluation, training
from curate.errors import CacheRLError

PARTS: Mapping[str, tuple[str, Callable[[OpenFolder], None]]] = {
    "curated": ("Funnel", curation),
    "audit": ("Audit", audit),
    "cache": ("Cache", cache),
    "evaluation": ("Evaluation", evaluation),
    "comparison": ("Comparison", comparison),
}
"""Kind of a folder -> its own part of the page."""
MOST_RUNS = 5
"""Lying over the first."""


def draw() -> None:
    """Draw the page."""
    library = opened().library
    folders = {folder.name: folder for folder in library.folders}
    if not folders:
        st.info("No folder is open. Open one: python -m app DIR...", icon=":material/info:")
        return
    left, right = st.columns([2, 3])
    with left:
        name = addressed.choose(
            "Folder",
            list(folders),
            "run",
            shown=lambda each: one_line(f"{each} ({folders[each].kind})"),
            default=_first(library),
        )
    folder = folders[name or next(iter(folders))]
    trained = inside(folder.path, METRICS) is not None
    with right:
        over = _over(folders, folder) if trained else []
    _parts(folder, over, trained)


def _first(library: Library) -> str | None:
    """A training run where there is one, else the first folder."""
    return next((each.name for each in library.folders if inside(each.path, METRICS) is not None), None)


def _over(folders: Mapping[str, OpenFolder], folder: OpenFolder) -> list[OpenFolder]:
    others = [name for name, each in folders.items() if name != folder.name and inside(each.path, METRICS) is not None]
    if not others:
        return []
    chosen = addressed.several("Over it", others, "over", shown=one_line, most=MOST_RUNS)
    return [folders[name] for name in chosen]


def _parts(folder: OpenFolder, over: list[OpenFolder], trained: bool) -> None:
    own = PARTS.get(folder.kind)
    names = [*(["Training"] if trained else []), *([own[0]] if own else []), "Report", "Manifest"]
    part = addressed.part("Part", names, "part")
    try:
        if part == "Training":
            training([folder, *over])
        elif part == "Report":
            report(folder)
        elif part == "Manifest":
            manifest(folder)
        elif own is not None:
            own[1](folder)
    except CacheRLError as error:
        st.error(escaped(str(error), 600), icon=":material/error:")
