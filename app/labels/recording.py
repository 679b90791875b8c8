"""Labels in and out of the database: recording an event once, taking the last one back, the state that stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from app.labels.database import Database
from app.labels.events import Action, Event, Target, moment, new_event_id, now
from app.labels.tables import WHOLE, accounts, events, schemas, standing
from curate.errors import UsageError

if TYPE_CHECKING:
    from app.labels.schema import LabelSchema

MAX_NOTE = 20_000
"""Characters of a note."""


class Recording(Database):
    """The events of a database."""

    schema: LabelSchema

    def record(self, event: Event) -> bool:
        """Keep a label or an adjudication; it is durable when this returns.

        Returns:
            False if an event of that id stands already: nothing was written.

        Raises:
            UsageError: for what the schema does not know, an adjudication by somebody who is no lead, or an undo.
        """
        self._check(event)
        with self.writing() as connection:
            if event.action == "adjudicate":
                _need_lead(connection, event.annotator)
            return _insert(connection, event)

    def undo(
        self,
        annotator: str,
        *,
        queue: str | None = None,
        event_id: str | None = None,
        target: Target | None = None,
    ) -> Event | None:
        """Take back the annotator's last event that stands; the next undo takes the one before it.

        Args:
            annotator: who.
            queue: look among what was given in that queue alone.
            event_id: made when the button is drawn, so that an undo sent twice is one.
            target: look among the labels of this target alone.

        Returns:
            What was taken back; None if nothing stands, or that undo was kept before.
        """
        wanted = standing.c.annotator == annotator
        if queue is not None:
            wanted &= standing.c.queue == queue
        if target is not None:
            wanted &= sa.and_(standing.c.action == "label", *at_target(standing, target))
        with self.writing() as connection:
            row = connection.execute(
                sa.select(standing).where(wanted).order_by(standing.c.seq.desc()).limit(1)
            ).one_or_none()
            if row is None:
                return None
            last = event_of(row)
            undo = Event(
                event_id or new_event_id(),
                annotator,
                last.target,
                action="undo",
                undoes=last.event_id,
                schema_version=last.schema_version,
                queue=last.queue,
            )
            return last if _insert(connection, undo) else None

    def last(self, annotator: str, target: Target) -> Event | None:
        """What the annotator's label of a target says as it stands."""
        query = (
            sa.select(standing)
            .where(standing.c.annotator == annotator, standing.c.action == "label", *at_target(standing, target))
            .order_by(standing.c.seq.desc())
            .limit(1)
        )
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else event_of(row)

    def keep_schema(self) -> None:
        """Keep what the schema says beside its version, for labels that outlive it."""
        known = sa.select(schemas.c.version).where(schemas.c.version == self.schema.version)
        with self.reading() as connection:
            if connection.execute(known).first() is not None:
                return
        with self.writing(counts=False) as connection:
            if connection.execute(known).first() is None:
                body = json.dumps(self.schema.body(), ensure_ascii=False)
                connection.execute(sa.insert(schemas).values(version=self.schema.version, body=body))

    def schemas(self) -> dict[str, Any]:
        """What the schemas said under which labels may have been given, by version."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(schemas).order_by(schemas.c.version)).all()
        return {row.version: json.loads(row.body) for row in rows}

    def _check(self, event: Event) -> None:
        if event.action == "undo":
            raise UsageError("an undo is made by undo(), which finds what it takes back")
        if not event.event_id or not event.annotator or not event.target.trajectory_id:
            raise UsageError("a label needs an event_id, an annotator and a trajectory_id")
        if len(event.note) > MAX_NOTE:
            raise UsageError(f"the note has {len(event.note):,} characters; at most {MAX_NOTE:,} are kept")
        if event.schema_version != self.schema.version:
            return  # drawn under a schema that has changed since; what it said is kept with its version
        if event.verdict is not None and event.verdict not in self.schema.verdict_names():
            raise UsageError(f"the schema has no verdict {event.verdict!r}")
        unknown = [tag for tag in event.tags if tag not in self.schema.tag_names()]
        if unknown:
            raise UsageError(f"the schema has no tag {unknown[0]!r}")


def _insert(connection: sa.Connection, event: Event) -> bool:
    """Write an event unless its id stands; the caller is the only writer."""
    known = sa.select(sa.literal(1)).where(events.c.event_id == event.event_id)
    if connection.execute(known).first() is not None:
        return False
    connection.execute(sa.insert(events).values(**_row(event)))
    return True


def _row(event: Event) -> dict[str, Any]:
    target = event.target
    return {
        "event_id": event.event_id,
        "annotator": event.annotator,
        "trajectory_id": target.trajectory_id,
        "content_hash": target.content_hash,
        "message_index": WHOLE if target.message_index is None else target.message_index,
        "folder": target.folder,
        "verdict": event.verdict,
        "tags": json.dumps(list(dict.fromkeys(event.tags))),
        "note": storable(event.note),
        "action": event.action,
        "undoes": event.undoes,
        "schema_version": event.schema_version,
        "queue": event.queue,
        "shown_ms": event.shown_ms,
        "at": now(),
    }


def storable(text: str) -> str:
    """Text as both databases take it: no zero character, no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _need_lead(connection: sa.Connection, name: str) -> None:
    role = connection.execute(sa.select(accounts.c.role).where(accounts.c.name == name)).scalar()
    if role != "lead":
        raise UsageError(f"{name} is no lead; only a lead settles what annotators dispute")


def at_target(table: Any, target: Target) -> list[sa.ColumnElement[bool]]:
    """Conditions for rows of a target."""
    return [
        table.c.trajectory_id == target.trajectory_id,
        table.c.content_hash == target.content_hash,
        table.c.message_index == (WHOLE if target.message_index is None else target.message_index),
    ]


def target_of(row: sa.Row[Any]) -> Target:
    """The target of a row of events or of a queue."""
    index = None if row.message_index == WHOLE else row.message_index
    return Target(row.trajectory_id, row.content_hash, index, row.folder)


def event_of(row: sa.Row[Any]) -> Event:
    """The event of a row."""
    return Event(
        event_id=row.event_id,
        annotator=row.annotator,
        target=target_of(row),
        verdict=row.verdict,
        tags=tuple(json.loads(row.tags)),
        note=row.note,
        action=cast(Action, row.action),
        undoes=row.undoes,
        schema_version=row.schema_version,
        queue=row.queue,
        shown_ms=row.shown_ms,
        at=moment(row.at),
    )
