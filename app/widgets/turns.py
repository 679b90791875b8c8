"""Draws a window of a trajectory's steps: role, thinking, calls, results, evidence."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

import streamlit as st

from app.navigation import link
from app.opened import opened
from app.reading.origins import origins
from app.reading.plain import escaped
from app.reading.turns import ReadCall, Step, steps_of
from app.theme import ink_on
from app.traces import Trace
from app.widgets.texts import SHORT, Way, text
from curate.palette import TIER_COLORS

WINDOW = 20
"""Steps drawn at once."""
_ICONS = {
    "system": ":material/tune:",
    "developer": ":material/tune:",
    "user": ":material/person:",
    "assistant": ":material/smart_toy:",
    "tool": ":material/build:",
}
_STYLE = """<style>
[class*="st-key-step-"] {border-left: 3px solid transparent; padding: .1rem 0 .5rem .9rem; border-radius: 0;}
[class*="st-key-step-user"] {border-left-color: #0072B2;}
[class*="st-key-step-assistant"] {border-left-color: #009E73;}
[class*="st-key-step-system"], [class*="st-key-step-developer"], [class*="st-key-step-tool"] {border-left-color: #999;}
[class*="st-key-thought-"] {opacity: .82; font-style: italic;}
</style>"""


def draw_turns(trace: Trace, first: int = 0, count: int = WINDOW, way: Way = "plain", *, labels: bool = False) -> None:
    """Draw steps of a trajectory.

    Args:
        trace: what is read.
        first: number of the first step drawn.
        count: how many are drawn at most.
        way: how texts are drawn.
        labels: with the controls that label a turn.
    """
    st.html(_STYLE)
    for step in steps_of(trace.row)[first : first + count]:  # type: ignore[arg-type]
        _step(trace, step, way, labels)


def _step(trace: Trace, step: Step, way: Way, labels: bool) -> None:
    role = step.message["role"] if step.message["role"] in _ICONS else "tool"
    with st.container(key=f"step-{role}-{step.index}", gap="xsmall"):
        _head(step, role)
        _thinking(step)
        said = step.message["content"]
        if said and role in ("system", "developer", "tool"):
            _folded(said, f"{trace.key.trace} {step.index} text", way)
        elif said:
            text(said, f"{trace.key.trace} {step.index} text", way)
        if step.message["content_json"]:
            with st.expander("Parts that are no plain text"):
                st.code(step.message["content_json"][: 4 * SHORT], "json", wrap_lines=True)
        for call in step.calls:
            _call(trace, call, way)
        if labels and role == "assistant":
            _controls("turn_controls", trace, step.index)


def _head(step: Step, role: str) -> None:
    parts = [f"{_ICONS[role]} **{step.index}** {escaped(step.message['role'])}"]
    parts += [step.kind] if step.kind else []
    if role == "tool":
        parts.append("a result that no call asked for")
    if step.message["train"] is False and role == "assistant":
        parts.append("not trained on")
    parts += [f":orange[:material/flag: {escaped(flag)}]" for flag in step.flags]
    st.caption(" · ".join(parts))


def _thinking(step: Step) -> None:
    thought, told = step.message["reasoning_content"], step.thinking
    if not thought and not (told and told["original"]):
        return
    with st.container(key=f"thought-{step.index}", gap="xsmall"):
        if told:
            by = f", {escaped(told['teacher'])}" if told["teacher"] else ""
            st.caption(f":material/psychology: thinking, {escaped(told['origin'])}{by}")
        if thought:
            text(thought, f"thought {step.index}")
    if told and told["original"] and told["original"] != thought:
        with st.expander("Before: what stood in its place"):
            st.text(told["original"])


def _call(trace: Trace, call: ReadCall, way: Way) -> None:
    name = f"{trace.key.trace} {call.message_index} {call.call_index}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/build: `{_code(call.call['name'])}`", width="content")
        if call.failed:
            st.badge("failed", color="red")
        if call.evidence:
            tier_badge(call.evidence["tier"], call.evidence["p"])
    _arguments(trace, call, name)
    if call.evidence:
        _evidence(call)
    if call.result is None:
        st.caption("No result stands for this call.")
    else:
        _folded(call.result["content"] or "", f"{name} result", "json" if way == "json" else way, "Result")


def _arguments(trace: Trace, call: ReadCall, name: str) -> None:
    written = call.call["arguments"] or ""
    found = origins(trace.row["messages"], call.message_index, written)
    if found and len(found) <= 12 and all(len(str(each.value)) <= 200 for each in found):
        rows = [{"argument": each.path, "value": str(each.value), "from": each.told} for each in found]
        st.dataframe(rows, hide_index=True, height="content", row_height=28, key=f"{name} arguments")
    elif written.strip() not in ("", "{}"):
        text(written, f"{name} arguments", "json", code=True)
    if call.call["args_status"] == "unparsed":
        st.caption("These arguments are no JSON.")


def _evidence(call: ReadCall) -> None:
    told = call.evidence
    assert told is not None, "asked for"
    why = escaped(told["reason"] or "", 400)
    reward = "" if told["step_reward"] is None else f" · step reward {told['step_reward']:.2f}"
    st.caption(f"{why}{reward}")
    source = told["source_trajectory_id"]
    places = opened().library.find(source) if source else []
    if places:
        link(
            "read",
            f"Where it was recorded: {escaped(str(source)[:8])}, message {told['source_message_index']}",
            icon=":material/link:",
            folder=places[0].folder,
            trace=places[0].trace,
            turn=told["source_message_index"],
        )


def tier_badge(tier: str, p: float | None) -> None:
    """The tier of an answer in its colour, with p; a tier that is unknown is named plainly."""
    if tier not in TIER_COLORS:
        st.badge(escaped(tier), color="gray")
        return
    look = (
        f"background:{TIER_COLORS[tier]};color:{ink_on(tier)};padding:.1rem .45rem;border-radius:.3rem;font-size:.8rem"
    )
    chance = "" if p is None else f" p {p:.2f}"
    st.html(f'<span style="{look}">{tier.replace("_", " ")}{chance}</span>', width="content")


def _folded(said: str, key: str, way: Way, title: str = "Text") -> None:
    """A short text as it is, a long one behind its first words, drawn once it is opened."""
    if len(said) <= SHORT:
        text(said or "(empty)", key, way, code=title == "Result")
        return
    with st.expander(
        f"{title}, {len(said):,} characters: {escaped(said, 90)}", on_change="rerun", key=f"{key} open"
    ) as box:
        if box.open:
            text(said, key, way, code=True)


def _code(name: str) -> str:
    return name.replace("`", "'")[:200]


def _controls(name: str, *given: Any) -> None:
    """The labelling controls of a turn or trace, where they are installed."""
    if find_spec("app.widgets.labelling") is not None:
        getattr(importlib.import_module("app.widgets.labelling"), name)(*given)


def trace_controls(trace: Trace) -> None:
    """The controls that label a whole trajectory."""
    _controls("trace_controls", trace)


__all__ = ["WINDOW", "draw_turns", "tier_badge", "trace_controls"]
