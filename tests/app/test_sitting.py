"""Which key presses become labels."""

from __future__ import annotations

import pytest

from app.labels.events import Target
from app.labels.queues import Queue
from app.sitting import STALE, TOO_SOON, Sitting, sitting_at, trace_of
from curate.errors import UsageError
from tests.app.trace_folders import Traces


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def library() -> Traces:
    return Traces(4)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sitting(library, labels, clock) -> Sitting:
    ada = labels.add_annotator("Ada", None)
    targets = [(Target(f"t{n}", f"hash-t{n}", None, "clean"), 0.0) for n in range(4)]
    labels.add_queue(Queue("q", targets=targets))
    return Sitting(library, labels, labels.queues()[0], ada, clock)


def seen(sitting: Sitting, clock: Clock, seconds: float = 1.0):
    item = sitting.item()
    assert item is not None
    sitting.drawn()
    clock.passes(seconds)
    return item


def recorded(labels):
    return [(row["trajectory_id"], row["verdict"], row["action"]) for row in labels.events().iter_rows(named=True)]


def test_a_press_labels_what_is_shown_and_the_next_is_there(sitting, labels, clock):
    item = seen(sitting, clock)
    sitting.toggle(item.event_id, "made_up")
    assert sitting.press(item.event_id, "bad", " it lies ")
    (row,) = labels.latest().iter_rows(named=True)
    assert (row["trajectory_id"], row["verdict"], row["tags"], row["note"]) == ("t0", "bad", ["made_up"], "it lies")
    assert row["queue"] == "q" and labels.events()["shown_ms"].to_list() == [1000]
    assert seen(sitting, clock).target.trajectory_id == "t1"
    assert sitting.tags == set() and sitting.progress() == (1, 4)


@pytest.mark.parametrize("seconds", [0.0, 0.299])
def test_a_press_before_a_trace_could_be_read_is_refused(sitting, labels, clock, seconds):
    item = seen(sitting, clock, seconds)
    assert not sitting.press(item.event_id, "good")
    assert sitting.said == TOO_SOON and recorded(labels) == []
    clock.passes(0.301)
    assert sitting.press(item.event_id, "good") and sitting.said == ""


def test_a_press_before_the_trace_was_drawn_is_refused(sitting, labels, clock):
    item = sitting.item()
    clock.passes(5)
    assert not sitting.press(item.event_id, "good") and sitting.said == TOO_SOON
    assert recorded(labels) == []


def test_a_key_pressed_twice_labels_once_and_never_the_next(sitting, labels, clock):
    item = seen(sitting, clock)
    assert sitting.press(item.event_id, "good")
    after = seen(sitting, clock)
    assert not sitting.press(item.event_id, "good") and sitting.said == ""
    assert recorded(labels) == [("t0", "good", "label")]
    assert sitting.item() == after


def test_a_key_of_a_trace_that_is_gone_is_refused_and_said(sitting, labels, clock):
    seen(sitting, clock)
    assert not sitting.press("0" * 32, "good") and sitting.said == STALE
    assert not sitting.skip("0" * 32) and not sitting.toggle("0" * 32, "made_up")
    assert recorded(labels) == []


def test_undo_shows_the_trace_again_with_what_was_said(sitting, labels, clock):
    item = seen(sitting, clock)
    sitting.toggle(item.event_id, "made_up")
    sitting.press(item.event_id, "bad", "no")
    after = seen(sitting, clock)
    assert sitting.undo(after.undo_id)
    again = seen(sitting, clock)
    assert (again.target, again.note, sitting.tags) == (item.target, "no", {"made_up"})
    assert again.event_id != item.event_id and sitting.progress() == (0, 4)
    assert not sitting.undo(after.undo_id), "the same key press, sent twice"
    assert labels.latest().height == 0
    assert sitting.press(again.event_id, "good")
    assert recorded(labels) == [("t0", "bad", "label"), ("t0", None, "undo"), ("t0", "good", "label")]


def test_undo_without_a_label_says_so(sitting, clock):
    item = seen(sitting, clock)
    assert not sitting.undo(item.undo_id) and "no label" in sitting.said
    assert sitting.item() == item


def test_what_was_skipped_comes_back_when_asked(sitting, clock):
    for _ in range(4):
        sitting.skip(seen(sitting, clock).event_id)
    assert sitting.item() is None
    sitting.drawn()
    sitting.again()
    item = sitting.item()
    assert item is not None and item.target.trajectory_id == "t0"
    assert not sitting.press(item.event_id, "good"), "it has not been drawn"


def test_a_new_visit_goes_on_at_the_first_unlabelled(sitting, library, labels, clock):
    for verdict in ("good", "bad"):
        sitting.press(seen(sitting, clock).event_id, verdict)
    other = sitting_at(library, labels, "q", sitting.annotator)
    item = other.item()
    assert item is not None and item.target.trajectory_id == "t2" and other.progress() == (2, 4)


def test_the_next_trace_is_read_before_it_is_asked_for(sitting, library, clock):
    item = seen(sitting, clock)
    assert library.read == ["t0", "t1"]
    sitting.press(item.event_id, "good")
    sitting.item()
    assert library.read == ["t0", "t1"]


def test_a_queue_of_others_is_refused(library, labels):
    ada, _ = labels.add_annotator("Ada", None), labels.add_annotator("Bo", None)
    labels.add_queue(Queue("theirs", annotators=("Bo",), targets=[(Target("t0", "hash-t0"), 0.0)]))
    for name in ("theirs", "none"):
        with pytest.raises(UsageError, match="there is no queue"):
            sitting_at(library, labels, name, ada)


def test_a_trace_that_changed_is_not_shown_in_its_place(library):
    assert trace_of(library, Target("t1", "hash-t1", None, "gone")) is not None
    assert trace_of(library, Target("t1", "other", None, "clean")) is None
