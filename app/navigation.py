"""The pages, and links between them: every view is an address that restores it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import streamlit as st

PAGES: Mapping[str, tuple[str, str]] = {
    "browse": ("Browse", ":material/list:"),
    "read": ("Read", ":material/article:"),
    "label": ("Label", ":material/label:"),
    "agreement": ("Agreement", ":material/handshake:"),
    "compare": ("Compare", ":material/compare_arrows:"),
    "runs": ("Runs", ":material/show_chart:"),
    "account": ("Account", ":material/person:"),
}
"""Name, which is the address too (that of the first is empty) -> title and icon; `app.pages.NAME` draws it."""
START = next(iter(PAGES))


def page(name: str, title: str | None = None) -> Any:
    """A page as Streamlit knows it, by its own title unless another is given."""
    own, icon = PAGES[name]
    return st.Page(_drawing(name), title=title or own, icon=icon, url_path=name, default=name == START)


def preload() -> None:
    """Import what the pages need before the first visitor waits for it."""
    for name in PAGES:
        import_module(f"app.pages.{name}")
    for name in ("altair", "pandas", "streamlit.elements.arrow"):
        import_module(name)


def _drawing(name: str) -> Callable[[], None]:
    def draw() -> None:
        import_module(f"app.pages.{name}").draw()

    draw.__name__ = name
    return draw


def link(name: str, label: str, *, icon: str | None = None, help: str | None = None, **params: Any) -> None:
    """A link to a page; parameters that are None or empty are left out of the address."""
    st.page_link(page(name), label=label, icon=icon, help=help, query_params=_given(params))


def go(name: str, **params: Any) -> None:
    """Leave for another page."""
    st.switch_page(page(name), query_params=_given(params))


def _given(params: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in params.items() if value not in (None, "")}
