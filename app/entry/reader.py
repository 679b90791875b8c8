"""The script that Streamlit runs for every visitor and every action: who is there, and which page."""

from __future__ import annotations

import streamlit as st

from app.navigation import PAGES, page
from app.opened import opened
from app.reading.plain import escaped
from app.signing_in import gate, viewer
from app.theme import tab_icon

_STYLE = """<style>
.stMainBlockContainer {padding-top: 4.25rem; padding-bottom: 3rem;}
[data-testid="stSidebarUserContent"] {padding-top: .5rem;}
</style>"""


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config("CacheRL reader", tab_icon(), layout="wide")
    st.html(_STYLE)
    hidden = {"label", "account"} if opened().settings.server.read_only else set()
    who = viewer()
    account = "Sign in" if who is None else escaped(who.name, 30)
    pages = [page(name, account if name == "account" else None) for name in PAGES if name not in hidden]
    chosen = st.navigation(pages, position="top")
    gate()
    chosen.run()


main()
