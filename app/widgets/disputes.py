"""Items on which labels differ, those of most entropy first; a lead settles them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import streamlit as st

from app.agreed import Agreed, Seen, places, told_key
from app.labels.accounts import Annotator
from app.labels.events import Event, Target, new_event_id
from app.navigation import link
from app.opened import opened
from app.reading.plain import escaped
from curate.errors import UsageError
from synth.agreement import Dispute

PAGE = 10
"""Items on a page."""
_REFUSED = "disputes.refused"


def draw_disputes(agreed: Agreed, who: Annotator | None) -> None:
    """Draw the list."""
    if message := st.session_state.pop(_REFUSED, None):
        st.error(escaped(message, 300))
    settled = st.toggle("Settled ones too", key="settled", bind="query-params")
    found = agreed.open_disputes(settled)
    if not found:
        st.info("Nothing is in dispute.", icon=":material/check:")
        return
    page = 1
    if len(found) > PAGE:
        page = st.pagination(-(-len(found) // PAGE), key="page", bind="query-params")
    shown = found[(page - 1) * PAGE : page * PAGE]
    targets = [dispute.item for dispute in shown]
    seen, said = places(opened().library, targets), agreed.said_of(targets)
    for dispute in shown:
        with st.container(border=True):
            _item(dispute, said[dispute.item], seen.get(dispute.item))
            _ruling(agreed, dispute, said[dispute.item], who)


def _item(dispute: Dispute[Target], said: list[dict[str, Any]], seen: Seen | None) -> None:
    """What is disputed, and who says what."""
    target = dispute.item
    at = "" if target.message_index is None else f", message {target.message_index}"
    with st.container(horizontal=True, vertical_alignment="center"):
        votes = ", ".join(f"{count} {escaped(name, 60)}" for name, count in dispute.votes.items())
        st.markdown(f"**{votes}**", width="content")
        if seen is None:
            st.caption(f"{escaped(target.trajectory_id, 40)}{at}: no opened folder has it with this content")
        else:
            name = f"{seen.first_words or seen.key.trace}{at}"
            where: dict[str, Any] = {"folder": seen.key.folder, "trace": seen.key.trace, "turn": target.message_index}
            link("read", escaped(name, 110), icon=":material/article:", **where)
    st.caption("  \n".join(map(_told, said)))


def _told(row: dict[str, Any]) -> str:
    parts = [f"{escaped(row['annotator'], 64)}: **{escaped(row['verdict'] or 'no verdict', 60)}**"]
    parts += [escaped(tag, 60) for tag in row["tags"]]
    note = f" \u201c{escaped(row['note'], 300)}\u201d" if row["note"] else ""
    return " · ".join(parts) + note


def _ruling(agreed: Agreed, dispute: Dispute[Target], said: list[dict[str, Any]], who: Annotator | None) -> None:
    """What a lead has settled, or the way to settle it."""
    ruled = agreed.rulings.get(dispute.item)
    if ruled is not None:
        verdict, by = ruled
        st.markdown(f":material/gavel: Settled as **{escaped(verdict or 'no verdict', 60)}** by {escaped(by, 64)}")
    if who is None or who.role != "lead" or opened().labels.read_only:
        return
    key = told_key(dispute.item)
    with st.popover("Settle" if ruled is None else "Settle anew", icon=":material/gavel:", key=f"settle {key}"):
        verdicts = {choice.name: escaped(choice.title, 60) for choice in opened().labels.schema.verdicts}
        names = {choice.name: choice.title for choice in opened().labels.schema.tags}
        verdict = st.segmented_control(
            "Verdict", list(verdicts), format_func=verdicts.__getitem__, key=f"verdict {key}"
        )
        tags = st.multiselect(
            "Tags", list(names), _usual(said, names), format_func=names.__getitem__, key=f"tags {key}"
        )
        note = st.text_input("Why", key=f"note {key}")
        event = _event(who, dispute.item, verdict, tags, note, key)
        st.button(
            "Settle it", key=f"record {event.event_id}", disabled=verdict is None, on_click=_record, args=(event, key),
            type="primary",
        )  # fmt: skip


def _usual(said: list[dict[str, Any]], names: dict[str, str]) -> list[str]:
    """The tags that more than half of the labels have."""
    counts = Counter(tag for row in said for tag in set(row["tags"]))
    return [tag for tag in names if counts[tag] * 2 > len(said)]


def _event(who: Annotator, target: Target, verdict: str | None, tags: list[str], note: str, key: str) -> Event:
    """The adjudication as it would be kept; its id was made when the item was drawn, so that it is kept once."""
    event_id = st.session_state.setdefault(f"event {key}", new_event_id())
    version = opened().labels.schema.version
    return Event(event_id, who.name, target, verdict, tuple(tags), note, action="adjudicate", schema_version=version)


def _record(event: Event, key: str) -> None:
    try:
        opened().labels.record(event)
    except UsageError as error:
        st.session_state[_REFUSED] = str(error)
        return
    st.session_state.pop(f"event {key}", None)
