"""Labels given while reading: what is drawn for whom, and which presses count."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

import app.widgets.labelling
from app import opened
from app.labels.accounts import Annotator
from app.labels.events import Target
from app.traces import Trace, TraceKey
from app.widgets import labelling
from curate.readers.messages import message
from curate.trajectory import trajectory_of

MESSAGES = [message("user", "Where is order 7?"), message("assistant", "On its way."), message("user", "Thanks")]
ROW = trajectory_of("orders", MESSAGES, source="desk", env_id="desk", task_id="7")
TRACE = Trace(TraceKey("clean", ROW["trajectory_id"]), "curated", "trajectories", ROW)
WHOLE = Target(ROW["trajectory_id"], ROW["content_hash"])
TURN = Target(ROW["trajectory_id"], ROW["content_hash"], 1)
ANN = Annotator("ann")


def script() -> None:
    from app.widgets.labelling import trace_controls, turn_controls
    from tests.app.widgets.test_labelling import TRACE

    trace_controls(TRACE)
    for index in range(len(TRACE.row["messages"])):
        turn_controls(TRACE, index)


@pytest.fixture
def clock(monkeypatch):
    """The time of the page, in seconds; it stands unless a test moves it."""
    held = SimpleNamespace(now=100.0)
    monkeypatch.setattr(labelling, "time", SimpleNamespace(monotonic=lambda: held.now))
    return held


@pytest.fixture
def page(labels, settings, monkeypatch, clock):
    """The controls as somebody sees them, with those of a target opened."""
    opened.use(SimpleNamespace(settings=settings, labels=labels))

    def drawn(who: Annotator | None = ANN, target: Target | None = None) -> AppTest:
        monkeypatch.setattr(app.widgets.labelling, "viewer", lambda: who)
        test = AppTest.from_function(script, default_timeout=60)
        if target is not None:
            test.session_state[f"{_key(target)} box"] = True
        test.run()
        assert not test.exception
        clock.now += 1
        return test

    return drawn


def _key(target: Target) -> str:
    return f"labelling {target.trajectory_id} {target.content_hash} {target.message_index}"


def _press(test: AppTest, words: str) -> None:
    next(button for button in test.button if button.label == words).click().run()
    assert not test.exception


def test_who_has_not_signed_in_sees_no_controls(page):
    test = page(None)
    assert not test.button
    assert not test.main.children


def test_a_label_of_the_whole_trace_stands_with_its_tags_and_note(page, labels):
    test = page(target=WHOLE)
    test.button_group[0].select("wrong_tool").run()
    test.text_area[0].set_value("looked in the wrong list ").run()
    _press(test, "Bad")
    last = labels.last("ann", WHOLE)
    assert (last.verdict, last.tags, last.note) == ("bad", ("wrong_tool",), "looked in the wrong list")
    assert last.queue is None
    assert last.shown_ms == 1000
    assert labels.last("ann", TURN) is None


def test_only_turns_of_the_assistant_are_labelled(page, labels):
    _press(page(target=TURN), "Good")
    assert labels.last("ann", TURN).verdict == "good"
    test = page(target=Target(WHOLE.trajectory_id, WHOLE.content_hash, 2))
    assert not test.button


def test_what_stands_is_shown_and_can_be_taken_back(page, labels):
    test = page(target=TURN)
    _press(test, "Good")
    _press(page(target=WHOLE), "Bad")
    _press(page(target=TURN), "Undo")
    assert labels.last("ann", TURN) is None
    assert labels.last("ann", WHOLE).verdict == "bad"


def test_a_press_before_it_could_be_read_is_refused(page, labels, clock):
    test = page(target=WHOLE)
    clock.now -= 0.9
    _press(test, "Good")
    assert labels.last("ann", WHOLE) is None
    assert test.warning[0].value == labelling.TOO_SOON
    clock.now += 1
    _press(test, "Good")
    assert labels.last("ann", WHOLE).verdict == "good"
    assert not test.warning


def test_a_press_sent_twice_is_one_label(page, labels, clock, monkeypatch):
    page()
    state = {labelling._key(WHOLE): (first := labelling._Shown())}
    monkeypatch.setattr(labelling, "st", SimpleNamespace(session_state=state))
    for _ in range(2):
        clock.now += 1
        labelling._press(WHOLE, ANN, first.event_id, "good")
    assert labels.events().height == 1
    assert not state[labelling._key(WHOLE)].said


def test_a_press_of_controls_that_are_gone_is_refused(page, labels, monkeypatch):
    page()
    state = {labelling._key(WHOLE): labelling._Shown()}
    monkeypatch.setattr(labelling, "st", SimpleNamespace(session_state=state))
    labelling._press(WHOLE, ANN, "an event of yesterday", "good")
    assert labels.events().is_empty()
    assert state[labelling._key(WHOLE)].said == labelling.STALE


def test_who_signed_out_elsewhere_labels_nothing(page, labels, monkeypatch):
    test = page(target=WHOLE)
    monkeypatch.setattr(app.widgets.labelling, "viewer", lambda: None)
    _press(test, "Good")
    assert labels.events().is_empty()


def test_a_record_without_content_has_no_controls(page, monkeypatch):
    reject = Trace(TRACE.key, "curated", "rejects", {**ROW, "content_hash": None, "messages": None})
    drawn = []
    monkeypatch.setattr(labelling, "_box", lambda *given: drawn.append(given))
    monkeypatch.setattr(labelling, "viewer", lambda: ANN)
    labelling.trace_controls(reject)
    labelling.turn_controls(reject, 0)
    assert not drawn
