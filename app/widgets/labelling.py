"""Labels while reading: the whole trace, or one of its turns, from the page Read. They belong to no queue.

A press names the event that was made when its controls were drawn: sent twice it counts once, and one of controls that
are no longer shown counts not at all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import streamlit as st

from app.labels.accounts import Annotator
from app.labels.events import Event, Target, new_event_id
from app.labels.schema import LabelSchema
from app.opened import opened
from app.reading.plain import escaped
from app.signing_in import viewer
from app.sitting import MIN_DWELL_MS
from app.traces import Trace
from curate.errors import UsageError

TOO_SOON = "That came before this could be read; nothing was labelled."
STALE = "That was meant for what is no longer shown; nothing was labelled."
_ICONS = {"good": ":material/thumb_up:", "bad": ":material/thumb_down:", "unsure": ":material/help:"}


@dataclass
class _Shown:
    """Controls on the page: the events that their presses make, and the one that was made before."""

    before: str = ""
    event_id: str = field(default_factory=new_event_id)
    undo_id: str = field(default_factory=new_event_id)
    since: float = field(default_factory=lambda: time.monotonic())
    said: str = ""

    def milliseconds(self) -> int:
        return int((time.monotonic() - self.since) * 1000)


def trace_controls(trace: Trace) -> None:
    """Label the whole trace; nothing for who has not signed in, and for a record that has no content to speak of."""
    _controls(trace, None, "Label this trace")


def turn_controls(trace: Trace, message_index: int) -> None:
    """Label one turn of the assistant; nothing for another message, and for who has not signed in."""
    messages = trace.row["messages"] or []
    if message_index < len(messages) and messages[message_index]["role"] == "assistant":
        _controls(trace, message_index, "Label this turn")


def _controls(trace: Trace, message_index: int | None, words: str) -> None:
    who = viewer()
    name, content = trace.row["trajectory_id"], trace.row["content_hash"]
    if who is not None and name and content:
        _box(Target(name, content, message_index, trace.key.folder), who, words)


@st.fragment
def _box(target: Target, who: Annotator, words: str) -> None:
    """A button with what one has said, which opens what may be said."""
    labels = opened().labels
    last = labels.last(who.name, target)
    key = _key(target)
    title = words if last is None else _told(last, labels.schema)
    icon = ":material/label:" if last is None else _ICONS.get(last.verdict or "", ":material/label:")
    with st.popover(title, icon=icon, type="tertiary", key=f"{key} box", on_change="rerun", width="content") as box:
        if not box.open:
            st.session_state.pop(key, None)
            return
        _choices(target, who, last, labels.schema, st.session_state.setdefault(key, _Shown()))


def _choices(target: Target, who: Annotator, last: Event | None, schema: LabelSchema, shown: _Shown) -> None:
    if shown.said:
        st.warning(shown.said)
    tags = {tag.name: escaped(tag.title, 60) for tag in schema.tags}
    if tags:
        given = [tag for tag in last.tags if tag in tags] if last is not None else []
        ask = "What went wrong, before the verdict"
        st.pills(
            ask, list(tags), selection_mode="multi", default=given, format_func=tags.__getitem__, key=_tags_key(shown)
        )
    st.text_area("Note", last.note if last is not None else "", height=68, key=_note_key(shown))
    with st.container(horizontal=True):
        for choice in schema.verdicts:
            st.button(
                escaped(choice.title, 60),
                key=f"label {choice.name} {shown.event_id}",
                icon=_ICONS.get(choice.name),
                help=escaped(choice.help, 300) or None,
                type="primary" if last is not None and last.verdict == choice.name else "secondary",
                on_click=_press,
                args=(target, who, shown.event_id, choice.name),
            )
        if last is not None:
            st.button("Undo", key=f"undo {shown.undo_id}", on_click=_undo, args=(target, who, shown.undo_id))


def _press(target: Target, who: Annotator, event_id: str, verdict: str) -> None:
    shown = _ready(target, who, event_id)
    if shown is None:
        return
    labels = opened().labels
    event = Event(
        event_id,
        who.name,
        target,
        verdict,
        tags=tuple(st.session_state.get(_tags_key(shown)) or ()),
        note=(st.session_state.get(_note_key(shown)) or "").strip(),
        schema_version=labels.schema.version,
        shown_ms=shown.milliseconds(),
    )
    try:
        labels.record(event)
    except UsageError as error:
        shown.said = f"Nothing was labelled: {escaped(str(error))}."
        return
    st.session_state[_key(target)] = _Shown(event_id)


def _undo(target: Target, who: Annotator, undo_id: str) -> None:
    shown = _ready(target, who, undo_id)
    if shown is None:
        return
    try:
        opened().labels.undo(who.name, event_id=undo_id, target=target)
    except UsageError as error:
        shown.said = f"Nothing was taken back: {escaped(str(error))}."
        return
    st.session_state[_key(target)] = _Shown(undo_id)


def _ready(target: Target, who: Annotator, made: str) -> _Shown | None:
    """The controls that a press came from; None, and said why, if it does not count."""
    shown: _Shown | None = st.session_state.get(_key(target))
    if shown is None or made == shown.before:  # pressed twice: it counted once
        return None
    shown.said = ""
    if viewer() != who:
        shown.said = "You are not signed in any more; nothing was labelled."
    elif made not in (shown.event_id, shown.undo_id):
        shown.said = STALE
    elif shown.milliseconds() < MIN_DWELL_MS:
        shown.said = TOO_SOON
    return None if shown.said else shown


def _told(last: Event, schema: LabelSchema) -> str:
    titles = {choice.name: choice.title for choice in (*schema.verdicts, *schema.tags)}
    names = [name for name in (last.verdict, *last.tags) if name]
    words = ", ".join(titles.get(name, name) for name in names) or "Note"
    return escaped(words + (", with a note" if last.note and names else ""), 80)


def _key(target: Target) -> str:
    return f"labelling {target.trajectory_id} {target.content_hash} {target.message_index}"


def _tags_key(shown: _Shown) -> str:
    return f"tags {shown.event_id}"


def _note_key(shown: _Shown) -> str:
    return f"note {shown.event_id}"
