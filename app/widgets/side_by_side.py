"""Two trajectories side by side, aligned by turn: a window of steps, each with its words, calls and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from app.comparing.alignment import Alignment, Pair
from app.comparing.steps import Step
from app.reading.plain import escaped, one_line
from app.widgets import addressed
from app.widgets.diffs import diff_columns, plain_text
from app.widgets.tiers import tier_badge
from curate.canonical import json_object
from curate.trajectory import Evidence, Trajectory

WINDOW = 12
"""Pairs that are drawn at once."""
SHOWN_CHARS = 20_000
"""Characters of a call's arguments or a result that are drawn."""
_ROLES = {"user": ":material/person:", "assistant": ":material/smart_toy:"}


@dataclass(frozen=True)
class Shown:
    """One of the two: its name on the page and its row."""

    title: str
    row: Trajectory

    def evidence(self, step: Step) -> Mapping[int, Evidence]:
        """What the results of a step rest on, by the number of the call."""
        return {each["call_index"]: each for each in self.row["evidence"] or () if each["message_index"] == step.at}


def aligned(found: Alignment, left: Shown, right: Shown) -> None:
    """Draw the window that the address names, with keys to go on."""
    only = _bar(found)
    places = [at for at, pair in enumerate(found.pairs) if pair.differs or not only]
    begin = addressed.whole("at", len(places) - 1)
    _steps(begin, places, found)
    shown = places[begin : begin + WINDOW]
    if not shown:
        st.info("Nothing differs.", icon=":material/check:")
        return
    heads = st.columns(2)
    for column, side in zip(heads, (left, right), strict=True):
        column.markdown(f"**{escaped(side.title)}**")
    for at in shown:
        _pair(found.pairs[at], left, right)


def _bar(found: Alignment) -> bool:
    gone, come = found.only()
    apart = found.first_apart
    told = f"{found.same:,} of {len(found.pairs):,} steps say and call the same"
    told += f"; {gone:,} only left, {come:,} only right" if gone or come else ""
    told += f"; they part at step {apart + 1:,}" if apart is not None else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{told}.")
        return addressed.switch("Only what differs", "only", drops=("at",))


def _steps(begin: int, places: Sequence[int], found: Alignment) -> None:
    """Where the window stands, and buttons to move it."""
    differs = [place for place, at in enumerate(places) if found.pairs[at].differs]
    after = next((place for place in differs if place > begin), None)
    before = next((place for place in reversed(differs) if place < begin), None)
    with st.container(horizontal=True, vertical_alignment="center"):
        back = max(0, begin - WINDOW) if begin else None
        addressed.step("Earlier", "at", back, shortcut="K", icon=":material/expand_less:")
        on = begin + WINDOW if begin + WINDOW < len(places) else None
        addressed.step("Later", "at", on, shortcut="J", icon=":material/expand_more:")
        addressed.step("Difference before", "at", before, shortcut="P", icon=":material/keyboard_double_arrow_up:")
        addressed.step("Next difference", "at", after, shortcut="N", icon=":material/keyboard_double_arrow_down:")
        if places:
            st.caption(f"{begin + 1:,} to {min(begin + WINDOW, len(places)):,} of {len(places):,}")


def _pair(pair: Pair, left: Shown, right: Shown) -> None:
    with st.container(border=True):
        for column, step in zip(st.columns(2), (pair.left, pair.right), strict=True):
            with column:
                _head(step, pair)
        if pair.left is not None and pair.right is not None:
            _words(pair.left, pair.right)
        else:
            _lone(pair)
        for column, step, side in zip(st.columns(2), (pair.left, pair.right), (left, right), strict=True):
            with column:
                _calls(step, side, "left" if side is left else "right")


def _head(step: Step | None, pair: Pair) -> None:
    if step is None:
        st.caption("no step here")
        return
    icon = _ROLES.get(step.role, ":material/settings:")
    word = "" if pair.same and not pair.differs else _difference(pair)
    st.markdown(f"{icon} **{escaped(step.role, 20)}** :gray[message {step.at}]{word}")


def _difference(pair: Pair) -> str:
    if pair.left is None or pair.right is None:
        return " :orange-badge[only here]"
    if not pair.same:
        return " :orange-badge[other call]" if pair.left.tools or pair.right.tools else " :orange-badge[other words]"
    results = [[result["content"] for result in step.results] for step in (pair.left, pair.right)]
    return " :orange-badge[other result]" if results[0] != results[1] else " :gray-badge[other wording]"


def _words(left: Step, right: Step) -> None:
    for label, name in (("thinking", "reasoning_content"), ("text", "content")):
        before, after = left.message[name] or "", right.message[name] or ""  # type: ignore[literal-required]
        if before or after:
            diff_columns(label, before, after)


def _lone(pair: Pair) -> None:
    columns = st.columns(2)
    step = pair.left or pair.right
    if step is not None:
        with columns[0 if pair.left else 1]:
            plain_text("thinking", step.message["reasoning_content"] or "")
            plain_text("text", step.message["content"] or "")


def _calls(step: Step | None, side: Shown, place: str) -> None:
    if step is None:
        return
    evidence = side.evidence(step)
    for number, call in enumerate(step.message["tool_calls"]):
        st.code(_call_text(call["name"], call["arguments"] or ""), language=None, wrap_lines=True)
        if number in evidence:
            _rests_on(evidence[number])
    for number, result in enumerate(step.results):
        text = result["content"] or ""
        label = f"result {escaped(result['name'] or '', 40)}, {len(text):,} characters"
        folded = st.expander(label, type="compact", key=f"result-{place}-{step.at}-{number}", on_change="rerun")
        if folded.open:
            folded.code(text[:SHOWN_CHARS], language=None, wrap_lines=True)
            if len(text) > SHOWN_CHARS:
                folded.caption(f"The first {SHOWN_CHARS:,} characters; read the trace for all.")


def _call_text(name: str, arguments: str) -> str:
    """A call with one argument a line, as recorded where it is no JSON object."""
    values = json_object(arguments)
    if not values:
        return one_line(name, 100) + ("" if values == {} else f"\n{arguments[:SHOWN_CHARS]}")
    lines = [f"  {key}: {value if isinstance(value, str) else _json(value)}" for key, value in values.items()]
    return "\n".join([one_line(name, 100), *lines])[:SHOWN_CHARS]


def _json(value: object) -> str:
    import orjson

    return orjson.dumps(value).decode()


def _rests_on(entry: Evidence) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        tier_badge(entry["tier"] or "", entry["p"], entry["reason"])
