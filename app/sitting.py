"""One annotator at one queue: which item is on the screen, and what a key press may do to it.

A press names the event that was made for the item it was drawn with. Only that of the item on the screen counts, and
only once it has been there for MIN_DWELL_MS, so that no key labels a trace that nobody saw.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from app.labels.accounts import Annotator
from app.labels.events import Event, Target, new_event_id
from app.labels.queues import Queue
from app.labels.store import LabelStore
from app.library import Library
from app.traces import Trace, TraceKey
from curate.errors import UsageError

MIN_DWELL_MS = 300
_KEPT_TRACES = 4
_COUNT_ANEW = 25
"""Labels after which the progress is asked of the database again; others may label the same queue."""
TOO_SOON = "That key came before this trace could be read; nothing was labelled."
STALE = "That key was meant for a trace that is no longer shown; nothing was labelled."


@dataclass(frozen=True)
class Item:
    """What is drawn.

    Attributes:
        target: what a label would speak of.
        trace: its trajectory; None where no opened folder has it as it was.
        event_id: of the label that may be given to it.
        undo_id: of the undo that may be made while it is on the screen.
        note: what stands in the note to begin with.
    """

    target: Target
    trace: Trace | None
    event_id: str
    undo_id: str
    note: str = ""


class Sitting:
    """An annotator's way through a queue in one visit.

    Args:
        library: what is open.
        labels: where labels go.
        queue: which queue; its targets are not needed.
        annotator: who labels.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        library: Library,
        labels: LabelStore,
        queue: Queue,
        annotator: Annotator,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queue, self.annotator = queue, annotator
        self.tags: set[str] = set()
        self.skipped: list[Target] = []
        self.last: Event | None = None
        self.said = ""
        self._library, self._labels, self._clock = library, labels, clock
        self._item: Item | None = None
        self._drawn_at: float | None = None
        self._recorded: set[str] = set()
        self._traces: OrderedDict[Target, Trace | None] = OrderedDict()
        self._count = labels.progress(queue.name, annotator.name)
        self._counted = 0

    def item(self) -> Item | None:
        """What to draw now; None when nothing is left but what was skipped."""
        if self._item is None:
            target = self._labels.next(self.queue.name, self.annotator.name, skip=self.skipped)
            if target is not None:
                self._put(target)
            else:
                self._count = self._labels.progress(self.queue.name, self.annotator.name)
        return self._item

    def drawn(self) -> None:
        """The item is on the screen: keys count from now on. Reads the trace that comes next ahead of time."""
        if self._drawn_at is None:
            self._drawn_at = self._clock()
        if self._item is not None:
            after = self._labels.next(self.queue.name, self.annotator.name, skip=[*self.skipped, self._item.target])
            if after is not None:
                self._trace(after)

    def progress(self) -> tuple[int, int]:
        """How many are labelled, of how many."""
        if self._counted >= _COUNT_ANEW:
            self._count, self._counted = self._labels.progress(self.queue.name, self.annotator.name), 0
        return self._count

    def press(self, event_id: str, verdict: str, note: str = "") -> bool:
        """Label the item that this event was made for; whether a label was recorded.

        Raises:
            UsageError: if the database cannot be written; the item stays.
        """
        if not self._allowed(event_id):
            return False
        item, shown = self._item, self._shown_ms()
        assert item is not None, "it is the item of the event"
        event = Event(
            event_id,
            self.annotator.name,
            item.target,
            verdict,
            tags=tuple(tag.name for tag in self._labels.schema.tags if tag.name in self.tags),
            note=note.strip(),
            schema_version=self._labels.schema.version,
            queue=self.queue.name,
            shown_ms=shown,
        )
        if self._labels.record(event):
            self._moved(1)
        self._recorded.add(event_id)
        self.last = event
        self._leave()
        return True

    def skip(self, event_id: str) -> bool:
        """Leave the item for later in this visit."""
        if not self._allowed(event_id):
            return False
        assert self._item is not None, "it is the item of the event"
        self.skipped.append(self._item.target)
        self._recorded.add(event_id)
        self._leave()
        return True

    def again(self) -> None:
        """Come back to what was skipped."""
        self.skipped.clear()
        self._leave()

    def undo(self, undo_id: str) -> bool:
        """Take back the last label in this queue and show its trace again, with what was said of it."""
        if self._item is not None and undo_id != self._item.undo_id:
            return False
        if self._item is not None and not self._long_enough():
            return False
        undone = self._labels.undo(self.annotator.name, queue=self.queue.name, event_id=undo_id)
        if undone is None:
            self.said = "You have no label in this queue to take back."
            return False
        self._moved(-1)
        self.skipped = [target for target in self.skipped if target != undone.target]
        self._leave()
        self._put(undone.target, undone.note)
        self.tags, self.last = set(undone.tags), None
        self.said = "Your last label is taken back; here is its trace again."
        return True

    def toggle(self, event_id: str, tag: str) -> bool:
        """Put a failure tag on the item, or take it off."""
        if not self._allowed(event_id):
            return False
        self.tags ^= {tag}
        return True

    def _allowed(self, event_id: str) -> bool:
        self.said = ""
        if event_id in self._recorded:  # a key pressed twice, or sent twice: it counted once
            return False
        if self._item is None or event_id != self._item.event_id:
            self.said = STALE
            return False
        return self._long_enough()

    def _long_enough(self) -> bool:
        if self._drawn_at is None or self._shown_ms() < MIN_DWELL_MS:
            self.said = TOO_SOON
            return False
        return True

    def _shown_ms(self) -> int:
        return 0 if self._drawn_at is None else int((self._clock() - self._drawn_at) * 1000)

    def _put(self, target: Target, note: str = "") -> None:
        self._item = Item(target, self._trace(target), new_event_id(), new_event_id(), note)
        self._drawn_at = None

    def _leave(self) -> None:
        self._item, self._drawn_at = None, None
        self.tags = set()

    def _moved(self, step: int) -> None:
        done, total = self._count
        self._count, self._counted = (max(0, done + step), total), self._counted + 1

    def _trace(self, target: Target) -> Trace | None:
        if target not in self._traces:
            self._traces[target] = trace_of(self._library, target)
            while len(self._traces) > _KEPT_TRACES:
                self._traces.popitem(last=False)
        return self._traces[target]


def trace_of(library: Library, target: Target) -> Trace | None:
    """The trajectory of a target with the content that is meant, in the folder it was seen in before any other."""
    seen = TraceKey(target.folder, target.trajectory_id)
    found = library.trace(seen) if target.folder else None
    if found is not None and found.row["content_hash"] == target.content_hash:
        return found
    for key in library.find(target.trajectory_id):
        found = library.trace(key)
        if found is not None and found.row["content_hash"] == target.content_hash:
            return found
    return None


def sitting_at(library: Library, labels: LabelStore, name: str, annotator: Annotator) -> Sitting:
    """Sit down at a queue.

    Raises:
        UsageError: if there is no such queue, or it is not this annotator's.
    """
    for queue in labels.queues(annotator.name):
        if queue.name == name:
            return Sitting(library, labels, queue, annotator)
    raise UsageError(f"there is no queue {name!r} for you to label")
