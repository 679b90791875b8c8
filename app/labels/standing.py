"""What stands, as Polars frames: the latest labels, the events behind them, and the verdict of each target."""

from __future__ import annotations

from typing import Any

import polars as pl
import sqlalchemy as sa

from app.labels.accounts import Annotator
from app.labels.blindness import seen_by
from app.labels.queues import Queues
from app.labels.tables import WHOLE, events, latest, standing

LABEL_COLUMNS: dict[str, Any] = {
    "trajectory_id": pl.String,
    "content_hash": pl.String,
    "message_index": pl.Int32,
    "annotator": pl.String,
    "verdict": pl.String,
    "tags": pl.List(pl.String),
    "note": pl.String,
    "action": pl.String,
    "schema_version": pl.String,
    "queue": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "event_id": pl.String,
}
"""Of `latest`, and of labels.parquet."""
EVENT_COLUMNS: dict[str, Any] = {
    **LABEL_COLUMNS,
    "undoes": pl.String,
    "shown_ms": pl.Int64,
    "folder": pl.String,
}
"""Of `events`, and of events.parquet."""
TARGET = ("trajectory_id", "content_hash", "message_index")


class Standing(Queues):
    """The labels of a database as frames."""

    def latest(
        self, *, annotator: str | None = None, queue: str | None = None, viewer: Annotator | None = None
    ) -> pl.DataFrame:
        """What stands: one row an annotator and target, in the order given; a lead's adjudication is a row of its own.

        Args:
            annotator: of whom; None for all.
            queue: what was given in that queue, even where it was changed elsewhere since; None for all.
            viewer: leave out what this person may not see yet; None leaves out nothing.

        Returns:
            Columns as LABEL_COLUMNS.
        """
        with self.reading() as connection:
            found = _latest(connection, annotator, queue)
            return found if viewer is None else seen_by(viewer, found, connection)

    def events(self, *, annotator: str | None = None, after: int = 0) -> pl.DataFrame:
        """All that was ever recorded, in order.

        Args:
            annotator: of whom; None for all.
            after: leave out so many from the start.

        Returns:
            Columns as EVENT_COLUMNS.
        """
        query = sa.select(events).order_by(events.c.seq).offset(after)
        if annotator is not None:
            query = query.where(events.c.annotator == annotator)
        with self.reading() as connection:
            return _frame(connection, query, EVENT_COLUMNS)

    def both(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """All events, and the latest labels, of one moment."""
        with self.reading() as connection:
            every = _frame(connection, sa.select(events).order_by(events.c.seq), EVENT_COLUMNS)
            return every, _latest(connection, None, None)

    def settled(self, *, queue: str | None = None, viewer: Annotator | None = None) -> pl.DataFrame:
        """The verdict of each target: the adjudicated one, else the majority's; null where votes are even.

        Args:
            queue: of the labels given in that queue; None for all.
            viewer: judge by what this person may see alone; None for all.

        Returns:
            trajectory_id, content_hash, message_index, verdict, adjudicated (bool), votes (labels with a verdict),
            agreeing (those with this verdict), disputed (votes differ and nobody has adjudicated).
        """
        return settle(self.latest(queue=queue, viewer=viewer))


def settle(labels: pl.DataFrame) -> pl.DataFrame:
    """The verdict of each target from the labels that stand; see `Standing.settled`."""
    numbered = labels.with_row_index("number")
    targets = numbered.group_by(TARGET).agg(pl.col("number").min()).sort("number").drop("number")
    votes = numbered.filter(pl.col("action") == "label", pl.col("verdict").is_not_null())
    counts = votes.group_by([*TARGET, "verdict"]).len("count")
    top = counts.group_by(TARGET).agg(
        pl.col("count").sum().alias("votes"),
        pl.col("count").max().alias("most"),
        (pl.col("count") == pl.col("count").max()).sum().alias("leaders"),
        pl.col("verdict").sort_by("count", descending=True).first().alias("majority"),
        (pl.len() > 1).alias("differ"),
    )
    ruled = (
        numbered.filter(pl.col("action") == "adjudicate")
        .group_by(TARGET)
        .agg(pl.col("verdict").sort_by("number").last().alias("ruling"), pl.lit(True).alias("adjudicated"))
    )
    joined = targets.join(top, on=TARGET, how="left", nulls_equal=True, maintain_order="left").join(
        ruled, on=TARGET, how="left", nulls_equal=True, maintain_order="left"
    )
    adjudicated = pl.col("adjudicated").fill_null(False)
    chosen = pl.when(adjudicated).then("ruling").when(pl.col("leaders") == 1).then("majority").alias("verdict")
    judged = joined.with_columns(chosen).join(
        counts, on=[*TARGET, "verdict"], how="left", nulls_equal=True, maintain_order="left"
    )
    return judged.select(
        *TARGET,
        "verdict",
        adjudicated.alias("adjudicated"),
        pl.col("votes").fill_null(0).cast(pl.UInt32),
        pl.col("count").fill_null(0).cast(pl.UInt32).alias("agreeing"),
        (pl.col("differ").fill_null(False) & ~adjudicated).alias("disputed"),
    )


def _latest(connection: sa.Connection, annotator: str | None, queue: str | None) -> pl.DataFrame:
    table = latest if queue is None else standing
    query = sa.select(table).order_by(table.c.seq)
    if annotator is not None:
        query = query.where(table.c.annotator == annotator)
    if queue is None:
        return _frame(connection, query, LABEL_COLUMNS)
    given = _frame(connection, query.where(table.c.queue == queue), LABEL_COLUMNS)
    return given.unique([*TARGET, "annotator", "action"], keep="last", maintain_order=True)


def _frame(connection: sa.Connection, query: sa.Select[Any], columns: dict[str, Any]) -> pl.DataFrame:
    chosen = query.with_only_columns(*(query.selected_columns[name] for name in columns))
    rows = connection.execute(chosen).all()
    stored = {name: _STORED.get(name, kind) for name, kind in columns.items()}
    lists = dict(zip(columns, zip(*rows, strict=True), strict=True)) if rows else {}
    frame = pl.DataFrame(lists, schema=stored)
    return frame.with_columns(
        pl.when(pl.col("message_index") != WHOLE).then("message_index").alias("message_index"),
        pl.col("tags").str.json_decode(pl.List(pl.String)),
        pl.col("at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
    )


_STORED: dict[str, Any] = {"tags": pl.String, "at": pl.Int64}
