"""Page: find traces. The address holds the search, the filters, the order and the page of the table."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import streamlit as st

from app.browsing import PAGE_ROWS, Found, find, key_of, searched, text_hits, vocabulary, without_order
from app.filters import CHOICES, MINE, RANGES, SORTS, FilterState, Range, joined
from app.label_states import label_states
from app.labels.store import Annotator
from app.library import Library
from app.navigation import go, link
from app.opened import Opened, opened
from app.reading.plain import escaped
from app.signing_in import viewer
from app.summary import Summary, bin_limits, summary
from app.widgets import filtering
from app.widgets.plots import columns_plot, ranked_plot
from app.widgets.table import shown_rows, trace_table
from app.widgets.views import views_menu
from curate.palette import QUIET, TIER_COLORS


def draw() -> None:
    """Draw the page."""
    held = opened()
    if held.library.frame.is_empty():
        _say_nothing_open(held.library)
        return
    state, faults = filtering.address()
    who = viewer()
    states = label_states(held, who)
    sees_labels = who is not None or held.settings.server.read_only
    with st.sidebar:
        filtering.facets(state, held.library, held.labels.schema if sees_labels else None)
    _top(state, held, who)
    if faults:
        st.warning("Of this address was ignored: " + escaped("; ".join(faults), 600), icon=":material/link_off:")
    _search(held.library, state)
    found = find(held.library, state, states)
    _told(state, found)
    if not len(found.rows):
        _say_nothing_fits(state, held.library)
        return
    above = st.container()
    _bar(state, found)
    _table(found, state, held.library, states)
    with above:
        _plots(_summary(found, state), state)


def _top(state: FilterState, held: Opened, who: Annotator | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        filtering.search_box(state)
        filtering.kept_or_rejected(state)
        views_menu(state, held.labels, who)


def _search(library: Library, state: FilterState) -> None:
    """Search the messages, with a bar while it runs; what was found is kept for the next pages."""
    if not state.text or searched(library, state.text):
        return
    bar = st.progress(0.0, "Searching the messages")

    def told(share: float) -> None:
        bar.progress(min(max(share, 0.0), 1.0), "Searching the messages")

    text_hits(library, state.text, told)
    bar.empty()


def _told(state: FilterState, found: Found) -> None:
    """What is shown, in words, and a way back to everything."""
    with st.container(horizontal=True, vertical_alignment="center"):
        total = f"**{len(found.rows):,}** of {found.frame.height:,} traces"
        st.markdown(total + (f": {escaped(described(state), 500)}" if state.narrowed() else ""))
        if state.narrowed():
            everything = FilterState(sort=state.sort, descending=state.descending)
            st.button("Clear", icon=":material/filter_alt_off:", on_click=filtering.show, args=(everything,))


def _bar(state: FilterState, found: Found) -> None:
    """The order of the table, and a way into its first trace."""
    with st.container(horizontal=True, vertical_alignment="center"):
        filtering.order(state)
        first = key_of(found.frame.row(int(found.rows[0]), named=True))
        where = {"folder": first.folder, "trace": first.trace, "back": replace(state, page=1).query()}
        link("read", "Read the first", icon=":material/article:", **where)
        who = viewer()
        if who is not None and who.role == "lead":
            link("label", "Make a queue of these", icon=":material/label:", filter=where["back"])
        st.caption("Rows open, heads sort, bars filter.", width="content")


def described(state: FilterState) -> str:
    """A state's filters in words."""
    parts = [f"\u201c{state.text}\u201d"] if state.text else []
    parts += [state.show] if state.show else []
    parts += [f"{CHOICES[name].title.lower()} {' or '.join(values)}" for name, values in state.chosen.items()]
    parts += [f"{RANGES[name][1].lower()} {_told_range(limits)}" for name, limits in state.ranges.items()]
    labels = [name.replace(f"{MINE}.", "my ").replace("tag.", "tag ") for name in state.labels]
    parts += [f"label {' or '.join(labels)}"] if labels else []
    return ", ".join(parts)


def _told_range(limits: Range) -> str:
    low, high = str(limits).split("..")
    if low == high:
        return low
    if not low:
        return f"up to {high}"
    return f"{low} to {high}" if high else f"from {low}"


def _plots(counted: Summary, state: FilterState) -> None:
    """Four small plots of what fits; a click on a bar narrows the filter to it."""
    asked = without_order(state)
    rewards, turns, tools, fates = st.columns(4, gap="medium")
    with rewards:
        mean = "" if counted.mean_reward is None else f", mean {counted.mean_reward:.3f}"
        bar = columns_plot(f"Reward{mean}", counted.rewards, f"reward {asked}")
        _narrow(state.within("reward", bin_limits(bar)) if bar else None)
    with turns:
        median = "" if counted.median_turns is None else f", median {counted.median_turns:g}"
        bar = columns_plot(f"Turns{median}", counted.turns, f"turns {asked}")
        _narrow(state.within("turns", bin_limits(bar)) if bar else None)
    with tools:
        bar = ranked_plot("Tools called, traces", counted.tools, f"tools {asked}")
        _narrow(state.choosing("tool", [bar]) if bar else None)
    with fates:
        _fates(counted, state, asked)


def _fates(counted: Summary, state: FilterState, asked: str) -> None:
    """Why rejects were rejected; where there are none, how good the evidence of the results is."""
    if counted.rejected or not counted.tiers:
        title = f"Rejected, {counted.rejected:,} traces"
        bar = ranked_plot(title, counted.reasons, f"reasons {asked}", [QUIET])
        _narrow(state.choosing("reason", [bar]) if bar else None)
    else:
        colors = [TIER_COLORS[tier] for tier in counted.tiers]
        bar = ranked_plot("Worst tier, traces", counted.tiers, f"tiers {asked}", colors)
        _narrow(state.choosing("worst", [bar]) if bar else None)


def _narrow(state: FilterState | None) -> None:
    if state is not None:
        filtering.show(state)
        st.rerun()


def _table(found: Found, state: FilterState, library: Library, states: pl.DataFrame) -> None:
    rows = shown_rows(found.page(state.page), states)
    query = state.query()
    clicked = trace_table(rows, _drawn_columns(library, states, state.show), query)
    if clicked.row is not None:
        row = rows.row(clicked.row, named=True)
        go("read", folder=row["folder"], trace=row["trace"], back=query)
    if clicked.column is not None and clicked.column in SORTS:
        filtering.show(filtering.sorted_by(state, clicked.column))
        st.rerun()
    _pages(found, state)


def _pages(found: Found, state: FilterState) -> None:
    pages = found.pages()
    if pages == 1:
        return
    page = min(state.page, pages)
    # Another filter makes another widget, or the number of the last one would stand in it.
    key = f"browse.page {replace(state, page=page).query()}"

    def turned() -> None:
        filtering.show(replace(filtering.address()[0], page=st.session_state[key]))

    first = (page - 1) * PAGE_ROWS + 1
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.pagination(pages, default=page, key=key, on_change=turned)
        st.caption(
            f"{first:,} to {min(first + PAGE_ROWS - 1, len(found.rows)):,} of {len(found.rows):,}", width="content"
        )


def _drawn_columns(library: Library, states: pl.DataFrame, show: str) -> list[str]:
    """The columns that tell something in what is open; whatever else the filter, they stay the same."""
    frame = library.frame
    several = {name for name in ("folder", "source", "worst", "reason") if vocabulary(library, name)}
    several -= {"reason"} if show == "kept" else set()
    several -= {name for name in ("folder", "source") if len(vocabulary(library, name)) < 2}
    failed = {"failed"} if (frame["failed_calls"] > 0).any() else set()
    known = {"p"} if frame["min_p"].null_count() < frame.height else set()
    labelled = {"label"} if states.height else set()
    drawn = {"trace", "task", "first_words", "reward", "turns", "calls"} | several | failed | known | labelled
    order = "trace task first_words reward turns calls failed worst reason label p folder source"
    return [name for name in order.split() if name in drawn]


def _summary(found: Found, state: FilterState) -> Summary:
    """Counted once for a filter, not for each page and order of it."""
    name = f"{without_order(state)}\n{len(found.rows)}"
    kept = st.session_state.get("browse.summary")
    if kept is None or kept[0] != name:
        kept = st.session_state["browse.summary"] = (name, summary(found))
    counted: Summary = kept[1]
    return counted


def _say_nothing_open(library: Library) -> None:
    st.info("The opened folders hold no traces.", icon=":material/folder_open:")
    st.write(
        "Open a dataset folder: `python -m app DIR...`, where DIR was written by `python -m curate`, `synth.augment`, "
        "or a training run's rollouts. Curves of training runs and audits of caches stand on the page Runs."
    )
    st.text(library.told())


def _say_nothing_fits(state: FilterState, library: Library) -> None:
    unknown = [
        f"{CHOICES[name].title.lower()} {joined([value])}"
        for name, values in state.chosen.items()
        for value in values
        if not find(library, FilterState(chosen={name: (value,)})).rows.len()
    ]
    why = f"No trace has {escaped(', '.join(unknown), 400)}. " if unknown else ""
    st.info(
        f"{why}No trace fits all of this. Take a field out, widen a range, or press Clear.",
        icon=":material/search_off:",
    )
