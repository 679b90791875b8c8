"""Badges of tiers, in the same colours as in every plot and report."""

from __future__ import annotations

import streamlit as st

from app.reading.plain import escaped, one_line
from app.theme import ink_on
from curate.palette import TIER_COLORS

_UNKNOWN = "unknown"


def tier_styles() -> str:
    """CSS of the badges; made of constants alone."""
    shape = "border-radius:4px;padding:0 .5rem;width:fit-content;min-height:0"
    rules = [f'[class*="st-key-tier-"]{{{shape}}}', '[class*="st-key-tier-"] *{font-size:.8rem;line-height:1.5}']
    rules.append(f'[class*="st-key-tier-{_UNKNOWN}-"]{{border:1px dashed currentColor}}')
    for tier, color in TIER_COLORS.items():
        rules.append(f'[class*="st-key-tier-{tier}-"]{{background:{color}}}')
        rules.append(f'[class*="st-key-tier-{tier}-"] *{{color:{ink_on(tier)}}}')
    return "".join(rules)


def tier_badge(tier: str, key: str, p: float | None = None, why: str | None = None) -> None:
    """A tier with its probability, and why beside it.

    Args:
        tier: as recorded; one that is not known gets no colour.
        key: of the element; no text of a trace.
        p: probability that the result is what the tool would give.
        why: the reason that was recorded.
    """
    known = tier if tier in TIER_COLORS else _UNKNOWN
    told = one_line(tier, 40) if p is None else f"{one_line(tier, 40)}  p {p:.2f}"
    with st.container(key=f"tier-{known}-{key}", width="content"):
        st.text(told)
    if why:
        st.caption(escaped(why, 300), width="content")
