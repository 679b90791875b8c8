"""Badges of tiers, in the same colours as in every plot and report."""

from __future__ import annotations

import streamlit as st

from app.reading.plain import escaped
from app.theme import ink_on
from curate.palette import TIER_COLORS

_SHAPE = "padding:.1rem .45rem;border-radius:.3rem;font-size:.8rem;white-space:nowrap"


def tier_badge(tier: str, p: float | None = None, why: str | None = None) -> None:
    """A tier with its probability, and why beside it.

    Args:
        tier: as recorded; one that is not known gets no colour. HTML is made of known tiers and numbers alone.
        p: probability that the result is what the tool would give.
        why: the reason that was recorded.
    """
    chance = "" if p is None else f" p {p:.2f}"
    if tier in TIER_COLORS:
        colors = f"background:{TIER_COLORS[tier]};color:{ink_on(tier)}"
        st.html(f'<span style="{colors};{_SHAPE}">{tier.replace("_", " ")}{chance}</span>', width="content")
    else:
        st.badge(escaped(tier, 40) + escaped(chance), color="gray")
    if why:
        st.caption(escaped(why, 300), width="content")
