from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

import app.pages.browse
from app import opened
from app.labels.store import Queue, Target
from tests.app.index_frames import FakeLibrary, index_frame


def script() -> None:
    from app.pages import browse

    browse.draw()


REJECTED = {"table": "rejects", "reject_step": "filters", "reject_reason": "no_call", "reward": 0.0}
FLIGHTS = index_frame(
    *(
        {"trace": f"flight-{n}", "reward": n / 119, "turns": n % 7 + 1, "tools": ["book"], "task_id": f"t{n}"}
        for n in range(120)
    ),
    {
        "trace": "lost",
        "table": "rejects",
        "reject_step": "filters",
        "reject_reason": "no_call",
        "folder": "raw",
        "reward": 0.0,
    },
    {"trace": "evil", "source": "<img src=x onerror=alert(1)>", "tools": ["[x](javascript:alert(1))"], "reward": 0.25},
)


@pytest.fixture
def library():
    return FakeLibrary(FLIGHTS, {3: "my Dog flies", 5: "a dog", 121: "cat"})


@pytest.fixture
def links(monkeypatch):
    """Where the page's links lead."""
    made = []

    def link(name, label, *, icon=None, help=None, **params):
        made.append((name, label, params))

    monkeypatch.setattr(app.pages.browse, "link", link)
    return made


@pytest.fixture
def page(library, labels, settings, links, monkeypatch):
    monkeypatch.setattr(app.pages.browse, "viewer", lambda: None)
    opened.use(SimpleNamespace(settings=settings, library=library, labels=labels))

    def drawn(**params: str) -> AppTest:
        test = AppTest.from_function(script, default_timeout=60)
        for name, value in params.items():
            test.query_params[name] = value
        test.run()
        assert not test.exception
        return test

    return drawn


def _address(test: AppTest) -> dict[str, str]:
    return {name: values[0] if isinstance(values, list) else values for name, values in test.query_params.items()}


def _traces(test: AppTest) -> list[str]:
    return test.dataframe[0].value["trace"].tolist()


def _words(test: AppTest) -> str:
    return " ".join(shown.value for shown in [*test.markdown, *test.info, *test.warning, *test.caption, *test.text])


def test_the_first_page_shows_fifty_rows_and_counts_all(page):
    test = page()
    assert _traces(test) == [f"flight-{n}" for n in range(50)]
    assert "**122** of 122 traces" in _words(test)
    assert "Rejected, 1 traces" in _words(test)


def test_an_address_restores_filters_order_and_page(page):
    test = page(reward="0.1..", sort="-reward", tool="book", page="2")
    assert _traces(test)[0] == "flight-69"
    assert test.multiselect(key="browse.tool").value == ["book"]
    assert test.number_input(key="browse.reward.low").value == 0.1
    assert test.selectbox(key="browse.sort").value == "reward"
    assert test.button(key="browse.turn").label == "Descending"


def test_a_choice_narrows_the_table_and_stands_in_the_address(page):
    test = page(page="2")
    test.multiselect(key="browse.folder").select("raw").run()
    assert _traces(test) == ["lost"]
    assert _address(test) == {"folder": "raw"}
    assert "filters: no_call" in test.dataframe[0].value["reason"].tolist()


def test_limits_stand_in_the_address(page):
    test = page()
    test.number_input(key="browse.reward.low").set_value(0.99).run()
    assert _traces(test) == ["flight-118", "flight-119"]
    assert _address(test) == {"reward": "0.99.."}


def test_text_is_searched_once_for_all_pages(page, library):
    test = page()
    test.text_input(key="browse.q").set_value("dog").run()
    assert _traces(test) == ["flight-3", "flight-5"]
    assert _address(test) == {"q": "dog"}
    test.selectbox(key="browse.sort").set_value("reward").run()
    assert _traces(test) == ["flight-5", "flight-3"]
    test.button(key="browse.turn").click().run()
    assert _traces(test) == ["flight-3", "flight-5"]
    assert library.searches == 1


def test_the_id_of_a_trace_finds_it(page):
    assert _traces(page(q="flight-77")) == ["flight-77"]


def test_only_rejects_are_shown_on_demand(page):
    test = page()
    test.segmented_control(key="browse.show").set_value("rejected").run()
    assert _traces(test) == ["lost"]
    assert _address(test) == {"show": "rejected"}


def test_clear_brings_everything_back(page):
    test = page(folder="raw", sort="reward")
    next(button for button in test.button if button.label == "Clear").click().run()
    assert _address(test) == {"sort": "reward"}
    assert len(_traces(test)) == 50


def test_wrong_parts_of_an_address_are_told_and_ignored(page):
    test = page(reward="high", page="0", nonsense="1")
    assert "Of this address was ignored" in test.warning[0].value
    assert len(_traces(test)) == 50


def test_a_page_beyond_the_last_is_the_last(page):
    assert _traces(page(page="999"))[-1] == "evil"


def test_nothing_found_says_what_to_do(page):
    test = page(tool="fly", turns="3..")
    assert not test.dataframe
    assert "No trace has tool called fly" in _words(test).replace("\\", "")
    assert "press Clear" in _words(test)


def test_an_empty_folder_says_what_to_do(page, library):
    library.frame = index_frame()
    test = page()
    assert "hold no traces" in test.info[0].value


def test_reading_starts_at_the_first_and_knows_the_way_back(page, links):
    page(sort="-reward", tool="book", page="2")
    _, _, params = next(made for made in links if made[0] == "read")
    assert (params["folder"], params["trace"]) == ("clean", "flight-119")
    assert parse_qs(params["back"]) == {"sort": ["-reward"], "tool": ["book"]}


def test_stepping_back_from_a_trace_shows_the_table_it_was_opened_from(page):
    test = page(folder="clean", trace="flight-3", back="sort=-reward&page=2")
    assert _traces(test)[0] == "flight-69"
    assert not test.warning


def test_long_names_with_one_beginning_stay_apart(page, library):
    names = ["x" * 100 + end for end in "abc"]
    library.frame = index_frame(*({"trace": name[-1], "source": name} for name in names))
    test = page()
    offered = test.multiselect(key="browse.source").options
    assert len(set(offered)) == 3
    test.multiselect(key="browse.source").select(names[1]).run()
    assert _traces(test) == ["b"]


def test_hostile_names_are_shown_as_text(page):
    test = page(tool="[x](javascript:alert(1))")
    assert _traces(test) == ["evil"]
    assert "[x](javascript" not in _words(test)


@pytest.fixture
def signed_in(monkeypatch, labels):
    """Sign somebody in."""

    def enter(name: str, role: str = "annotator"):
        made = labels.add_annotator(name, "a long password", role)
        monkeypatch.setattr(app.pages.browse, "viewer", lambda: made)
        return made

    return enter


@pytest.fixture
def tag(labels):
    return labels.schema.tags[0].name


def test_labels_filter_and_stand_in_the_table(page, label, signed_in, tag):
    signed_in("ann", "lead")
    label("ann", "flight-1", "good")
    label("bob", "flight-1", "bad", tag)
    label("bob", "flight-2", "bad")
    assert _traces(page(label="disputed")) == ["flight-1"]
    assert _traces(page(label="mine.good")) == ["flight-1"]
    assert _traces(page(label=f"tag.{tag}")) == ["flight-1"]
    assert _traces(page(label="bad")) == ["flight-1", "flight-2"]
    assert "flight-1" not in _traces(page(label="unlabelled"))
    assert page(label="bad").dataframe[0].value["label"].tolist() == [f"bad, disputed, good, {tag}", "bad"]


def test_anothers_labels_stay_hidden_until_one_has_labelled(page, label, signed_in):
    signed_in("ann")
    label("bob", "flight-1", "bad")
    assert not page(label="bad").dataframe
    label("ann", "flight-1", "good")
    assert _traces(page(label="bad")) == ["flight-1"]


def test_a_label_that_was_taken_back_is_gone(page, label, labels, signed_in):
    signed_in("ann")
    label("ann", "flight-1", "good")
    assert _traces(page(label="good")) == ["flight-1"]
    labels.undo("ann")
    assert not page(label="good").dataframe


def test_a_new_queue_hides_what_is_to_be_labelled_in_it(page, label, labels, signed_in):
    signed_in("ann")
    label("bob", "flight-1", "bad")
    label("ann", "flight-1", "good")
    assert page(label="bad").dataframe
    target = Target("flight-1", "hash-flight-1")
    labels.add_queue(Queue("second look", "assigned", "trajectory", 0, ("ann",), [(target, 0.0)]))
    assert not page(label="bad").dataframe
    assert page(label="mine.good").dataframe


def test_who_has_not_signed_in_sees_no_labels(page, label):
    label("bob", "flight-1", "bad")
    test = page()
    assert "label" not in test.dataframe[0].value
    assert not [widget for widget in test.multiselect if widget.label == "Label"]


def test_views_are_saved_opened_and_deleted(page, labels, signed_in):
    signed_in("ann")
    labels.save_view("cheap", "browse", {"reward": "..0.1"}, "ann")
    labels.save_view("of bob", "browse", {"tool": "book"}, "bob")
    test = page(folder="raw")
    test.session_state["browse.views"] = True
    test.run()
    _save(test, "raw ones")
    assert {view.name: view.params for view in labels.views()}["raw ones"] == {"folder": "raw"}
    _save(test, "of bob")
    assert "was saved by bob" in test.error[0].value
    deletes = [button for button in test.button if button.label == "Delete"]
    assert len(deletes) == 2
    deletes[0].click().run()
    assert [view.name for view in labels.views()] == ["of bob", "raw ones"]
    next(button for button in test.button if button.label == "of bob").click().run()
    assert _address(test) == {"tool": "book"}


def _save(test: AppTest, name: str) -> None:
    next(field for field in test.text_input if field.label == "Save this view as").set_value(name)
    next(button for button in test.button if button.label == "Save").click().run()
    assert not test.exception
