"""What an annotator did, as it is kept: one event a label, an undo or an adjudication; events are never changed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

Action: TypeAlias = Literal["label", "undo", "adjudicate"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Target:
    """What a label speaks of.

    Attributes:
        trajectory_id: the trajectory.
        content_hash: its content; a trajectory that was changed is another target.
        message_index: the message; None for the whole trajectory.
        folder: where it was seen, which makes no difference to what it is.
    """

    trajectory_id: str
    content_hash: str
    message_index: int | None = None
    folder: str = field(default="", compare=False)


@dataclass(frozen=True)
class Event:
    """One thing an annotator did.

    Attributes:
        event_id: made when the item is drawn (`new_event_id`): however often it is sent, it is kept once.
        annotator: name of who did it.
        target: what it speaks of.
        verdict: name of a verdict of the schema; None where only tags or a note were given.
        tags: names of failure tags.
        note: free text.
        action: `undo` takes back the event that `undoes` names; `adjudicate` settles what annotators dispute.
        undoes: event_id of what is taken back.
        schema_version: version of the schema that the annotator saw.
        queue: the queue it was given in; None while reading.
        shown_ms: how long the item was on screen.
        at: when, in UTC; set by the store.
    """

    event_id: str
    annotator: str
    target: Target
    verdict: str | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    action: Action = "label"
    undoes: str | None = None
    schema_version: str = ""
    queue: str | None = None
    shown_ms: int = 0
    at: datetime = _EPOCH


def new_event_id() -> str:
    """An id that no other event has."""
    return secrets.token_hex(16)


def microseconds(at: datetime) -> int:
    """Whole microseconds since 1970 in UTC, as the database keeps times."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The time that `microseconds` stands for."""
    return _EPOCH + timedelta(microseconds=at)


def now() -> int:
    """This moment, as the database keeps it."""
    return microseconds(datetime.now(UTC))
