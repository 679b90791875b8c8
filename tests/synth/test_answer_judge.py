import json

import pytest

from synth.answer_judge import answer_score, is_meta_reasoning, required_facts
from tests.train.rows import row_of


@pytest.mark.parametrize(
    "answer",
    [
        "Okay, the user wants to know where the order is. It is open.",
        "I should respond with the status. It is open.",
        "My final answer should mention the refund code.",
        "It is open.\nLet me craft a friendly reply.",
    ],
)
def test_talk_about_the_answer_is_worth_nothing(answer):
    assert is_meta_reasoning(answer) and answer_score(answer, ["open"]) == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        "Your order is open. Should I cancel it?",
        "The answer to your question is 42.",
        "I need to verify your identity first. What is your zip code?",
        "The user manual is in the box.",
    ],
)
def test_what_a_clerk_says_is_no_talk_about_the_answer(answer):
    assert not is_meta_reasoning(answer)


def test_facts_count_by_share():
    assert answer_score("It is open, 12.50 in all.", ["open", "12.50"]) == 1.0
    assert answer_score("It is open.", ["open|pending", "12.50"]) == 0.5
    assert answer_score("", ["open"]) == 0.0


def test_without_facts_the_values_of_the_reference_are_wanted():
    reference = "Your refund code is R77 and the sum $1,204.00."
    assert answer_score("R77, 1204 dollars", reference=reference) == 1.0
    assert answer_score("You get a refund.", reference=reference) == 0.0


def test_without_values_the_words_are_compared():
    assert answer_score("It is open.", reference="It is open.") == 1.0
    assert 0 < answer_score("It is shut.", reference="It is open.") < 1
    assert answer_score("Anything.") == 1.0


def test_facts_come_from_the_metadata():
    row = row_of(metadata=json.dumps({"required_facts": ["open", 3, "R1"]}))
    assert required_facts(row) == ("open", "R1")
    assert required_facts(row_of()) == ()
