"""Queues: which targets an annotator labels, and in which order; the order follows from the seed and what stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import sqlalchemy as sa

from app.labels.events import Target
from app.labels.recording import Recording, target_of
from app.labels.tables import WHOLE, latest, queue_targets, queues, standing
from curate.errors import UsageError

Mode: TypeAlias = Literal["assigned", "random", "disagreement", "uncertain"]
Unit: TypeAlias = Literal["trajectory", "turn"]
MODES: tuple[Mode, ...] = ("assigned", "random", "disagreement", "uncertain")
UNITS: tuple[Unit, ...] = ("trajectory", "turn")
LONGEST_NAME = 120
_TARGET = ("trajectory_id", "content_hash", "message_index")
_AT_ONCE = 200  # targets in one query


@dataclass(frozen=True)
class Queue:
    """Targets to be labelled.

    Attributes:
        name: what it is called, and what stands in its labels.
        mode: the order: `assigned` as given, `random` by the seed, `disagreement` those first on which the others
            differ most (the rest by the seed), `uncertain` by score, the highest first; ties by the seed.
        unit: whether whole trajectories are labelled or single turns.
        seed: of the order.
        annotators: names of who labels it; empty for everyone.
        targets: with how uncertain each is; empty in what `queues` lists.
        overlap: how many annotators label each target; 0 for all of them.
    """

    name: str
    mode: Mode = "assigned"
    unit: Unit = "trajectory"
    seed: int = 0
    annotators: tuple[str, ...] = ()
    targets: Sequence[tuple[Target, float]] = ()
    overlap: int = 0

    def check(self) -> None:
        """Refuse what cannot be labelled.

        Raises:
            UsageError: naming what is wrong.
        """
        if not self.name.strip() or len(self.name) > LONGEST_NAME or not self.name.isprintable():
            raise UsageError(f"a queue's name has 1 to {LONGEST_NAME} printable characters")
        if self.mode not in MODES or self.unit not in UNITS:
            raise UsageError(f"a queue's mode is one of {', '.join(MODES)}; its unit one of {', '.join(UNITS)}")
        if not self.targets:
            raise UsageError(f"queue {self.name!r} holds nothing to label; choose another filter")
        if self.overlap < 0 or (self.annotators and self.overlap > len(set(self.annotators))):
            raise UsageError(f"overlap {self.overlap} needs as many annotators; {len(set(self.annotators))} are named")
        wrong = [target for target, _ in self.targets if (target.message_index is None) == (self.unit == "turn")]
        if wrong:
            raise UsageError(f"queue {self.name!r} is of {self.unit}s; {wrong[0].trajectory_id} names another unit")
        if any(score != score for _, score in self.targets):
            raise UsageError(f"queue {self.name!r} has a score that is no number")

    def ordered(self) -> list[tuple[int, Target, float]]:
        """The targets in their order, each once, with their places as given."""
        once: dict[Target, tuple[int, Target, float]] = {}
        for given, (target, score) in enumerate(self.targets):
            once.setdefault(target, (given, target, float(score)))
        found = list(once.values())
        if self.mode == "assigned":
            return found
        found.sort(key=lambda entry: _draw(self.seed, entry[1]))
        if self.mode == "uncertain":
            found.sort(key=lambda entry: -entry[2])
        return found


def _draw(seed: int, target: Target) -> bytes:
    """A number drawn for a target: the same on every machine, whatever else is in the queue."""
    body = json.dumps([seed, target.trajectory_id, target.content_hash, target.message_index])
    return hashlib.sha256(body.encode()).digest()


class Queues(Recording):
    """The queues of a database."""

    def add_queue(self, queue: Queue) -> None:
        """Keep a queue; it is never changed afterwards.

        Raises:
            UsageError: if there is one of that name, or nothing in it can be labelled.
        """
        queue.check()
        names = json.dumps(sorted(set(queue.annotators)), ensure_ascii=False)
        rows = [_target_row(queue.name, position, *entry) for position, entry in enumerate(queue.ordered())]
        with self.writing() as connection:
            if connection.execute(sa.select(queues.c.name).where(queues.c.name == queue.name)).first():
                raise UsageError(f"there is a queue {queue.name!r} already; choose another name")
            number = connection.execute(sa.select(sa.func.count()).select_from(queues)).scalar_one()
            connection.execute(
                sa.insert(queues).values(
                    name=queue.name,
                    number=number,
                    mode=queue.mode,
                    unit=queue.unit,
                    seed=queue.seed,
                    overlap=queue.overlap,
                    annotators=names,
                )
            )
            connection.execute(sa.insert(queue_targets), rows)

    def queues(self, annotator: str | None = None) -> list[Queue]:
        """The queues in the order they were made, without their targets; those that an annotator labels, or all."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(queues).order_by(queues.c.number)).all()
        found = [queue_of(row) for row in rows]
        return [queue for queue in found if annotator is None or labels(queue, annotator)]

    def queue(self, name: str) -> Queue:
        """A queue with its targets as they were given.

        Raises:
            UsageError: if there is none of that name.
        """
        query = sa.select(queue_targets).where(queue_targets.c.queue == name).order_by(queue_targets.c.given)
        with self.reading() as connection:
            queue = self._known(connection, name)
            rows = connection.execute(query).all()
        return queue_of(queue, [(target_of(row), row.score) for row in rows])

    def next(self, queue: str, annotator: str, *, skip: Collection[Target] = ()) -> Target | None:
        """The first target that the annotator has not labelled in this queue; None when there is no other.

        Args:
            queue: its name.
            annotator: who asks.
            skip: targets left for later in this sitting.

        Raises:
            UsageError: if there is no such queue.
        """
        with self.reading() as connection:
            found = queue_of(self._known(connection, queue))
            if not labels(found, annotator):
                return None
            query = sa.select(queue_targets).where(_due(found, annotator), ~_done(found, annotator))
            targets = _disputed(connection, query, annotator) if found.mode == "disagreement" else []
            ordered = query.order_by(queue_targets.c.position).limit(len(skip) + 1)
            targets += [target_of(row) for row in connection.execute(ordered)]
        return next((target for target in targets if target not in skip), None)

    def progress(self, queue: str, annotator: str) -> tuple[int, int]:
        """How many targets the annotator has labelled in this queue, and of how many.

        Raises:
            UsageError: if there is no such queue.
        """
        with self.reading() as connection:
            found = queue_of(self._known(connection, queue))
            return _progress(connection, found, annotator)

    def finished(self, queue: str, annotator: str) -> bool:
        """Whether the annotator labels this queue and has labelled all that is theirs.

        Raises:
            UsageError: if there is no such queue.
        """
        with self.reading() as connection:
            found = queue_of(self._known(connection, queue))
            return labels(found, annotator) and not _left(connection, found, annotator)

    @staticmethod
    def _known(connection: sa.Connection, name: str) -> sa.Row[Any]:
        row = connection.execute(sa.select(queues).where(queues.c.name == name)).one_or_none()
        if row is None:
            raise UsageError(f"there is no queue {name!r}")
        return row


def labels(queue: Queue, annotator: str) -> bool:
    """Whether the annotator is one of those who label the queue."""
    return not queue.annotators or annotator in queue.annotators


def unfinished(connection: sa.Connection, queue: Queue, annotator: str) -> bool:
    """Whether there is something of the queue that the annotator has yet to label."""
    return labels(queue, annotator) and _left(connection, queue, annotator)


def begun(connection: sa.Connection, queue: Queue, annotator: str) -> bool:
    """Whether a label of the annotator stands in the queue."""
    query = sa.select(standing.c.seq).where(standing.c.queue == queue.name, standing.c.annotator == annotator)
    return connection.execute(query.limit(1)).first() is not None


def _progress(connection: sa.Connection, queue: Queue, annotator: str) -> tuple[int, int]:
    """How many targets the annotator has labelled and of how many; counted from the labels, which are the fewer."""
    if not labels(queue, annotator):
        return 0, 0
    place = _share(queue, annotator)
    size = connection.execute(sa.select(sa.func.count()).select_from(queue_targets).where(place)).scalar_one()
    here = [place, standing.c.queue == queue.name, *_labels_of_target(standing)]
    given = sa.select(queue_targets.c.position).where(*here)
    own = given.where(standing.c.annotator == annotator).distinct().subquery()
    done = connection.execute(sa.select(sa.func.count()).select_from(own)).scalar_one()
    if not _closes(queue):
        return done, size
    enough = sa.func.count(sa.distinct(standing.c.annotator)) >= queue.overlap
    mine = sa.func.max(sa.case((standing.c.annotator == annotator, 1), else_=0)) == 1
    closed = given.group_by(queue_targets.c.position).having(enough | mine).subquery()
    return done, done + size - connection.execute(sa.select(sa.func.count()).select_from(closed)).scalar_one()


def _left(connection: sa.Connection, queue: Queue, annotator: str) -> bool:
    """Whether something is due that the annotator has not labelled."""
    query = sa.select(queue_targets.c.position).where(_due(queue, annotator), ~_done(queue, annotator)).limit(1)
    return connection.execute(query).first() is not None


def _closes(queue: Queue) -> bool:
    """Whether a target is due to anybody until enough have labelled it."""
    return bool(queue.overlap) and not queue.annotators


def _share(queue: Queue, annotator: str) -> sa.ColumnElement[bool]:
    """Targets that are the annotator's.

    Of n named annotators each target has the overlap's number in a row, beginning one further for each target: all
    have equally many, and everyone shares some with their neighbours.
    """
    here = queue_targets.c.queue == queue.name
    many, overlap = len(queue.annotators), queue.overlap
    if not many or not overlap or overlap >= many:
        return here
    own = queue.annotators.index(annotator)
    return here & ((own + many - queue_targets.c.position % many) % many < overlap)


def _due(queue: Queue, annotator: str) -> sa.ColumnElement[bool]:
    """Targets that are the annotator's to label; in a queue for everyone while fewer than the overlap have done it."""
    if not _closes(queue):
        return _share(queue, annotator)
    others = (
        sa.select(sa.func.count(sa.distinct(standing.c.annotator)))
        .where(*_labels_of_target(standing), standing.c.queue == queue.name, standing.c.annotator != annotator)
        .scalar_subquery()
    )
    return _share(queue, annotator) & (others < queue.overlap)


def _done(queue: Queue, annotator: str) -> sa.ColumnElement[bool]:
    """Targets of which a label by the annotator stands in this queue."""
    own = sa.select(sa.literal(1)).where(
        *_labels_of_target(standing), standing.c.queue == queue.name, standing.c.annotator == annotator
    )
    return sa.exists(own.correlate(queue_targets))


def _labels_of_target(table: Any) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == queue_targets.c[name] for name in _TARGET] + [table.c.action == "label"]


def _disputed(connection: sa.Connection, query: sa.Select[Any], annotator: str) -> list[Target]:
    """Of the targets that the query finds those on which others differ, by the share of votes beside the most."""
    key = [latest.c[name] for name in _TARGET]
    others = (latest.c.annotator != annotator) & (latest.c.action == "label") & latest.c.verdict.is_not(None)
    votes = sa.select(*key, sa.func.count().label("votes")).where(others).group_by(*key, latest.c.verdict).subquery()
    names = [votes.c[name] for name in _TARGET]
    total, most = sa.func.sum(votes.c.votes).label("total"), sa.func.max(votes.c.votes).label("most")
    differing = sa.select(*names, total, most).group_by(*names).having(sa.func.count() > 1)
    shares = {tuple(row[:3]): 1 - int(row.most) / int(row.total) for row in connection.execute(differing)}
    wanted, place = list(shares), sa.tuple_(*(queue_targets.c[name] for name in _TARGET))
    rows: list[sa.Row[Any]] = []
    for start in range(0, len(wanted), _AT_ONCE):
        rows += connection.execute(query.where(place.in_(wanted[start : start + _AT_ONCE])))
    rows.sort(key=lambda row: (-shares[row.trajectory_id, row.content_hash, row.message_index], row.position))
    return [target_of(row) for row in rows]


def _target_row(queue: str, position: int, given: int, target: Target, score: float) -> dict[str, Any]:
    return {
        "queue": queue,
        "position": position,
        "given": given,
        "trajectory_id": target.trajectory_id,
        "content_hash": target.content_hash,
        "message_index": WHOLE if target.message_index is None else target.message_index,
        "folder": target.folder,
        "score": score,
    }


def queue_of(row: sa.Row[Any], targets: Sequence[tuple[Target, float]] = ()) -> Queue:
    """The queue of a row, with its targets where they are wanted."""
    return Queue(
        name=row.name,
        mode=cast(Mode, row.mode),
        unit=cast(Unit, row.unit),
        seed=row.seed,
        annotators=tuple(json.loads(row.annotators)),
        targets=tuple(targets),
        overlap=row.overlap,
    )
