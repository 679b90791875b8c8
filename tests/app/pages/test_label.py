"""The page that labels: queues, keys, notes, and what may not become a label."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app.labels.events import Target
from app.labels.queues import Queue
from tests.app.trace_folders import Traces


def page() -> None:
    from app.pages import label

    label.draw()


def run(script=page, **address: str) -> AppTest:
    test = AppTest.from_function(script, default_timeout=60)
    for name, value in address.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return test


def words(test: AppTest) -> str:
    shown = [*test.title, *test.subheader, *test.markdown, *test.caption, *test.error, *test.info, *test.warning]
    return " ".join(str(each.value) for each in [*shown, *test.success, *test.text, *test.code])


def press(test: AppTest, label: str) -> AppTest:
    next(each for each in test.button if each.label == label).click()
    test.run()
    assert not test.exception
    return test


def events(labels):
    rows = labels.events().iter_rows(named=True)
    return [(row["trajectory_id"], row["message_index"], row["verdict"], row["tags"]) for row in rows]


@pytest.fixture
def queue(labels):
    def make(name="q", unit="trajectory", many=3, **more) -> None:
        index = 1 if unit == "turn" else None
        targets = [(Target(f"t{n}", f"hash-t{n}", index, "clean"), 0.0) for n in range(many)]
        labels.add_queue(Queue(name, unit=unit, targets=targets, **more))

    return make


def test_who_has_not_signed_in_is_asked_to(serving, cookies):
    serving()
    test = run()
    assert "Sign in, so that" in words(test)
    serving(read_only=True)
    assert "read-only" in words(run()) and not run().text_input


def test_a_lead_makes_a_queue_and_labels_it_to_its_end(serving, labels, signed_in):
    serving(Traces(2))
    signed_in("Ada", "lead")
    test = press(press(run(), "Make the queue"), "Start")
    assert test.query_params["queue"] in ("Queue 1", ["Queue 1"])
    press(press(test, "Made up"), "Bad")
    assert "Bad, Made up**" in words(test).replace("\u200b", "").replace("\\", "")
    press(test, "Good")
    assert "This queue is done" in words(test)
    assert sorted(row[2:] for row in events(labels)) == [("bad", ["made_up"]), ("good", [])]
    assert labels.finished("Queue 1", "Ada")


def test_an_annotator_makes_no_queues(serving, signed_in):
    serving()
    signed_in("Bo")
    test = run()
    assert "A lead makes one" in words(test) and not test.text_input


def test_the_address_goes_on_in_a_queue_after_a_restart(serving, labels, signed_in, queue):
    serving()
    signed_in("Ada")
    queue()
    test = press(run(queue="q"), "Good")
    assert "Trip number 1" in words(test)
    other = run(queue="q")  # nothing but the address and the cookie is left
    assert "Trip number 1" in words(other) and "Trip number 0" not in words(other)
    assert events(labels) == [("t0", None, "good", [])]


def test_undo_and_skip(serving, labels, signed_in, queue):
    serving()
    signed_in("Ada")
    queue()
    test = press(press(run(queue="q"), "Good"), "Undo")
    assert "Trip number 0" in words(test) and labels.latest().is_empty()
    for _ in range(3):
        press(test, "Skip")
    assert "but the 3 you skipped" in words(test)
    assert "Trip number 0" in words(press(test, "Show the skipped ones"))


def test_a_note_goes_with_the_label(serving, labels, signed_in, queue):
    serving()
    signed_in("Ada")
    queue()
    test = run(queue="q")
    test.text_area[0].set_value("why <b>")
    press(test, "Unsure")
    assert labels.latest()["note"].to_list() == ["why <b>"]
    assert not test.text_area[0].value, "the next trace has a note of its own"


def test_a_button_of_a_trace_that_is_gone_labels_nothing(serving, labels, signed_in, queue):
    serving()
    signed_in("Ada")
    queue()
    test = run(queue="q")
    old = next(each for each in test.button if each.label == "Good")
    sitting = test.session_state["label.sitting"]
    press(test, "Bad")
    assert sitting.press(old.key.split()[-1], "good") is False
    assert sitting.press("ffff", "good") is False and "no longer shown" in sitting.said
    assert events(labels) == [("t0", None, "bad", [])]


def test_who_signed_out_elsewhere_labels_nothing(serving, labels, signed_in, queue, cookies):
    serving()
    signed_in("Ada")
    queue()
    test = run(queue="q")
    labels.end_session(cookies["cacherl_session_8501"])
    press(test, "Good")
    assert events(labels) == []


def test_a_turn_is_judged_by_itself(serving, labels, signed_in, queue):
    serving()
    signed_in("Ada")
    queue(unit="turn")
    test = run(queue="q")
    assert "Judge this turn**, message 1" in words(test) and "booked" in words(test)
    assert "It is booked" not in words(test), "what comes after would tell"
    press(test, "Bad")
    assert events(labels) == [("t0", 1, "bad", [])]


def test_a_queue_of_others_is_not_opened(serving, labels, signed_in, queue):
    serving()
    signed_in("Ada")
    labels.add_annotator("Bo", None)
    queue("theirs", annotators=("Bo",))
    test = run(queue="theirs")
    assert "no queue theirs for you" in words(test)


def test_a_trace_that_no_folder_holds_can_only_be_skipped(serving, labels, signed_in):
    serving()
    signed_in("Ada")
    labels.add_queue(Queue("q", targets=[(Target("t0", "another", None, "clean"), 0.0)]))
    test = run(queue="q")
    assert "No opened folder holds" in words(test)
    assert not [each for each in test.button if each.label == "Good"]


def test_texts_of_traces_are_never_markdown(serving, signed_in, queue):
    library = Traces(1)
    library.bodies["t0"]["messages"][0]["content"] = "<img src=x onerror=alert(1)> [x](javascript:alert(1))"
    library.bodies["t0"]["source"] = "<script>alert(1)</script>"
    serving(library)
    signed_in("Ada")
    queue(many=1)
    test = run(queue="q")
    assert any("onerror" in each.value for each in test.text)
    marked = " ".join(str(each.value) for each in [*test.markdown, *test.caption])
    assert "<script" not in marked.replace("\\<", "") and "onerror" not in marked
