from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.replies import asks_go_ahead, questions, refuses, reports_done, seeks_yes, sentences, without_courtesies
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
        ("Why was I charged twice? Odd.", "question", "“Why was I charged twice?”"),
        ("Oh, a refund, huh? Can it stay on the gift card?", "question", "“Can it stay on the gift card?”"),
        ("I need a delivery date for order O-1.", "likes", "a delivery date for order O-1"),
        (
            "I'd like to change my flight from A to B, so there might be a mix-up.",
            "wants",
            "change their flight from A to B",
        ),
        ("Can you help me cancel one of them?", "question", "“Can you help me cancel one of them?”"),
        ("Can you see anything with that?", "question", "“Can you see anything with that?”"),
        (
            "I don\u2019t pay since I\u2019m trying to save.",
            "says",
            "“I don\u2019t pay since I\u2019m trying to save.”",
        ),
    ],
)
def test_a_request_in_words_about_the_user(text: str, form: str, phrase: str) -> None:
    request = read_user(text).request
    assert request is not None and (request.form, request.phrase) == (form, phrase)


@pytest.mark.parametrize(
    "text",
    [
        "If it costs more than $600, could you upgrade just one of us?",
        "I'd like to cancel the flight to Boston and the one from there to Denver, but only if it is refundable.",
        "Could you double-check your system, your records, and your archive of mails or see if there is anything new?",
        "Could you check if the reader I bought last month together with the cover and the watch are still available?",
        "I want to use my certificates first, and if there's any balance, I'll use my card.",
        "I want to return the laptop with an i7 processor, 8GB of memory, a black case, and a one year warranty.",
    ],
)
def test_a_condition_or_half_a_list_is_quoted_not_told(text: str) -> None:
    request = read_user(text).request
    assert request is not None and request.form in ("says", "question")


def test_what_others_own_is_not_said_to_be_the_users() -> None:
    request = read_user("Please move the seats of my sons and tell them about their new rows.").request
    assert request is not None and request.others


def test_a_request_knows_whether_it_stands_alone() -> None:
    one, two = read_user("I want to return a lamp."), read_user("I want to return a lamp. Could you cancel the chair?")
    assert one.request is not None and one.request.alone
    assert two.request is not None and not two.request.alone
    three = read_user("Yes, I'd like to proceed with the upgrade. Please use my card ending in 7334.").request
    assert three is not None and not three.alone


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
        ("Great, thank you! Could you also check the other one?", False),
        ("Great, thanks!", True),
        ("Yes, please. What would it cost?", True),
        ("That's odd.", False),
    ],
)
def test_a_yes(text: str, yes: bool) -> None:
    assert read_user(text).yes is yes


@pytest.mark.parametrize(
    ("text", "thanks"),
    [
        ("Thank you so much for your help!", True),
        ("Thanks, that's all I needed. Have a great day!", True),
        ("Thank you for the suggestion. I will look into it.", True),
        ("Great, thank you! Could you also check the other flights?", False),
        ("Great, thank you! I'd also like to remove my bag.", False),
        ("Please add the cheapest one. Thank you!", False),
        ("Thanks. I actually need to cancel it.", False),
        ("Cancel it then. Thanks!", False),
        ("Thank you! Is that in stock?", False),
        ("Thanks, let me know soon.", False),
        ("Okay, double-check it. Thanks.", False),
        ("Hello there.", False),
    ],
)
def test_a_thank_you_that_asks_for_nothing(text: str, thanks: bool) -> None:
    assert read_user(text).thanks is thanks


def test_a_question_that_a_yes_answers() -> None:
    assert seeks_yes(["Shall I proceed?"]) and seeks_yes(["Please confirm."])
    assert seeks_yes(["Please confirm if you would like to proceed."])
    for inquiry in ("Could you confirm the order ID?", "Please confirm if the lamp is in this order.",
                    "Could you confirm the city you are interested in?"):  # fmt: skip
        assert not seeks_yes([inquiry]), inquiry
    assert not seeks_yes(["Which one shall I proceed with?"]) and not seeks_yes(["What is your user id?"])


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


def test_sentences_end_at_marks_and_line_breaks() -> None:
    assert sentences("One. Two!  Three?\n\nFour 5.5\n- five \n six") == [
        "One.", "Two!", "Three?", "Four 5.5", "- five ", " six"]  # fmt: skip


@given(st.text(alphabet=" .!?\n\ta5", max_size=40))
def test_sentences_are_split_as_the_plain_rule_does(text: str) -> None:
    assert sentences(text) == [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def test_an_answer_of_few_words_is_no_request() -> None:
    assert read_user("I don't have the order number.").request is None


def test_a_request_is_not_cut_inside_an_order_number() -> None:
    request = read_user("I want the lamp from order no. W123 back.").request
    assert request is None or not request.phrase.endswith(" no")
