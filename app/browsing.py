"""What a filter finds in the index: rows in order, a page of them, what they have in common, the neighbours of one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import polars as pl

from app.filters import CHOICES, NONE, SORTS, FilterState, from_query
from app.label_states import in_states, label_states
from app.library import Library, TraceKey
from curate.palette import TIER_COLORS

if TYPE_CHECKING:
    from app.labels.store import Annotator
    from app.opened import Opened

PAGE_ROWS = 50
MOST_OFFERED = 200
"""Values of a field that are offered for choosing; others can be typed."""
_KEPT_SEARCHES = 8

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Found:
    """The rows of an index frame that fit, in the order asked for."""

    frame: pl.DataFrame
    rows: pl.Series

    def pages(self) -> int:
        """How many pages it has; an empty one has one."""
        return max(1, -(-len(self.rows) // PAGE_ROWS))

    def page(self, number: int) -> pl.DataFrame:
        """The rows of one page; of the last if there are fewer pages."""
        start = (min(number, self.pages()) - 1) * PAGE_ROWS
        return self.frame[self.rows.slice(start, PAGE_ROWS)]

    def columns(self, *names: str) -> pl.DataFrame:
        """Some columns of all rows that fit, in no order."""
        some = self.frame.select(names)
        return some if len(self.rows) == self.frame.height else some[self.rows]


@dataclass(frozen=True)
class Steps:
    """Where a trace stands among those found, and its neighbours; place is None if it is not among them."""

    previous: TraceKey | None
    next: TraceKey | None
    place: int | None
    total: int


def find(
    library: Library, state: FilterState, labels: pl.DataFrame | None = None, progress: Progress | None = None
) -> Found:
    """The rows that fit a state.

    Args:
        library: what is open.
        state: what is asked; its page is not looked at.
        labels: states of labels as `label_states` gives them; needed if the state asks for labels.
        progress: told the share done of a search through the messages, if one runs.
    """
    frame = library.frame
    rows = frame["row"]
    if state.show or state.chosen or state.ranges:
        rows = rows.filter(frame.select(fits=state.expression())["fits"])
    if state.text:
        rows = rows.filter(rows.is_in(text_hits(library, state.text, progress).implode()))
    if state.labels and labels is not None:
        rows = rows.filter(rows.is_in(in_states(frame, labels, state.labels).implode()))
    return Found(frame, _ordered(frame, rows, state))


def steps(opened: Opened, viewer: Annotator | None, query: str, key: TraceKey) -> Steps:
    """The neighbours of a trace among those that the query of the page Browse finds."""
    state = from_query(query)
    labels = label_states(opened, viewer) if state.labels else None
    found = find(opened.library, state, labels)
    named = opened.library.frame.select("row", "trace", "folder").filter(pl.col("trace") == key.trace)
    at = named.filter(pl.col("folder").cast(pl.String) == key.folder)
    places = found.rows.index_of(at["row"][0]) if at.height else None
    if places is None:
        return Steps(None, None, None, len(found.rows))
    around = {shift: _key_at(found, places + shift) for shift in (-1, 1)}
    return Steps(around[-1], around[1], places + 1, len(found.rows))


def key_of(row: dict[str, object]) -> TraceKey:
    """The key of a row of the index."""
    return TraceKey(str(row["folder"]), str(row["trace"]))


def without_order(state: FilterState) -> str:
    """What a state finds, whatever the order and page: the name under which results can be kept."""
    return replace(state, sort="", descending=False, page=1).query()


_searches: WeakKeyDictionary[Library, OrderedDict[str, pl.Series]] = WeakKeyDictionary()
_vocabularies: WeakKeyDictionary[Library, dict[str, dict[str, int]]] = WeakKeyDictionary()
_lock = Lock()


def text_hits(library: Library, text: str, progress: Progress | None = None) -> pl.Series:
    """The rows that hold a text in their messages, or have it as their id or task; kept for the next pages."""
    with _lock:
        kept = _searches.setdefault(library, OrderedDict())
        if text in kept:
            kept.move_to_end(text)
            return kept[text]
    named = pl.any_horizontal(pl.col("trace", "trajectory_id", "task_id") == text).fill_null(False)
    held = library.search(text, None, progress).cast(pl.UInt32).alias("row")
    hits = pl.concat([held, library.frame.filter(named)["row"]]).unique()
    with _lock:
        kept[text] = hits
        if len(kept) > _KEPT_SEARCHES:
            kept.popitem(last=False)
    return hits


def searched(library: Library, text: str) -> bool:
    """Whether a text's hits are known already."""
    with _lock:
        return text in _searches.get(library, {})


def vocabulary(library: Library, name: str) -> dict[str, int]:
    """The values of a choice and how many rows have them, most frequent first, MOST_OFFERED at most."""
    with _lock:
        known = _vocabularies.setdefault(library, {})
    if name not in known:
        known[name] = _values(library.frame, name)
    return known[name]


def _values(frame: pl.DataFrame, name: str) -> dict[str, int]:
    choice = CHOICES[name]
    column = frame[choice.column]
    if choice.many:
        empty, values = int((column.list.len().fill_null(0) == 0).sum()), column.explode()
    else:
        empty, values = column.null_count(), column.cast(pl.String)
    counts = values.drop_nulls().alias("value").to_frame().group_by("value").len()
    found = counts.sort(["len", "value"], descending=[True, False]).head(MOST_OFFERED).rows()
    named = {value: count for value, count in found if value}
    return {**named, NONE: empty} if named and empty else named


def _ordered(frame: pl.DataFrame, rows: pl.Series, state: FilterState) -> pl.Series:
    if not state.sort:
        return rows
    column = frame[SORTS[state.sort][0]]
    if state.sort == "worst":
        order = {tier: place for place, tier in enumerate(TIER_COLORS)}
        column = column.cast(pl.String).replace_strict(order, default=None, return_dtype=pl.UInt8)
    if len(rows) < frame.height:
        column = column.gather(rows)
    keyed = pl.DataFrame({"by": column, "row": rows})
    return keyed.sort("by", descending=state.descending, nulls_last=True, maintain_order=True)["row"]


def _key_at(found: Found, place: int) -> TraceKey | None:
    if not 0 <= place < len(found.rows):
        return None
    return key_of(found.frame[int(found.rows[place])].row(0, named=True))
