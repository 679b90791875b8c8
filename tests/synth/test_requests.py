from __future__ import annotations

import pytest

from synth.replies import asks_go_ahead, questions, refuses, reports_done, without_courtesies
from synth.requests import read_user


@pytest.mark.parametrize(
    ("text", "form", "phrase"),
    [
        ("Hi! I'd like to change my flight, please.", "wants", "change their flight"),
        ("I need to cancel the order I placed.", "wants", "cancel the order they placed"),
        ("Could you please check my balance for me?", "asks", "check their balance for them"),
        ("Can you help me with changing my seat?", "asks", "help them with changing their seat"),
        ("Can I use a gift card?", "may", "use a gift card"),
        ("I would like a refund to my card.", "likes", "a refund to their card"),
        ("The lamp arrived broken yesterday.", "says", "“The lamp arrived broken yesterday.”"),
        ("Why was I charged twice? Odd.", "says", "“Why was I charged twice?”"),
    ],
)
def test_a_request_in_words_about_the_user(text: str, form: str, phrase: str) -> None:
    request = read_user(text).request
    assert request is not None and (request.form, request.phrase) == (form, phrase)


@pytest.mark.parametrize("text", ["Hi there!", "", "Sure, my name is Mia Li.", "Can you help me with that?", "Thanks!"])
def test_nothing_is_made_up_where_nothing_is_asked(text: str) -> None:
    assert read_user(text).request is None


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Yes, please proceed.", True),
        ("That's correct, go ahead.", True),
        ("Sounds good!", True),
        ("No, thanks.", False),
        ("Yes, but not the second one.", False),
        ("Yesterday I called.", False),
        ("What would it cost?", False),
    ],
)
def test_a_yes(text: str, yes: bool) -> None:
    assert read_user(text).yes is yes


def test_questions_of_the_assistant() -> None:
    text = "Here is the order. Shall I proceed with the return? Thank you."
    assert questions(text) == ["Shall I proceed with the return?"]
    assert asks_go_ahead(text)
    assert not asks_go_ahead("What is your user id?")


def test_a_long_request_is_cut_between_clauses_or_not_used() -> None:
    request = read_user("I want to return the lamp from my last order, because " + "it flickers so much " * 20).request
    assert request is not None and request.phrase == "return the lamp from their last order"


def test_what_a_reply_does() -> None:
    text = "Your order has been cancelled. Is there anything else I can help you with?"
    assert without_courtesies(text) == "Your order has been cancelled."
    assert reports_done(text) and not refuses(text)
    assert refuses("Unfortunately, that is not possible.")
