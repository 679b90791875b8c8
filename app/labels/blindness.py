"""The blind rule: nobody sees another's label of a queue before having finished that queue."""

from __future__ import annotations

from typing import Any

import polars as pl
import sqlalchemy as sa

from app.labels.accounts import Annotator
from app.labels.queues import Queue, begun, labels, queue_of, unfinished
from app.labels.tables import WHOLE, queue_targets, queues

_TARGET = ["trajectory_id", "content_hash", "message_index"]


def seen_by(viewer: Annotator, found: pl.DataFrame, connection: sa.Connection) -> pl.DataFrame:
    """The rows that a person may see.

    One's own always. Another's label of a queue: once one has finished that queue; a lead who does not label it sees
    it at once. A label given outside queues: a lead, and who has labelled that target. None of a target that is still
    part of a queue one has yet to finish, wherever the label was given.
    """
    every = [queue_of(row) for row in connection.execute(sa.select(queues))]
    open_ones = [queue for queue in every if _waits_for(connection, queue, viewer)]
    waiting = {queue.name for queue in open_ones}
    shown = [queue.name for queue in every if queue.name not in waiting and _finds_out(queue, viewer)]
    own = pl.col("annotator") == viewer.name
    mine = found.filter(own, pl.col("action") == "label").select(_TARGET).unique()
    marked = found.join(
        mine.with_columns(labelled=True), on=_TARGET, how="left", nulls_equal=True, maintain_order="left"
    )
    marked = marked.join(
        _targets(connection, open_ones).with_columns(hidden=True),
        on=_TARGET,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    lead = viewer.role == "lead"
    outside = pl.col("queue").is_null() & (pl.lit(lead) | pl.col("labelled").is_not_null())
    allowed = (outside | pl.col("queue").is_in(shown).fill_null(False)) & pl.col("hidden").is_null()
    return marked.filter(own | allowed).select(found.columns)


def _waits_for(connection: sa.Connection, queue: Queue, viewer: Annotator) -> bool:
    """Whether the viewer has yet to finish the queue; of one for everyone a lead is part once they label in it."""
    if viewer.role == "lead" and not queue.annotators and not begun(connection, queue, viewer.name):
        return False
    return unfinished(connection, queue, viewer.name)


def _finds_out(queue: Queue, viewer: Annotator) -> bool:
    return viewer.role == "lead" or labels(queue, viewer.name)


def _targets(connection: sa.Connection, open_ones: list[Queue]) -> pl.DataFrame:
    columns = [queue_targets.c[name] for name in _TARGET]
    names = [queue.name for queue in open_ones]
    rows: list[Any] = []
    if names:
        rows = list(connection.execute(sa.select(*columns).where(queue_targets.c.queue.in_(names)).distinct()).all())
    schema = {"trajectory_id": pl.String, "content_hash": pl.String, "message_index": pl.Int32}
    frame = pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")
    return frame.with_columns(pl.when(pl.col("message_index") != WHOLE).then("message_index").alias("message_index"))
