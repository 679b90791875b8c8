"""The page that reads a trace: nothing of a trace acts, only a window is drawn, the address restores the view."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import app.pages.read
import app.widgets.trace_header
import app.widgets.turns
from app import opened
from app.library import TraceKey
from app.reading.turns import WINDOW
from app.traces import Trace
from curate.trajectory import Trajectory
from tests.app.index_frames import FakeLibrary, index_frame
from tests.app.reading import rows

REJECT: dict[str, Any] = {
    "reject_step": "filter",
    "reject_reason": "ungrounded",
    "reject_detail": "<b>#W1</b>",
    "raw": None,
}
BROKEN: dict[str, Any] = {**dict.fromkeys(rows.shop()), **REJECT, "raw": b"<script>alert(1)</script>{"}
Open = Callable[..., AppTest]


class Desk(FakeLibrary):
    """Traces that were never on a disk."""

    def __init__(self, given: list[Trajectory], rejects: dict[str, Any]) -> None:
        made = {
            row["trajectory_id"]: Trace(TraceKey("clean", row["trajectory_id"]), "c", "trajectories", row)
            for row in given
        }
        made |= {name: Trace(TraceKey("clean", name), "c", "rejects", row) for name, row in rejects.items()}
        super().__init__(index_frame(*({"trace": name} for name in made)))
        self.traces = made

    def trace(self, key: TraceKey) -> Trace | None:
        return self.traces.get(key.trace) if key.folder == "clean" else None

    def find(self, trajectory_id: str, folder: str | None = None) -> list[TraceKey]:
        return [trace.key for name, trace in self.traces.items() if name == trajectory_id]


def script() -> None:
    from app.pages import read

    read.draw()


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """Where the page's links lead."""
    made: list[tuple[str, str, dict[str, Any]]] = []

    def link(name: str, label: str, *, icon: str | None = None, help: str | None = None, **params: Any) -> None:
        made.append((name, label, params))

    for module in (app.pages.read, app.widgets.turns, app.widgets.trace_header):
        monkeypatch.setattr(module, "link", link)
    return made


@pytest.fixture
def page(labels: Any, settings: Any, links: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setattr(app.pages.read, "viewer", lambda: None)
    monkeypatch.setattr(app.widgets.turns, "_can_label", lambda: False)
    given = [rows.shop(), rows.hostile(), rows.rollout(), rows.long(100), rows.large(200_000)]
    library = Desk(given, {"bad-1": {**rows.shop(), **REJECT}, "row-9": BROKEN})
    opened.use(SimpleNamespace(settings=settings, library=library, labels=labels))  # type: ignore[arg-type]

    def drawn(trace: str, chosen: Mapping[str, str] | None = None, **params: str) -> AppTest:
        test = AppTest.from_function(script, default_timeout=120)
        for name, value in (chosen or {}).items():
            test.session_state[name] = value
        for name, value in {"folder": "clean", "trace": trace, **params}.items():
            test.query_params[name] = value
        test.run()
        assert not test.exception
        return test

    yield drawn


def address(test: AppTest, name: str) -> str | None:
    value = test.query_params.get(name)
    return value[0] if isinstance(value, list) else value


def heads(test: AppTest) -> list[str]:
    return [head.value for head in test.subheader]


def rendered(test: AppTest) -> list[str]:
    """Everything that Streamlit reads as Markdown: texts, labels, tables."""
    found = [shown.value for shown in [*test.markdown, *test.caption, *test.warning, *test.subheader, *test.info]]
    found += [button.label for button in test.button]
    return found + [box.label for box in test.expander]


def unescaped_marks(markdown: str) -> str:
    """What is left of untrusted text when all that is escaped is taken out."""
    return re.sub(r"\\[!-/:-@\[-`{-~]", "", markdown)


@pytest.mark.parametrize("look", ["plain", "markdown"])
def test_nothing_of_a_hostile_trace_acts(page: Open, look: str) -> None:
    test = page(rows.hostile()["trajectory_id"], {"texts": look})
    assert len(heads(test)) == 5
    for text in rendered(test):
        left = unescaped_marks(text)
        assert not re.search(r"<\w|</|!\[|\]\((?!#message-\d+\)|https?://)", left), text
        assert not re.search(r":(smile|material/delete):|:red\[|(?<!\()https?://|(?<!\\)\$", left), text
    for element in test.get("html"):
        assert "owned" not in element.proto.body
        assert "invalid" not in element.proto.body


def test_no_html_is_allowed_in_any_markdown(page: Open) -> None:
    for trace in (rows.hostile()["trajectory_id"], "shop-1", "row-9"):
        test = page(trace)
        assert not any(shown.proto.allow_html for shown in [*test.markdown, *test.caption])


def test_a_dialogue_is_read_with_thinking_calls_and_sources(page: Open) -> None:
    test = page("shop-1")
    assert [re.sub(r":\S+ ", "", head) for head in heads(test)] == [
        "0 \u00b7 system",
        "1 \u00b7 user",
        "2 \u00b7 assistant \u00b7 silent",
        "4 \u00b7 assistant \u00b7 silent",
        "6 \u00b7 assistant \u00b7 final",
        "7 \u00b7 user",
    ]
    assert "The user gives an id, so look the user up." in [text.value for text in test.text]
    assert any("parroting" in caption.value for caption in test.caption)
    table = next(shown.value for shown in test.markdown if "order\\_id" in shown.value)
    assert "field orders\\[0\\], [message 3](#message-3)" in table


def test_arguments_are_shown_as_json_too(page: Open) -> None:
    test = page("shop-1", {"arguments": "json"})
    assert '"order_id": "#W100"' in " ".join(code.value for code in test.code)


def test_a_rollout_shows_its_tiers_and_leads_to_its_parent(page: Open, links: Any) -> None:
    test = page("rollout-1")
    badges = [element.proto.body for element in test.get("html") if "<span" in element.proto.body]
    assert [re.sub("<[^>]*>", "", badge) for badge in badges] == [
        "exact p 1.00",
        "normalised p 0.90",
        "fuzzy p 0.80",
        "best effort p 0.70",
        "unavailable p 0.60",
        "simulated p 0.50",
    ]
    assert any("2 fields differ" in caption.value for caption in test.caption)
    assert ("read", {"folder": "clean", "trace": "shop-1", "turn": 1}) in [(name, given) for name, _, given in links]


def test_only_a_window_is_drawn_and_the_address_names_the_turn(page: Open) -> None:
    test = page("long-1", turn="101")
    assert len(heads(test)) == WINDOW
    assert any(head.split()[1] == "101" for head in heads(test))
    test = page("long-1", turn="9999999")
    assert len(heads(test)) == 101 % WINDOW
    assert len(heads(page("long-1", turn="-3"))) == WINDOW


def test_keys_go_on_by_a_turn_and_by_a_trace(page: Open) -> None:
    test = page("shop-1", {"find": "order"}, turn="2", back="page=1")
    buttons = {button.proto.shortcut: button for button in test.button if button.proto.shortcut}
    assert set(map(str.upper, buttons)) == {"J", "K", "N", "P"}
    by_letter = {letter.upper(): button for letter, button in buttons.items()}
    by_letter["N"].click().run()
    assert address(test, "turn") == "4"
    by_letter = {button.proto.shortcut.upper(): button for button in test.button if button.proto.shortcut}
    by_letter["J"].click().run()
    assert address(test, "trace") == rows.hostile()["trajectory_id"]
    assert address(test, "turn") is None
    assert address(test, "back") == "page=1"


def test_a_search_within_the_trace_leads_to_its_turns(page: Open) -> None:
    test = page("shop-1", {"find": "#w100"})
    found = [button for button in test.button if "message" in button.label]
    assert len(found) == 4
    found[2].click().run()
    assert address(test, "turn") == "4"


def test_a_reject_tells_why_and_a_record_that_is_none_shows_its_bytes(page: Open) -> None:
    assert "ungrounded" in page("bad-1").warning[0].value
    test = page("row-9")
    assert "<script>alert(1)</script>{" in [code.value for code in test.code]


def test_a_trace_that_is_not_open_is_told(page: Open) -> None:
    assert "holds no trace" in page("../../etc/passwd").warning[0].value
    assert "holds no trace" in page("shop-1", folder="elsewhere").warning[0].value
