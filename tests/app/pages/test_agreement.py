from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("streamlit", reason="needs the extra: pip install -e '.[app]'")

from streamlit.testing.v1 import AppTest

import app.pages.agreement
import app.widgets.disputes
from app import opened
from app.labels.accounts import Annotator
from tests.app.index_frames import FakeLibrary, index_frame

EVIL = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) :red[x] $x$"


def script() -> None:
    from app.pages import agreement

    agreement.draw()


@pytest.fixture
def links(monkeypatch):
    made = []

    def link(name, label, *, icon=None, help=None, **params):
        made.append((name, label, params))

    for module in (app.pages.agreement, app.widgets.disputes):
        monkeypatch.setattr(module, "link", link)
    return made


@pytest.fixture
def page(labels, settings, links, monkeypatch):
    library = FakeLibrary(index_frame(*({"trace": f"t{n}"} for n in range(30)), {"trace": "evil", "first_words": EVIL}))
    library.folders = ()

    def drawn(who: Annotator | None, read_only: bool = False, **params: str) -> AppTest:
        chosen = replace(settings, server=replace(settings.server, read_only=read_only))
        opened.use(SimpleNamespace(settings=chosen, library=library, labels=labels))
        monkeypatch.setattr(app.pages.agreement, "viewer", lambda: who)
        test = AppTest.from_function(script, default_timeout=60)
        for name, value in params.items():
            test.query_params[name] = value
        test.run()
        assert not test.exception
        return test

    return drawn


@pytest.fixture
def disputed(label, labels):
    labels.add_annotator("lead", "long enough", "lead")
    for n in range(12):
        label("ann", f"t{n}", "good")
        label("bob", f"t{n}", "bad" if n % 3 == 0 else "good", *(["made_up"] if n % 3 == 0 else []))


LEAD = Annotator("lead", "lead")


def words(test: AppTest) -> str:
    return "\n".join(shown.value for shown in [*test.markdown, *test.caption, *test.info])


def table(test: AppTest, column: str):
    return next(shown.value for shown in test.dataframe if column in shown.value.columns)


def test_figures_with_intervals(page, disputed) -> None:
    test = page(LEAD)
    assert {shown.label: shown.value for shown in test.metric} == {
        "Labels": "24",
        "Annotators": "2",
        "Labelled by two or more": "12",
        "In dispute": "4",
    }
    figures = table(test, "Measure").set_index("Measure")
    assert figures.loc["Share of equal labels", "Value"] == "0.67"
    assert " to " in figures.loc["Krippendorff's alpha", "95 % interval"]
    assert figures.loc["Cohen's kappa", "Value"] == "0.00"
    assert table(page(LEAD, view="Tags"), "Tag")["Tag"].tolist() == ["made_up"]
    assert table(page(LEAD, view="Annotators"), "Annotator")["Annotator"].tolist() == ["ann", "bob"]
    assert "Open rollouts" in words(page(LEAD, view="Judge"))


def test_a_lead_settles_what_is_disputed(page, disputed, labels) -> None:
    test = page(LEAD)
    verdicts = [group for group in test.button_group if group.label == "Verdict"]
    assert len(verdicts) == 4
    verdicts[0].set_value("bad").run()
    assert not test.exception
    next(button for button in test.button if button.label == "Settle it").click().run()
    assert not test.exception
    assert {shown.label: shown.value for shown in test.metric}["In dispute"] == "3"
    ruled = [row for row in labels.latest().iter_rows(named=True) if row["action"] == "adjudicate"]
    assert [(row["annotator"], row["trajectory_id"], row["verdict"]) for row in ruled] == [("lead", "t0", "bad")]
    test = page(LEAD, settled="true")
    assert "Settled as **bad** by lead" in words(test)


def test_an_annotator_settles_nothing(page, disputed) -> None:
    test = page(Annotator("ann"))
    assert [button for button in test.button if button.label == "Settle it"] == []
    assert "In dispute" in {shown.label for shown in test.metric}


def test_disputes_lead_to_the_trace(page, disputed, links) -> None:
    page(LEAD)
    (first, *_) = [params for name, _, params in links if name == "read"]
    assert first == {"folder": "clean", "trace": "t0", "turn": None}


def test_nobody_sees_labels_before_signing_in_but_a_read_only_server_shows_all(page, disputed) -> None:
    test = page(None)
    assert not test.metric
    assert "signed in" in words(test)
    test = page(None, read_only=True)
    assert len(test.metric) == 4
    assert [button for button in test.button if button.label == "Settle it"] == []


def test_undefined_figures_say_why(page, label) -> None:
    label("ann", "t1", "good")
    test = page(LEAD)
    figures = table(test, "Measure")
    assert set(figures["Value"]) == {"undefined"}
    assert "one annotator" in figures["Why"].tolist()
    assert "nan" not in figures.to_string().lower()
    assert "Nothing is in dispute" in words(test)


def test_turns_have_their_own_figures(page, disputed) -> None:
    assert "no labels here yet" in words(page(LEAD, unit="Turns"))


def test_no_labels_yet(page) -> None:
    assert "no labels here yet" in words(page(LEAD))


def test_untrusted_text_is_plain(page, label, labels, links) -> None:
    label("ann", "evil", "good")
    label("bob", "evil", "bad")
    page(LEAD)
    (name,) = [label for name, label, _ in links if name == "read"]
    assert "\\<img" in name
    assert "[x](" not in name


@pytest.mark.parametrize(
    "params",
    [
        {"page": "99"},
        {"page": "x"},
        {"queue": "none such"},
        {"unit": "nothing"},
        {"view": "Annotators", "one": "nobody"},
        {"view": "all"},
    ],
)
def test_an_address_that_means_nothing_breaks_nothing(page, disputed, label, params) -> None:
    for n in range(12, 30):
        label("ann", f"t{n}", "good")
        label("bob", f"t{n}", "bad")
    test = page(LEAD, **params)
    assert len(test.metric) == 4


def test_two_annotators_side_by_side(page, disputed) -> None:
    test = page(LEAD, view="Annotators", one="ann", other="bob")
    assert "12 items that both labelled" in words(test)
