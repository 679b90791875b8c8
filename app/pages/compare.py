"""Page: to come."""

from __future__ import annotations

import streamlit as st


def draw() -> None:
    """Draw the page."""
    st.write("To come.")
