"""A trajectory drawn in few, light elements: what a labeller reads, on the screen soon after the last key."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.reading.plain import escaped
from app.reading.turns import ReadCall, Step
from app.widgets.tiers import tier_badge

LONGEST_TEXT, LONGEST_SYSTEM, LONGEST_RESULT = 4_000, 300, 700
"""Characters of a message, of the system's, and of a result or arguments; the page Read shows all of them."""
_ICONS = {"user": ":material/person:", "assistant": ":material/smart_toy:", "tool": ":material/build:"}
COMPACT_STYLE = """
[class*="st-key-item-"] {border-left: 3px solid #999; padding: 0 0 .3rem .8rem; border-radius: 0;}
[class*="st-key-item-user"] {border-left-color: #0072B2;}
[class*="st-key-item-assistant"] {border-left-color: #009E73;}
"""
"""Stands once on a page that draws compactly."""


def draw_compactly(steps: Sequence[Step]) -> None:
    """Draw steps in their order."""
    for step in steps:
        role = step.message["role"]
        kind = role if role in ("user", "assistant") else "other"
        with st.container(key=f"item-{kind}-{step.index}", gap="xxsmall"):
            _step(step, role)


def _step(step: Step, role: str) -> None:
    flags = "".join(f" · :orange[:material/flag: {escaped(flag)}]" for flag in step.flags)
    kind = f" · {step.kind}" if step.kind else ""
    st.caption(f"{_ICONS.get(role, ':material/tune:')} **{step.index}** {escaped(role)}{kind}{flags}")
    if thought := step.message["reasoning_content"]:
        st.caption(f":material/psychology: *{escaped(thought, LONGEST_TEXT)}*")
    said = step.message["content"] or step.message["content_json"]
    if said:
        st.text(cut(said, LONGEST_TEXT) if role in _ICONS else cut(" ".join(said.split()), LONGEST_SYSTEM))
    if step.calls:
        st.code("\n\n".join(called(call) for call in step.calls), None, wrap_lines=True)
    answered = [call.evidence for call in step.calls if call.evidence]
    if answered:
        with st.container(horizontal=True, gap="small"):
            for evidence in answered:
                tier_badge(evidence["tier"], evidence["p"])


def called(call: ReadCall) -> str:
    """A call and its answer in lines of plain text."""
    failed = "failed: " if call.failed else ""
    answer = "no result" if call.result is None else cut(call.result["content"] or "(empty)", LONGEST_RESULT)
    return f"{call.call['name']} {cut(call.call['arguments'] or '', LONGEST_RESULT)}\n\u2192 {failed}{answer}"


def cut(text: str, limit: int) -> str:
    """A text, or its beginning and how much was left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} more characters)"
