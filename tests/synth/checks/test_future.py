"""A thought must not hold what only later messages hold, in whatever form; what it may know it may say."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.trajectory import Trajectory
from synth.checks.row import RowChecks
from synth.checks.settings import CheckSettings

TOOLS = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "get_order",
                "description": "An order such as W9990001.",
                "parameters": {"type": "object", "properties": {"kind": {"enum": ["express freight"]}}},
            },
        }
    ]
)
LATER = {
    "total": 1234.50,
    "order": "#W6390527",
    "date": "2024-05-26",
    "at": "16:45:00",
    "mail": "mei.kovacs@example.com",
    "page": "https://example.com/orders/view",
    "file": "/srv/reports/summary.txt",
    "status": "return requested",
    "code": "EHGLPX",
    "name": "Zoë's caf\u00e9",
    "kind": "express freight",
}
BEFORE = "I call get_order for the order of the user."


@pytest.fixture(scope="module")
def row(message: Callable, trajectory: Callable) -> Trajectory:
    return trajectory(
        message("system", "Refunds take 5 to 7 days. Today is 2024-05-15. The fee is $481."),
        message("user", "Please look at order W1112223; I paid 105.20 and 332.15 for it on May 3rd."),
        message("assistant", None, ("get_order", '{"id": "W1112223", "page": 7741}')),
        message("tool", json.dumps(LATER)),
        message("assistant", "The total is 1,234.50. Shall I send it to 317 Elm Street before the end of this month?"),
        message("user", "Yes, and my zip is 77271, the gate code is 55831."),
        tools=TOOLS,
    )


def codes(row: Trajectory, thought: str, at: int = 2) -> tuple[str, ...]:
    return RowChecks(row, CheckSettings(parrot_share=1.0)).failed(at, thought)


@pytest.mark.parametrize(
    "value",
    [
        "1234.5", "1,234.50", "$1234.50", "1,234.50 dollars", "W6390527", "#w6390527", "2024-05-26", "May 26",
        "the 26th of May", "May 26th, 2024", "26 May 2024", "May. 26", "16:45", "4:45 pm", "MEI.KOVACS@example.com",
        "https://example.com/orders/view", "/srv/reports/summary.txt", '"return requested"', "“Return requested”",
        "'return requested'", "`return requested`", "EHGLPX", "“zoë\u2019s café”", "77271", "55831",
    ],
)  # fmt: skip
def test_what_only_later_messages_hold_is_found_in_every_form(row: Trajectory, value: str) -> None:
    assert codes(row, f"{BEFORE} It is about {value}, I think.") == ("future_entity",)


@pytest.mark.parametrize(
    "value",
    [
        "W1112223", "#w1112223", "105.2", "$105.20", "437.35", "226.95", "210.40", "10.52", "May 3", "2024-05-03",
        "May 4", "7741", "W9990001", "$481", '"express freight"', "2024-05-15", "5 to 7 days", "12", "the year 2024",
        "500", "W0000000", "99887", '"never said"',
    ],
)  # fmt: skip
def test_what_stands_before_or_in_the_action_or_follows_from_it_may_be_said(row: Trajectory, value: str) -> None:
    assert codes(row, f"{BEFORE} It is about {value}, I think.") == ()


def test_after_it_was_seen_a_value_may_be_said(row: Trajectory) -> None:
    thought = "The order #W6390527 of May 26 comes to 1234.5, with the status “return requested”; I report that."
    assert codes(row, thought, at=4) == ()
    assert "future_entity" in codes(row, thought, at=2)


def test_dates_can_be_counted_where_the_user_names_a_day(message: Callable, trajectory: Callable) -> None:
    row = trajectory(
        message("user", "I want to fly next Friday."),
        message("assistant", None, ("search_flights", "{}")),
        message("tool", '[{"date": "2024-05-24"}]'),
    )
    assert codes(row, "I search for flights on 2024-05-24, which is the Friday that is meant.", at=1) == ()


def test_copied_words_are_found_and_common_phrases_are_not(row: Trajectory) -> None:
    copied = "shall I send it to 317 Elm Street, before the end of this month"
    assert "future_copy" in codes(row, f"{BEFORE} {copied}, is what I ask.")
    assert codes(row, f"{BEFORE} Shall I send it to them? I wait for the end of it.") == ()
    assert codes(row, f"The total is known, so I ask: {copied}?", at=4) == ()


def test_the_finding_says_where_the_value_stands(row: Trajectory) -> None:
    finding = RowChecks(row, CheckSettings()).found(2, f"{BEFORE} The zip is 77271.")[0]
    assert (finding.code, finding.detail) == ("future_entity", "number 77271, first in message 5")


def test_the_floor_compares_with_another_rows_later_messages(
    row: Trajectory, message: Callable, trajectory: Callable
) -> None:
    other = trajectory(
        message("user", "Hello."),
        message("assistant", None, ("get_order", "{}")),
        message("tool", '{"id": "W4445556"}'),
        message("assistant", "Your order W4445556 and also W1112223 are on their way to you by truck."),
    )
    one, swapped = RowChecks(row, CheckSettings()), RowChecks(other, CheckSettings())
    assert one.floor(2, "I look for W4445556.", swapped) == ("future_entity",)
    assert one.floor(2, "I look for W1112223.", swapped) == ()
    assert one.floor(2, "I look for W6390527.", swapped) == ()
    assert "future_copy" in one.floor(2, "Also W1112223 are on their way to you by truck.", swapped)
    assert swapped.failed(1, "I get the order W6390527, which nobody ever spoke of in this dialogue.") == ()


WORDS = st.sampled_from("I the order W1112223 is 105.20 and 332.15 May 3rd please look at, paid “for it” user".split())


@given(st.lists(WORDS, min_size=1, max_size=40))
def test_words_of_the_prefix_alone_never_peek(row: Trajectory, words: list[str]) -> None:
    failed = codes(row, " ".join(words))
    assert "future_copy" not in failed
    assert "future_entity" not in failed
