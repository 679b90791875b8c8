"""Labels while reading: small controls for a trace and for a turn; they draw nothing for who has not signed in."""

from __future__ import annotations

import time

import streamlit as st

from app.labels.accounts import Annotator
from app.labels.events import Event, Target, new_event_id
from app.labels.schema import LabelSchema
from app.labels.store import LabelStore
from app.opened import opened
from app.reading.plain import escaped
from app.signing_in import viewer
from app.sitting import MIN_DWELL_MS, STALE, TOO_SOON
from app.traces import Trace
from curate.errors import UsageError

_MINE, _DRAWN = "labelling.mine", "labelling.drawn"
_Key = tuple[str, str, int | None]


def trace_controls(trace: Trace) -> None:
    """Label the whole trajectory."""
    _controls(trace, None, "Label this trace")


def turn_controls(trace: Trace, message_index: int) -> None:
    """Label one turn."""
    _controls(trace, message_index, "Label")


def _controls(trace: Trace, message_index: int | None, title: str) -> None:
    labels, who = opened().labels, viewer()
    row = trace.row
    if who is None or not row["trajectory_id"] or not row["content_hash"]:
        return
    target = Target(row["trajectory_id"], row["content_hash"], message_index, trace.key.folder)
    mine = _own(labels, who).get(_name(target))
    look = f"{title}: {_told(mine, labels.schema)}" if mine else title
    box = st.popover(
        look, icon=":material/label:", type="tertiary", key=f"labelling {_shown(target)}", on_change="rerun"
    )
    if box.open:
        with box:
            _saying(labels, who, target, mine)
    else:
        _drawn().pop(_name(target), None)


def _saying(labels: LabelStore, who: Annotator, target: Target, mine: Event | None) -> None:
    """Tags and note first, then the verdict, which records all of it."""
    event_id, _ = _drawn().setdefault(_name(target), (new_event_id(), time.monotonic()))
    if said := st.session_state.pop(f"labelling.said {_shown(target)}", None):
        st.warning(said)
    tags, note = f"labelling.tags {event_id}", f"labelling.note {event_id}"
    titles = {tag.name: tag.title for tag in labels.schema.tags}
    st.session_state.setdefault(tags, [tag for tag in mine.tags if tag in titles] if mine else [])
    st.session_state.setdefault(note, mine.note if mine else "")
    name = {key: escaped(title, 60) for key, title in titles.items()}.__getitem__
    st.pills("What went wrong", list(titles), selection_mode="multi", key=tags, format_func=name)
    st.text_area("Note", key=note, height=68)
    with st.container(horizontal=True):
        for verdict in labels.schema.verdicts:
            chosen = mine is not None and mine.verdict == verdict.name
            st.button(
                escaped(verdict.title, 60),
                key=f"labelling.{verdict.name} {_shown(target)} {event_id}",
                type="primary" if chosen else "secondary",
                help=escaped(verdict.help, 300) or None,
                on_click=_record,
                args=(labels, who, target, event_id, verdict.name),
            )


def _record(labels: LabelStore, who: Annotator, target: Target, event_id: str, verdict: str) -> None:
    current, since = _drawn().get(_name(target), ("", 0.0))
    shown_ms = int((time.monotonic() - since) * 1000)
    said = f"labelling.said {_shown(target)}"
    if viewer() != who:
        return
    if current != event_id or shown_ms < MIN_DWELL_MS:
        st.session_state[said] = STALE if current != event_id else TOO_SOON
        return
    event = Event(
        event_id,
        who.name,
        target,
        verdict,
        tags=tuple(st.session_state.get(f"labelling.tags {event_id}", ())),
        note=str(st.session_state.get(f"labelling.note {event_id}", "")).strip(),
        schema_version=labels.schema.version,
        shown_ms=shown_ms,
    )
    try:
        labels.record(event)
    except UsageError as error:
        st.session_state[said] = f"Nothing was labelled: {escaped(str(error))}."
        return
    _drawn().pop(_name(target), None)


def _own(labels: LabelStore, who: Annotator) -> dict[_Key, Event]:
    """The viewer's standing labels, read anew once anything was written."""
    now = (who.name, labels.revision())
    kept = st.session_state.get(_MINE)
    if kept is None or kept[0] != now:
        kept = st.session_state[_MINE] = (now, _read(labels, who))
    found: dict[_Key, Event] = kept[1]
    return found


def _read(labels: LabelStore, who: Annotator) -> dict[_Key, Event]:
    rows = labels.latest(annotator=who.name).iter_rows(named=True)
    found: dict[_Key, Event] = {}
    for row in rows:
        if row["action"] == "label":
            target = Target(row["trajectory_id"], row["content_hash"], row["message_index"])
            found[_name(target)] = Event(
                row["event_id"], who.name, target, row["verdict"], tuple(row["tags"]), row["note"]
            )
    return found


def _told(label: Event, schema: LabelSchema) -> str:
    titles = {choice.name: choice.title for choice in (*schema.verdicts, *schema.tags)}
    names = [label.verdict, *label.tags] if label.verdict else label.tags
    return escaped(", ".join(titles.get(name, name) for name in names if name) or "a note", 80)


def _drawn() -> dict[_Key, tuple[str, float]]:
    """The events made for the controls that are open, and since when."""
    found: dict[_Key, tuple[str, float]] = st.session_state.setdefault(_DRAWN, {})
    return found


def _name(target: Target) -> _Key:
    return target.trajectory_id, target.content_hash, target.message_index


def _shown(target: Target) -> str:
    return " ".join(map(str, _name(target)))
