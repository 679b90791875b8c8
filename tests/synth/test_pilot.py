"""The pilot's page: what a person reads before paying for the whole set."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from curate.trajectory import Trajectory
from synth.pilot import PilotAttempt, PilotCase, PilotFacts, pilot_page
from synth.teachers.asks import Usage

FACTS = PilotFacts(
    teacher="openai:m",
    prompt_version="turn-1.0",
    date="2026-11-24",
    turns_total=300_000,
    turns_asked=200,
    accepted=190,
    reasked=24,
    given_up=10,
    rejects={"meta_talk": 3, "future_entity": 12},
    tokens_in=1_000,
    tokens_cached=750,
    tokens_out=100,
    usd=1.4,
)
VOID = {"meta"}


class Tags(HTMLParser):
    """Checks that tags nest, and gathers names and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page[page.index("<body>") :]).split())


@pytest.fixture
def row(message: Callable[..., Any], trajectory: Callable[..., Trajectory]) -> Trajectory:
    return trajectory(
        message("system", "the policy"),
        message("user", "first words"),
        message("user", "Cancel W123."),
        message("user", "on my own side", requestor="user"),
        message("tool", "unseen", requestor="user"),
        message("assistant", None, ("get_order", '{"order_id": "W123"}')),
        message("tool", "long " * 400 + "the end"),
        message("assistant", "It is pending."),
    )


def test_the_page_shows_what_was_seen_done_and_thought(row: Trajectory) -> None:
    attempts = (
        PilotAttempt("Too early.", ("future_entity", "too_short"), Usage(1_000, 10), 0.001),
        PilotAttempt("I look up W123.\n\nThen I decide.", (), Usage(1_000, 20), 0.002),
    )
    page = pilot_page([PilotCase(row, 5, "silent", "teacher", attempts)], FACTS).decode()
    text = words(page)
    assert "1 earlier message not shown" in text
    assert "first words" in text
    assert "Cancel W123." in text
    assert "unseen" not in text
    assert "It is pending." not in text
    assert "get_order {&#34;order_id&#34;: &#34;W123&#34;}" in text
    assert "<p>I look up W123.</p><p>Then I decide.</p>" in page
    assert "accepted · 7 words · origin teacher · 2 attempts · 2,000 tokens in, 30 out · $0.0030" in text
    assert "attempt 1 failed future_entity too_short Too early." in text


def test_the_figures_and_what_the_whole_set_would_cost() -> None:
    text = words(pilot_page([], FACTS).decode())
    assert "asked 200" in text
    assert "accepted 190 95.0%" in text
    assert "asked again 24 12.0%" in text
    assert "given up 10 5.0%" in text
    assert "1,000 / 100 75.0% of input from cache" in text
    assert "spent $1.40 $0.0070 a turn" in text
    assert "about $2,100.00 300,000 turns" in text
    assert "future_entity 12 meta_talk 3" in text
    given = words(pilot_page([], PilotFacts(**{**FACTS, "usd_all": 1_900.0, "usd_all_batch": 950.0})).decode())
    assert "about $1,900.00 300,000 turns, $950.00 as batches" in given


def test_few_facts_are_enough() -> None:
    text = words(pilot_page([], PilotFacts(turns_asked=0, turns_total=5, usd=0.0)).decode())
    assert "whole set" not in text
    assert "spent $0.00" in text


def test_long_texts_open(row: Trajectory) -> None:
    page = pilot_page([PilotCase(row, 7, "final", "teacher", (PilotAttempt("Why."),))], FACTS).decode()
    assert page.count("<details>") == 1
    assert "the end" in page


def test_a_turn_that_was_given_up(row: Trajectory) -> None:
    attempts = (PilotAttempt(None, ("empty",)), PilotAttempt("As an AI", ("meta_talk",)))
    text = words(pilot_page([PilotCase(row, 5, "silent", "none", attempts)], FACTS).decode())
    assert "No thought was accepted" in text
    assert "accepted · " not in text
    assert "attempt 1 failed empty (no text)" in text
    assert "attempt 2 failed meta_talk As an AI" in text


def test_nothing_recorded_or_written_becomes_markup(message: Callable[..., Any], trajectory: Any) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7*7 }}{% raw %}"
    row = trajectory(
        message("user", evil),
        message("assistant", evil, (evil, evil)),
        message("tool", evil, name=evil),
        message("assistant", None, content_json=evil),
        source=evil,
        task_id=evil,
    )
    attempts = (PilotAttempt(evil, (evil,)), PilotAttempt(evil * 30 + "\ud800"))
    facts = PilotFacts(**{**FACTS, "teacher": evil, "rejects": {evil: 1}})
    page = pilot_page([PilotCase(row, index, evil, evil, attempts) for index in (1, 3)], facts).decode()
    tags = Tags(page)
    assert tags.open == []
    assert not tags.seen & {"script", "img", "link", "iframe"}
    assert not {name for name in tags.attributes if name.startswith("on") or name in ("src", "href", "style")}
    assert "49" not in words(page)
    assert "default-src 'none'" in page


def test_twenty_cases_and_the_same_bytes(row: Trajectory) -> None:
    cases = [PilotCase(row, 5, "silent", "teacher", (PilotAttempt("Why."),))] * 30
    page = pilot_page(cases, FACTS)
    assert page.count(b"<article>") == 20
    assert page == pilot_page(cases, FACTS)
