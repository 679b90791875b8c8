"""What a reader may know of a trace's labels, as words to filter by: good, mine.bad, tag.loop, disputed."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import polars as pl

from app.filters import DISPUTED, LABELLED, MINE, UNLABELLED

if TYPE_CHECKING:
    from app.labels.store import Annotator, LabelStore
    from app.opened import Opened

_KEYS = ("trajectory_id", "content_hash")


def label_states(opened: Opened, viewer: Annotator | None) -> pl.DataFrame:
    """One row a labelled trajectory that this viewer may see labels of: `trajectory_id`, `content_hash`, `states`.

    Who has not signed in sees no labels, or could look before labelling; a read-only server shows all.
    """
    if viewer is None and not opened.settings.server.read_only:
        return states_of(pl.DataFrame(), None)
    with _lock:
        known = _known.setdefault(opened.labels, {})
        events, queues, states = known.get(viewer, (0, (), None))
        # Asking what is new costs little; fetching all labels for every page of a table would not. A new queue counts
        # as well: it hides what its annotators have yet to label.
        new, names = opened.labels.events(after=events).height, tuple(queue.name for queue in opened.labels.queues())
        if new or names != queues or states is None:
            states = states_of(opened.labels.latest(viewer=viewer), viewer.name if viewer else None)
            known[viewer] = (events + new, names, states)
    return states


_Known: TypeAlias = tuple[int, tuple[str, ...], pl.DataFrame | None]
_known: WeakKeyDictionary[LabelStore, dict[Annotator | None, _Known]] = WeakKeyDictionary()
_lock = Lock()


def states_of(latest: pl.DataFrame, me: str | None) -> pl.DataFrame:
    """The states of `LabelStore.latest`; a label of one turn counts for its trajectory.

    Args:
        latest: one row per annotator, trajectory_id, content_hash and message_index.
        me: whose labels are `mine`.
    """
    schema: dict[str, Any] = {**dict.fromkeys(_KEYS, pl.String), "states": pl.List(pl.String)}
    if latest.is_empty():
        return pl.DataFrame(schema=schema)
    mine = pl.col("annotator") == (me or "")
    verdict = pl.col("verdict")
    states = [
        latest.select(*_KEYS, state=pl.lit(LABELLED)),
        latest.select(*_KEYS, state=verdict),
        latest.filter(mine).select(*_KEYS, state=pl.lit(MINE)),
        latest.filter(mine).select(*_KEYS, state=MINE + "." + verdict),
        latest.select(*_KEYS, state="tags").explode("state").with_columns(state="tag." + pl.col("state")),
        _disputed(latest).select(*_KEYS, state=pl.lit(DISPUTED)),
    ]
    found = pl.concat(states).drop_nulls("state").unique().sort(*_KEYS, "state")
    return found.group_by(_KEYS, maintain_order=True).agg(states=pl.col("state"))


def in_states(frame: pl.DataFrame, states: pl.DataFrame, wanted: Sequence[str]) -> pl.Series:
    """The row numbers of an index frame whose labels are in one of the wanted states."""
    rows = frame.select("row", *_KEYS)
    labelled = rows.join(states, on=_KEYS, how="inner")
    fits = pl.any_horizontal([pl.col("states").list.contains(name) for name in wanted])
    found = [labelled.filter(fits)["row"]]
    if UNLABELLED in wanted:
        found.append(rows.filter(~pl.col("row").is_in(labelled["row"].implode()))["row"])
    return pl.concat(found).unique()


def _disputed(latest: pl.DataFrame) -> pl.DataFrame:
    """Targets with several verdicts, none of which a lead has made the last word."""
    judged = latest.group_by(*_KEYS, "message_index").agg(
        verdicts=pl.col("verdict").drop_nulls().n_unique(), settled=(pl.col("action") == "adjudicate").any()
    )
    return judged.filter((pl.col("verdicts") > 1) & ~pl.col("settled"))
