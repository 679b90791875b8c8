"""The blind rule: nobody sees another's label of a queue before having finished that queue."""

from __future__ import annotations

from typing import Any

import polars as pl
import sqlalchemy as sa

from app.labels.accounts import Annotator
from app.labels.queues import Queue, begun, labels, queue_of, unfinished
from app.labels.tables import WHOLE, queue_targets, queues, standing

_TARGET = ["trajectory_id", "content_hash", "message_index"]


def seen_by(viewer: Annotator, found: pl.DataFrame, connection: sa.Connection) -> pl.DataFrame:
    """The rows that a person may see.

    One's own always. Another's label of a queue: once one has finished that queue; a lead who does not label it sees
    it at once. A label given outside queues: a lead, and who has labelled that target. None of a target that is still
    part of a queue one has yet to finish, wherever the label was given.
    """
    every = [queue_of(row) for row in connection.execute(sa.select(queues))]
    waiting = {queue.name for queue in every if _waits_for(connection, queue, viewer)}
    shown = [queue.name for queue in every if queue.name not in waiting and _finds_out(queue, viewer)]
    labelled = sa.select(*_columns(standing)).where(standing.c.annotator == viewer.name, standing.c.action == "label")
    hidden = sa.select(*_columns(queue_targets)).where(queue_targets.c.queue.in_(waiting))
    marked = _marked(found, "labelled", _targets(connection, labelled))
    marked = _marked(marked, "hidden", _targets(connection, hidden) if waiting else found[:0])
    outside = pl.col("queue").is_null() & (pl.lit(viewer.role == "lead") | pl.col("labelled"))
    allowed = (outside | pl.col("queue").is_in(shown).fill_null(False)) & ~pl.col("hidden")
    return marked.filter((pl.col("annotator") == viewer.name) | allowed).select(found.columns)


def _waits_for(connection: sa.Connection, queue: Queue, viewer: Annotator) -> bool:
    """Whether the viewer has yet to finish the queue; of one for everyone a lead is part once they label in it."""
    if viewer.role == "lead" and not queue.annotators and not begun(connection, queue, viewer.name):
        return False
    return unfinished(connection, queue, viewer.name)


def _finds_out(queue: Queue, viewer: Annotator) -> bool:
    return viewer.role == "lead" or labels(queue, viewer.name)


def _columns(table: Any) -> list[Any]:
    return [table.c[name] for name in _TARGET]


def _targets(connection: sa.Connection, query: sa.Select[Any]) -> pl.DataFrame:
    rows = connection.execute(query.distinct()).all()
    schema = {"trajectory_id": pl.String, "content_hash": pl.String, "message_index": pl.Int32}
    frame = pl.DataFrame(dict(zip(schema, zip(*rows, strict=True), strict=True)) if rows else {}, schema=schema)
    return frame.with_columns(pl.when(pl.col("message_index") != WHOLE).then("message_index").alias("message_index"))


def _marked(found: pl.DataFrame, mark: str, targets: pl.DataFrame) -> pl.DataFrame:
    """The rows with a column that says whether their target is one of these."""
    marks = targets.select(*_TARGET, pl.lit(True).alias(mark))
    joined = found.join(marks, on=_TARGET, how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(pl.col(mark).fill_null(False))
