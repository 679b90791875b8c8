"""The item that is labelled, and the keys that label it; every key names the event of the item it was drawn with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from app.labels.schema import Choice, LabelSchema
from app.navigation import link
from app.reading.plain import escaped
from app.reading.turns import Step, step_at, steps_of
from app.signing_in import viewer
from app.sitting import Item, Sitting
from app.widgets.compact import COMPACT_STYLE, draw_compactly
from curate.errors import UsageError

STEPS, SCREEN = 30, 7
"""Steps of a trajectory that are drawn, and those of them that fill a screen."""
BEFORE = 6
"""Steps that are drawn before a turn that is labelled."""
PANE = 690
"""Height of what is read, in pixels: keys and text stand on one screen."""
_ICONS = {"good": ":material/thumb_up:", "bad": ":material/thumb_down:", "unsure": ":material/help:"}
_STYLE = """
[class*="st-key-label-tags"] button {min-height: 1.85rem; padding: 0 .6rem;}
[class*="st-key-label-tags"] button > div, [class*="st-key-label-verdicts"] button > div {
  width: 100%; justify-content: space-between;}
"""


def draw_item(item: Item) -> Callable[[], None] | None:
    """Draw what is to be judged: the trajectory from its start, or the turn with what came before it.

    Returns:
        What draws the rest, below what the screen shows, for which keys need not wait; None if there is none.
    """
    if item.trace is None:
        st.warning("No opened folder holds this trace as it was when the queue was made.", icon=":material/link_off:")
        st.text(f"{item.target.trajectory_id} in {item.target.folder}")
        return None
    row: Any = item.trace.row
    steps = steps_of(row)
    _about(item, len(steps))
    turn = item.target.message_index
    place = None if turn is None else step_at(steps, turn)
    # Another item is another pane: it stands at its top, not where the last one was left.
    pane = st.container(height=PANE, key=f"label-pane-{item.event_id}", border=True)
    with pane:
        if place is None:
            draw_compactly(steps[:SCREEN])
        else:
            _draw_turn(steps[place])

    def rest() -> None:
        with pane:
            if place is None:
                draw_compactly(steps[SCREEN:STEPS])
            else:
                st.caption("Before it")
                draw_compactly(steps[max(0, place - BEFORE) : place])

    return rest if place or (place is None and len(steps) > SCREEN) else None


def _draw_turn(step: Step) -> None:
    """The turn that is judged stands first, so that no key comes before it is seen."""
    with st.container(border=True, key="label-turn"):
        st.markdown(f":material/gavel: **Judge this turn**, message {step.index}")
        draw_compactly([step])


def _about(item: Item, steps: int) -> None:
    assert item.trace is not None, "draw_item has looked"
    row, turn = item.trace.row, item.target.message_index
    told = [escaped(str(row[name]), 80) for name in ("source", "task_id") if row[name]]
    told += [] if row["reward"] is None else [f"reward {row['reward']:.3f}".replace(".", "\\.")]
    told += [f"{steps:,} steps" if turn is None else f"turn at message {turn}"]
    told += [f"the first {STEPS} shown"] if turn is None and steps > STEPS else []
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        st.caption(f"**{escaped(item.target.trajectory_id, 12)}** · {' · '.join(told)}", width="stretch")
        where: dict[str, Any] = {"folder": item.trace.key.folder, "trace": item.trace.key.trace, "turn": turn}
        link("read", "Read it whole", icon=":material/article:", **where)


def controls(sitting: Sitting, item: Item | None, schema: LabelSchema) -> None:
    """Verdicts, failure tags, note, skip and undo."""
    st.html(f"<style>{_STYLE}{COMPACT_STYLE}</style>")
    if item is not None and item.trace is not None:
        _verdicts(item, sitting, schema)
        _tags(item, sitting, schema)
        note = _note_key(item)
        st.session_state.setdefault(note, item.note)
        st.text_area("Note", key=note, height=68, placeholder="Keys rest while you type here")
    with st.container(horizontal=True):
        if item is not None:
            skip = f"label.skip {item.event_id}"
            st.button("Skip", key=skip, shortcut="S", on_click=_skip, args=(sitting, item), width="stretch")
        undo_id = item.undo_id if item is not None else f"{sitting.queue.name} done"
        st.button("Undo", key=f"label.undo {undo_id}", shortcut="Z", on_click=_undo, args=(sitting, item))


def said_of_last(sitting: Sitting, schema: LabelSchema) -> None:
    """What was just labelled, or why nothing was; one place for both, so that the keys stay where they are."""
    last = sitting.last
    if sitting.said:
        st.caption(f":orange[:material/info: {sitting.said}]")
    elif last is None:
        st.caption("Label with a key or a click.")
    else:
        titles = {choice.name: choice.title for choice in (*schema.verdicts, *schema.tags)}
        words = ", ".join(titles.get(name, name) for name in (last.verdict or "", *last.tags))
        note = f" · {escaped(last.note, 60)}" if last.note else ""
        st.caption(f":material/check: {escaped(last.target.trajectory_id, 12)}: **{escaped(words)}**{note}")


def _verdicts(item: Item, sitting: Sitting, schema: LabelSchema) -> None:
    with st.container(key="label-verdicts", gap="xsmall"):
        for choice in schema.verdicts:
            _button(choice, item, sitting, _press, "secondary", _ICONS.get(choice.name))


def _tags(item: Item, sitting: Sitting, schema: LabelSchema) -> None:
    if not schema.tags:
        return
    st.caption("What went wrong, before the verdict")
    with st.container(key="label-tags", gap=None):
        for choice in schema.tags:
            _button(choice, item, sitting, _toggle, "primary" if choice.name in sitting.tags else "tertiary", None)


def _button(choice: Choice, item: Item, sitting: Sitting, act: Any, look: Any, icon: str | None) -> None:
    st.button(
        escaped(choice.title, 60),
        key=f"label.{choice.name} {item.target.trajectory_id} {item.event_id}",
        shortcut=choice.key or None,
        help=escaped(choice.help, 300) or None,
        on_click=act,
        args=(sitting, item, choice.name),
        type=look,
        icon=icon,
        width="stretch",
    )


def _note_key(item: Item) -> str:
    return f"label.note {item.event_id}"


def _press(sitting: Sitting, item: Item, verdict: str) -> None:
    if not _still_there(sitting):
        return
    try:
        sitting.press(item.event_id, verdict, st.session_state.get(_note_key(item), ""))
    except UsageError as error:
        sitting.said = f"Nothing was labelled: {escaped(str(error))}."


def _toggle(sitting: Sitting, item: Item, tag: str) -> None:
    sitting.toggle(item.event_id, tag)


def _skip(sitting: Sitting, item: Item) -> None:
    sitting.skip(item.event_id)


def _undo(sitting: Sitting, item: Item | None) -> None:
    if not _still_there(sitting):
        return
    try:
        sitting.undo(item.undo_id if item is not None else "")
    except UsageError as error:
        sitting.said = f"Nothing was taken back: {escaped(str(error))}."


def _still_there(sitting: Sitting) -> bool:
    """Whether who sat down is still signed in; they may have left in another window."""
    if viewer() == sitting.annotator:
        return True
    sitting.said = "You are not signed in any more; nothing was labelled."
    return False
