"""The form in which a lead makes a queue of labels from a filter, a saved view, or all kept trajectories."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.browsing import find
from app.filters import FilterState, from_query, parsed
from app.label_states import label_states
from app.labels.accounts import Annotator
from app.labels.queues import MODES, UNITS, Mode, Queue, Unit
from app.opened import Opened
from app.queue_making import targets_of
from app.reading.plain import escaped
from curate.errors import UsageError

MODE_TITLES: Mapping[Mode, str] = {
    "assigned": "In the order of the filter",
    "random": "Random by seed",
    "disagreement": "Disagreement first",
    "uncertain": "Uncertain first",
}
_UNIT_TITLES: Mapping[Unit, str] = {"trajectory": "Whole trajectories", "turn": "Single turns"}
_KEPT = "All kept trajectories"
_FILTER = "What Browse shows"
MOST = 100_000


def queue_form(held: Opened, who: Annotator, made: int) -> None:
    """Draw the form; a queue that was made is there at once.

    Args:
        held: what is open.
        who: the lead.
        made: how many queues there are.
    """
    sources = _sources(held)
    with st.form("label.make"):
        name = st.text_input("Name", value=f"Queue {made + 1}", max_chars=120)
        left, right = st.columns(2)
        default = list(sources).index(_FILTER) if _FILTER in sources else 0
        source = left.selectbox("Traces", list(sources), index=default)
        most = right.number_input("At most", 1, MOST, 200, help="Trajectories; of more, some are chosen by the order")
        mode = left.selectbox("Order", MODES, index=1, format_func=MODE_TITLES.__getitem__)
        seed = right.number_input("Seed", 0, 2**31 - 1, 0)
        unit = left.selectbox("What is labelled", UNITS, format_func=_UNIT_TITLES.__getitem__)
        overlap = right.number_input(
            "Labels for each", 0, 100, 0, help="How many annotators label each; 0: all of them"
        )
        people = [person.name for person in held.labels.annotators()]
        chosen = st.multiselect("Annotators", people, placeholder="Everyone")
        sent = st.form_submit_button("Make the queue", type="primary")
    if sent:
        rows = Queue(name.strip(), mode, unit, int(seed), tuple(chosen), overlap=int(overlap))
        _make(held, who, rows, sources[source], int(most))


def _sources(held: Opened) -> dict[str, FilterState]:
    """Where traces may come from: name -> filter."""
    found = {_KEPT: FilterState(show="kept")}
    query = st.query_params.get("filter", "")
    if query:
        found[_FILTER] = from_query(query)
    for view in held.labels.views(page="browse"):
        found[f"View: {view.name}"] = parsed(view.params)[0]
    return found


def _make(held: Opened, who: Annotator, queue: Queue, state: FilterState, most: int) -> None:
    states = label_states(held, who) if state.labels else None
    bar = st.progress(0.0, "Reading the traces")

    def told(share: float) -> None:
        bar.progress(share, "Reading the traces")

    try:
        rows = find(held.library, state, states).rows
        targets = targets_of(
            held.library,
            rows,
            mode=queue.mode,
            unit=queue.unit,
            most=most,
            seed=queue.seed,
            progress=told,
        )
        held.labels.add_queue(
            Queue(queue.name, queue.mode, queue.unit, queue.seed, queue.annotators, targets, queue.overlap)
        )
    except UsageError as error:
        bar.empty()
        st.error(escaped(f"{str(error)[:1].upper()}{str(error)[1:]}.", 400))
        return
    st.rerun()
