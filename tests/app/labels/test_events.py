"""Labels are kept once, as they were given; undo takes back the last; the latest state is what stands."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.labels.events import Event, Target, new_event_id
from app.labels.standing import EVENT_COLUMNS, LABEL_COLUMNS
from app.labels.tables import events
from curate.errors import UsageError

T = Target("t1", "h1")
TURN = Target("t1", "h1", 4)


def test_what_was_said_comes_back(store, say):
    before = datetime.now(UTC) - timedelta(microseconds=1)
    event = say("ann", TURN, "bad", tags=("made_up", "wrong_tool"), note="café 😀", queue=None, shown_ms=812)
    row = store.latest().row(0, named=True)
    assert {name: row[name] for name in ("trajectory_id", "content_hash", "message_index", "annotator", "verdict")} == {
        "trajectory_id": "t1",
        "content_hash": "h1",
        "message_index": 4,
        "annotator": "ann",
        "verdict": "bad",
    }
    assert row["tags"] == ["made_up", "wrong_tool"] and row["note"] == "café 😀" and row["event_id"] == event.event_id
    assert before < row["at"] <= datetime.now(UTC)
    assert store.latest().schema == pl.Schema(LABEL_COLUMNS) and store.events().schema == pl.Schema(EVENT_COLUMNS)
    assert store.last("ann", TURN).tags == ("made_up", "wrong_tool") and store.last("ann", T) is None


def test_an_empty_store_has_frames_of_the_same_form(store):
    assert store.latest().schema == pl.Schema(LABEL_COLUMNS) and store.latest().is_empty()
    assert store.events().is_empty() and store.settled().is_empty()


def test_an_event_is_kept_once_however_often_it_is_sent(store):
    event = Event(new_event_id(), "ann", T, "good")
    assert store.record(event) is True
    assert store.record(event) is False
    assert store.record(replace(event, verdict="bad")) is False
    assert store.latest()["verdict"].to_list() == ["good"]


def test_many_threads_sending_one_event_keep_it_once(store):
    event, said = Event(new_event_id(), "ann", T, "good"), []
    threads = [threading.Thread(target=lambda: said.append(store.record(event))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [False] * 7 + [True] and store.events().height == 1


def test_a_new_label_of_a_target_replaces_the_old_one_and_both_are_kept(store, say):
    say("ann", T, "good")
    say("ann", TURN, "unsure")
    say("ann", T, "bad", note="looked again")
    assert store.latest()["verdict"].to_list() == ["unsure", "bad"]
    assert store.events()["verdict"].to_list() == ["good", "unsure", "bad"]


def test_a_changed_trajectory_is_another_target_and_the_folder_makes_no_difference(store, say):
    say("ann", T, "good")
    say("ann", Target("t1", "h2"), "bad")
    say("ann", Target("t1", "h1", folder="elsewhere"), "unsure")
    assert store.latest()["verdict"].to_list() == ["bad", "unsure"]
    assert Target("t1", "h1", folder="a") == Target("t1", "h1", folder="b")


def test_undo_of_a_target_leaves_what_was_said_of_others(store, say):
    say("ann", TURN, "good")
    say("ann", T, "bad")
    assert store.undo("ann", target=TURN).target == TURN
    assert store.last("ann", TURN) is None
    assert store.last("ann", T).verdict == "bad"
    assert store.undo("ann", target=TURN) is None


def test_undo_takes_back_the_last_label_then_the_one_before(store, say):
    first, second = say("ann", T, "good"), say("ann", T, "bad")
    say("bob", T, "unsure")
    assert store.undo("ann").event_id == second.event_id
    assert store.latest(annotator="ann")["verdict"].to_list() == ["good"]
    assert store.undo("ann").event_id == first.event_id
    assert store.undo("ann") is None
    assert store.latest()["annotator"].to_list() == ["bob"]
    assert store.events()["action"].to_list() == ["label", "label", "label", "undo", "undo"]


def test_an_undo_sent_twice_takes_back_one_label(store, say):
    say("ann", T, "good")
    say("ann", T, "bad")
    assert store.undo("ann", event_id="once") is not None
    assert store.undo("ann", event_id="once") is None
    assert store.latest()["verdict"].to_list() == ["good"]


def test_undo_of_a_queue_leaves_other_labels_alone(store, say):
    say("ann", T, "good", queue="q")
    say("ann", TURN, "bad")
    assert store.undo("ann", queue="q").target == T
    assert store.undo("ann", queue="q") is None
    assert store.latest()["verdict"].to_list() == ["bad"]


def test_undos_at_once_take_back_one_label_each(store, say):
    for number in range(8):
        say("ann", Target(f"t{number}", "h"))
    undone = []
    threads = [threading.Thread(target=lambda: undone.append(store.undo("ann"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({event.event_id for event in undone}) == 8 and store.latest().is_empty()


def test_an_undo_is_not_recorded_as_an_event_of_ones_own(store, say):
    event = say("ann", T)
    with pytest.raises(UsageError, match="undo"):
        store.record(Event(new_event_id(), "bob", T, action="undo", undoes=event.event_id))


def test_the_schema_decides_what_may_be_said(store, say):
    with pytest.raises(UsageError, match="no verdict 'great'"):
        say("ann", T, "great")
    with pytest.raises(UsageError, match="no tag 'ugly'"):
        say("ann", T, "bad", tags=("ugly",))
    say("ann", T, "great", schema_version="an older one")
    assert store.latest()["schema_version"].to_list() == ["an older one"]


@pytest.mark.parametrize("event", [Event("", "ann", T), Event("x", "", T), Event("x", "ann", Target("", "h"))])
def test_an_event_that_points_nowhere_is_refused(store, event):
    with pytest.raises(UsageError, match="needs an event_id"):
        store.record(event)


def test_only_a_lead_adjudicates_and_the_leads_own_label_stays(store, say):
    store.add_annotator("lee", None, "lead")
    store.add_annotator("ann", None)
    say("ann", T, "good")
    say("lee", T, "bad")
    say("lee", T, "good", action="adjudicate")
    with pytest.raises(UsageError, match="no lead"):
        say("ann", T, "bad", action="adjudicate")
    assert store.latest(annotator="lee").select("action", "verdict").rows() == [
        ("label", "bad"),
        ("adjudicate", "good"),
    ]


def test_settled_takes_the_majority_then_the_adjudication(store, say):
    store.add_annotator("lee", None, "lead")
    even, most, one = Target("even", "h"), Target("most", "h"), Target("one", "h", 2)
    for name, verdicts in {"ann": "gbg", "bob": "bb", "cid": " b"}.items():
        for target, letter in zip((even, most, one), verdicts, strict=False):
            if letter != " ":
                say(name, target, {"g": "good", "b": "bad"}[letter])
    say("dee", most, "good")
    found = {row["trajectory_id"]: row for row in store.settled().to_dicts()}
    assert found["even"] | {"verdict": None, "votes": 2, "disputed": True, "adjudicated": False} == found["even"]
    assert found["most"] | {"verdict": "bad", "votes": 4, "agreeing": 3, "disputed": True} == found["most"]
    assert found["one"] | {"verdict": "good", "votes": 1, "disputed": False, "message_index": 2} == found["one"]
    say("lee", even, "unsure", action="adjudicate")
    ruled = store.settled().filter(pl.col("trajectory_id") == "even").row(0, named=True)
    assert ruled["verdict"] == "unsure" and ruled["adjudicated"] and not ruled["disputed"] and ruled["votes"] == 2


def test_events_cannot_be_changed_or_deleted(store, say):
    say("ann", T)
    for statement in (sa.update(events).values(verdict="bad"), sa.delete(events)):
        with pytest.raises(UsageError, match="never changed or deleted"), store.writing() as connection:
            connection.execute(statement)
    assert store.latest()["verdict"].to_list() == ["good"]


def test_no_text_of_a_note_is_too_odd_to_keep(store, say):
    say("ann", T, note="zero\x00 half \ud83d quote '; DROP TABLE label_events; --")
    assert store.latest()["note"].to_list() == ["zero half ? quote '; DROP TABLE label_events; --"]
    with pytest.raises(UsageError, match="characters"):
        say("ann", T, note="x" * 1_000_000)


def test_read_only_shows_and_refuses_every_write(place):
    with place.open() as store:
        store.record(Event("e1", "ann", T, "good"))
    with place.open(read_only=True) as store:
        assert store.latest()["verdict"].to_list() == ["good"]
        for write in (lambda: store.record(Event("e2", "ann", T)), lambda: store.undo("ann")):
            with pytest.raises(UsageError, match="reading only"):
                write()
        for write in (lambda: store.save_view("v", "browse", {}), lambda: store.add_annotator("ann", None)):
            with pytest.raises(UsageError, match="reading only"):
                write()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0, 1, None]), st.sampled_from(["good", "bad", "-"]))))
def test_the_latest_state_is_what_replaying_the_events_gives(store, steps):
    """Each example goes on with annotators of its own on the same database."""
    tag = new_event_id()[:8]
    stacks: dict[str, list[tuple[int | None, str]]] = {}
    for name, index, what in steps:
        who, stack = f"{tag}{name}", stacks.setdefault(name, [])
        if what == "-":
            undone = store.undo(who)
            assert (undone is None) == (not stack)
            if stack:
                assert (undone.target.message_index, undone.verdict) == stack.pop()
        else:
            store.record(Event(new_event_id(), who, Target("t", "h", index), what))
            stack.append((index, what))
    for name, stack in stacks.items():
        rows = store.latest(annotator=f"{tag}{name}").select("message_index", "verdict").rows()
        assert dict(rows) == dict(stack) and len(rows) == len(dict(stack))
