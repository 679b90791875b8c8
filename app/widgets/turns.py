"""One turn on a page: who speaks, the thinking with where it came from, the calls with their results and tiers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import streamlit as st

from app.library import Library
from app.navigation import link
from app.reading.forms import pretty
from app.reading.plain import escaped
from app.reading.read_trace import ReadTrace
from app.reading.sources import ArgumentValue
from app.reading.turns import ReadCall, Step
from app.traces import Trace, TraceKey
from app.widgets.long_text import markdown_text, plain_text, result_view
from app.widgets.tiers import tier_badge as tier_badge
from curate.trajectory import Evidence, Thinking

ICONS = {
    "user": ":material/person:",
    "assistant": ":material/smart_toy:",
    "tool": ":material/build:",
}
INLINE = 4_000
"""Characters of a text that is drawn whole; of a longer one the beginning, and the rest on demand."""
BEGINNING = 1_200
SYSTEM_BEGINNING = 300
_VALUE = 160
_KEPT = "reading"


@dataclass(frozen=True)
class Look:
    """How turns are drawn.

    Attributes:
        markdown: texts as Markdown, else as they stand.
        json: arguments as JSON, else as a table.
        window: numbers of the steps that are on the page.
        jump: goes to a message; None where the page cannot.
        labels: with the controls that label a turn.
    """

    markdown: bool
    json: bool
    window: range
    jump: Callable[[int], None] | None = None
    labels: bool = False


def role_styles() -> str:
    """CSS that tells roles apart; made of constants alone."""
    line = "border-left:3px solid {};padding-left:.9rem"
    colors = {"user": "#56B4E9", "assistant": "#999999", "tool": "#E69F00", "system": "#CC79A7", "developer": "#CC79A7"}
    rules = [f'[class*="st-key-turn-{role}-"]{{{line.format(color)}}}' for role, color in colors.items()]
    rules += [
        '[class*="st-key-turn-"]{margin-bottom:.35rem}',
        '[class*="-current-"]{background:color-mix(in srgb,currentColor 5%,transparent);border-radius:0 4px 4px 0}',
        '[class*="st-key-turn-"] h3{font-size:.85rem;font-weight:600;padding:.2rem 0;opacity:.8}',
        '[class*="st-key-thought-"]{background:color-mix(in srgb,currentColor 4%,transparent);border-radius:4px;'
        "padding:.45rem .7rem}",
        '[class*="st-key-thought-"] [data-testid="stText"]{font-style:italic;opacity:.9}',
        '[class*="st-key-call-"]{border:1px solid color-mix(in srgb,currentColor 16%,transparent);border-radius:4px;'
        "padding:.45rem .7rem}",
        '[class*="st-key-call-"] table{font-size:.88rem}',
        '[class*="st-key-call-"] td,[class*="st-key-call-"] th{padding:.15rem .5rem}',
        '[data-testid="stText"]{white-space:pre-wrap;overflow-wrap:anywhere}',
    ]
    return "".join(rules)


def ready(trace: Trace) -> ReadTrace:
    """A trace made ready for reading, kept while the visitor reads it."""
    kept: ReadTrace | None = st.session_state.get(_KEPT)
    if kept is None or kept.trace.key != trace.key or kept.trace.row["content_hash"] != trace.row["content_hash"]:
        kept = st.session_state[_KEPT] = ReadTrace.of(trace)
    return kept


def kept(key: TraceKey) -> ReadTrace | None:
    """The trace that the visitor reads, if it is this one."""
    held: ReadTrace | None = st.session_state.get(_KEPT)
    return held if held is not None and held.trace.key == key else None


def draw_step(read: ReadTrace, step: Step, look: Look, library: Library, current: bool) -> None:
    """Draw one step; what is opened in it is drawn anew alone."""
    state = "current" if current else "other"
    role = step.role if step.role in ("user", "assistant", "tool", "system", "developer") else "tool"
    with st.container(key=f"turn-{role}-{state}-{step.number}", gap="xsmall"):
        _fragment(read, step, look, library)


@st.fragment
def _fragment(read: ReadTrace, step: Step, look: Look, library: Library) -> None:
    key = f"{read.uid}-{step.index}"
    if look.labels and step.role == "assistant" and _can_label():
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            _head(step)
            _labelling("turn_controls", read.trace, step.index)
    else:
        _head(step)
    _thinking(step, key)
    text = step.message["content"] or step.message["content_json"] or ""
    if text:
        short = SYSTEM_BEGINNING if step.role in ("system", "developer") else 0
        _text(text, f"text-{key}", look.markdown, short)
    elif not step.calls and step.role != "assistant":
        st.caption("(empty)")
    for call in step.calls:
        _call(read, call, look, library, f"{key}-{call.call_index}")


def _head(step: Step) -> None:
    st.subheader(_title(step), anchor=f"message-{step.index}", width="content")


def _title(step: Step) -> str:
    parts = [f"{ICONS.get(step.role, ':material/settings:')} {step.index}", escaped(step.role, 40)]
    parts += [step.kind] if step.kind else []
    if step.role == "tool":
        parts.append(f"result of {escaped(step.message['name'] or 'a tool', 80)} that answers no call")
    if step.role == "assistant" and not step.message["train"]:
        parts.append("not trained on")
    return " \u00b7 ".join(parts)


def _thinking(step: Step, key: str) -> None:
    thought = step.message["reasoning_content"]
    if not thought and not step.thinking:
        return
    with st.container(key=f"thought-{key}", gap="xsmall"):
        for entry in step.thinking:
            _origin(entry)
        if not step.thinking:
            st.caption(":material/psychology: thinking, recorded")
        if thought:
            _text(thought, f"thinking-{key}", False)
        for at, entry in enumerate(step.thinking):
            if entry["original"]:
                _before(entry["original"], f"before-{key}-{at}")


def _origin(entry: Thinking) -> None:
    """Where a thought came from, and the checks that it failed."""
    said = [f":material/psychology: thinking, {escaped(entry['origin'], 40)}"]
    said += [escaped(entry["teacher"], 80)] if entry["teacher"] else []
    said += [f"prompt {escaped(entry['prompt_version'], 40)}"] if entry["prompt_version"] else []
    failed = [f":orange-badge[:material/flag: {escaped(code, 60)}]" for code in entry["checks_failed"] or ()]
    st.caption(" \u00b7 ".join(said) + ("  " + " ".join(failed) if failed else ""))


def _before(original: str, key: str) -> None:
    with st.expander("Before: the text that was replaced or moved", type="compact", key=key, on_change="rerun") as box:
        if box.open:
            _text(original, f"in-{key}", False)


def _text(text: str, key: str, markdown: bool, beginning: int = 0) -> None:
    """A text, of a long one its beginning with the rest on demand."""
    draw = markdown_text if markdown else plain_text
    if len(text) <= (beginning or INLINE):
        draw(text)
        return
    above = st.empty()
    with st.expander(f"All {len(text):,} characters", type="compact", key=key, on_change="rerun") as box:
        if box.open:
            result_view(text, key)
    if not box.open:
        with above:
            draw(text[: beginning or BEGINNING].rstrip() + " \u2026")


def _call(read: ReadTrace, call: ReadCall, look: Look, library: Library, key: str) -> None:
    with st.container(key=f"call-{key}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":material/build: **{escaped(call.call['name'] or '(no name)', 120)}**", width="content")
            if call.failed:
                st.badge("failed", icon=":material/error:", color="red")
            if call.paired_by == "order":
                st.caption("paired by order", width="content")
            if call.evidence is not None:
                tier_badge(call.evidence["tier"], call.evidence["p"], call.evidence["reason"])
        _arguments(read, call, look, key)
        _result(call, look, library, key)


def _arguments(read: ReadTrace, call: ReadCall, look: Look, key: str) -> None:
    text = call.call["arguments"]
    values = [] if look.json else read.sources.of(call)
    if values:
        st.markdown(_table(values, look.window))
        _jumps(values, look, key)
    elif text.strip() not in ("", "{}"):
        shown = pretty(text, 20_000)
        st.code(shown[:BEGINNING], language="json", wrap_lines=True)
        if len(shown) > BEGINNING:
            _text(shown, f"arguments-{key}", False)


def _table(values: list[ArgumentValue], window: range) -> str:
    rows = [
        f"| {escaped(value.path, 80)} | {escaped(_written(value.value), _VALUE)} | {_from(value, window)} |"
        for value in values
    ]
    return "\n".join(["| argument | value | from |", "|---|---|---|", *rows])


def _written(value: Any) -> str:
    from curate.canonical import compact_json

    return value if isinstance(value, str) else compact_json(value)


def _from(value: ArgumentValue, window: range) -> str:
    told = escaped(value.origin, 120)
    if value.step is None:
        return told
    place = f"message {value.message_index}"
    return f"{told}, " + (f"[{place}](#message-{value.message_index})" if value.step in window else place)


def _jumps(values: list[ArgumentValue], look: Look, key: str) -> None:
    """Ways to messages that values came from and that are not on the page."""
    far = {value.message_index for value in values if value.step is not None and value.step not in look.window}
    if not far or look.jump is None:
        return
    with st.container(horizontal=True):
        for index in sorted(index for index in far if index is not None)[:6]:
            name, icon = f"jump-{key}-{index}", ":material/arrow_upward:"
            if st.button(f"message {index}", key=name, type="tertiary", icon=icon):
                look.jump(index)
                st.rerun()


def _result(call: ReadCall, look: Look, library: Library, key: str) -> None:
    if call.result is None:
        st.caption(":material/hourglass_disabled: no result")
        return
    text = call.result["content"] or call.result["content_json"] or ""
    label = f"Result, {len(text):,} characters: {escaped(text, 110)}" if text else "Result: empty"
    with st.expander(label, type="compact", key=f"result-{key}", on_change="rerun") as box:
        if box.open:
            if call.evidence is not None:
                _rests_on(call.evidence, look, library)
            result_view(text, key)


def _rests_on(evidence: Evidence, look: Look, library: Library) -> None:
    """The recorded result that a rollout's result was taken from."""
    source = evidence["source_trajectory_id"]
    if evidence["step_reward"] is not None:
        st.caption(f"reward of this step {evidence['step_reward']:.3f}")
    if not source:
        return
    found = library.find(source)
    if not found:
        st.caption(f"recorded in {escaped(source, 80)}, which no opened folder holds")
    for key in found[:3]:
        label = f"recorded in {escaped(key.trace, 80)}, folder {escaped(key.folder, 60)}"
        at = evidence["source_message_index"]
        link("read", label, icon=":material/link:", folder=key.folder, trace=key.trace, turn=at)


def _can_label() -> bool:
    return find_spec("app.widgets.labelling") is not None


def _labelling(name: str, *args: Any) -> None:
    """Draw a control of the labelling widgets where there are any."""
    if _can_label():
        getattr(import_module("app.widgets.labelling"), name)(*args)


def trace_controls(trace: Trace) -> None:
    """Draw the control that labels the whole trace."""
    _labelling("trace_controls", trace)
