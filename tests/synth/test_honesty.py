"""What the offline teacher claims is so: a thank-you, a quotation, the place of a value, a yes, a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from curate.canonical import parse_arguments
from curate.trajectory import Message, Trajectory
from synth.teachers import make_teacher, turn_view
from synth.turn_rule import plan_turns

CLOSING = re.compile(r"thanks me|says thanks|thank-you|content with|nothing more|no new (?:request|point)")
FURTHER = re.compile(
    r"\?|\b(?:could|can|would) you\b|\bI(?:'d| would|\u2019d)(?: also)? like\b|\bplease\b|\bI want\b", re.I
)
THERE = re.compile(r"I find (.*?) there[.,]|[Tt]here I see (.*?)[.,](?: |$)")
VALUE = re.compile(r"[A-Z0-9#][\w\-]*\d[\w\-]*|\d+(?:\.\d+)?")
CAUSES = re.compile(r"\b(?:because|since|so|therefore|that is why)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def written(real_rows: dict[str, list[Trajectory]]) -> list[tuple[Trajectory, int, str]]:
    teacher = make_teacher("offline")
    return [
        (row, turn.message_index, thought.text)
        for rows in real_rows.values()
        for row in rows
        for turn in plan_turns(row)
        if turn.origin == "teacher" and (thought := teacher.write(turn_view(row, turn.message_index)))
    ]


@pytest.fixture
def thought(trajectory) -> Callable[..., str]:
    """The thought of the last of some messages; `seed` changes the wording."""

    def write(*messages: Message, seed: int = 0) -> str:
        row = trajectory(*messages, trajectory_id=f"{seed:032x}")
        made = make_teacher("offline").write(turn_view(row, len(messages) - 1))
        assert made is not None
        return made.text

    return write


@pytest.fixture
def thoughts(thought) -> Callable[..., Iterator[str]]:
    """The same in many wordings."""
    return lambda *messages: (thought(*messages, seed=seed) for seed in range(40))


def last_of(row: Trajectory, at: int, role: str) -> str:
    """The last message of a role that says something; the result of a noted thought is empty."""
    return next((m["content"] for m in reversed(row["messages"][:at]) if m["role"] == role and m["content"]), "")


def one_line(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "")


def test_a_closing_thought_follows_a_message_that_asks_for_nothing(written) -> None:
    closing = [(row, at, text) for row, at, text in written if CLOSING.search(text)]
    assert len(closing) > 20
    for row, at, text in closing:
        user = last_of(row, at, "user").replace("That's all I needed", "")
        assert not FURTHER.search(user), (text, user)


def test_no_thought_says_that_nothing_need_be_looked_up(written) -> None:
    assert not [
        text for _, _, text in written if re.search(r"nothing (?:more )?(?:needs )?to (?:be )?look", text, re.I)
    ]


def test_every_quotation_is_word_for_word(written) -> None:
    quotations = 0
    for row, at, text in written:
        turn = row["messages"][at]
        values = [str(v) for call in turn["tool_calls"] for v in (parse_arguments(call["arguments"])[0] or {}).values()]
        said = [one_line(m["content"]) for m in row["messages"][: at + 1]]
        told = "\n".join(
            [*said, *values, *(c["arguments"] for m in row["messages"][: at + 1] for c in m["tool_calls"])]
        )
        for quotation in re.findall("“([^”]+)”", text):
            quotations += 1
            for part in filter(None, map(str.strip, quotation.split("…"))):
                assert part in told, (part, text)
    assert quotations > 2000


def test_an_expression_keeps_its_signs(written) -> None:
    quoted = 0
    for row, at, text in written:
        for call in row["messages"][at]["tool_calls"]:
            expression = str((parse_arguments(call["arguments"])[0] or {}).get("expression", ""))
            digits = re.sub(r"\D", "", expression)
            for quotation in re.findall("“([^”]+)”", text) if "*" in expression else ():
                head = quotation.rstrip("…")
                if digits and digits.startswith(re.sub(r"\D", "", head) or "-"):
                    quoted += 1
                    assert expression.startswith(head), (expression, text)
    assert quoted > 10


def test_a_value_said_to_be_there_stands_in_the_last_result(written) -> None:
    claims = 0
    for row, at, text in written:
        result = last_of(row, at, "tool").replace(",", "")
        for match in THERE.finditer(text):
            claims += 1
            for value in VALUE.findall(next(filter(None, match.groups()))):
                assert value.strip("#") in result, (value, text)
    assert claims > 100


@pytest.mark.parametrize(
    "user",
    [
        "Great, thank you! Could you also check if there are any other duplicate flights?",
        "Great, thank you! I'd also like to remove my checked bag.",
        "Please add the cheapest one, the blue speaker. Thank you!",
        "Thanks. What kind of compensation can I expect?",
        "Thank you! Double-check the total then.",
        "I'd like to return a bed as well. Thanks!",
    ],
)
def test_thanks_with_a_request_are_no_goodbye(message, thoughts, user: str) -> None:
    for text in thoughts(
        message("user", "I want to cancel order W123."),
        message("assistant", None, ("cancel_order", '{"order_id": "W123"}')),
        message("tool", '{"order_id": "W123", "status": "cancelled"}'),
        message("assistant", "It is cancelled."),
        message("user", user),
        message("assistant", "I will see to that."),
    ):
        assert not CLOSING.search(text), text
        assert not re.search(r"look(?:ed)? up", text), text


def test_thanks_after_a_failed_call_report_no_success(message, thoughts) -> None:
    start = (
        message("user", "I want to upgrade W123."),
        message("assistant", None, ("cancel_order", '{"order_id": "W122"}')),
        message("tool", '{"order_id": "W122", "status": "cancelled"}'),
        message("assistant", None, ("upgrade_order", '{"order_id": "W123"}')),
    )
    end = (message("assistant", "That is all I can do."), message("user", "Thank you for checking."))
    goodbye = message("assistant", "You're welcome!")
    for text in thoughts(*start, message("tool", "Error: W123 not available"), *end, goodbye):
        assert CLOSING.search(text) and not re.search(r"went through|succeeded|was able", text), text
    done = [*thoughts(*start, message("tool", '{"order_id": "W123", "status": "upgraded"}'), *end, goodbye)]
    assert any(re.search(r"went through|succeeded|was able", text) for text in done)


def test_an_answer_to_a_question_is_no_goodbye(message, thoughts) -> None:
    for text in thoughts(
        message("user", "I want to book a flight."),
        message("assistant", "Which payment method shall I use?"),
        message("user", "I'll use the gift card with the 262 balance, thanks."),
        message("assistant", "Here are the details."),
    ):
        assert not CLOSING.search(text), text


def two_searches(message) -> tuple[Message, ...]:
    return (
        message("user", "I want the cheapest flight."),
        message("assistant", None, ("search_direct_flight", '{"origin": "JFK", "date": "2024-05-18"}')),
        message("tool", '[{"flight": "HAT041", "price": 350}, {"flight": "HAT306", "price": 499}]'),
        message("assistant", None, ("search_direct_flight", '{"origin": "JFK", "date": "2024-05-19"}')),
        message("tool", '[{"flight": "HAT777", "price": 910}]'),
    )


def test_values_of_an_earlier_search_are_not_pinned_on_the_last(message, thoughts) -> None:
    turns = (message("assistant", "HAT041 is 350, HAT306 is 499."),
             message("assistant", None, ("calculate", '{"expression": "350 * 2 + 499"}')))  # fmt: skip
    for turn in turns:
        for text in thoughts(*two_searches(message), turn):
            assert not THERE.search(text), text
            assert "350" not in text or "earlier search" in text or "350 * 2" in text, text
    assert any(THERE.search(text) for text in thoughts(*two_searches(message), message("assistant", "HAT777 is 910.")))


def test_a_text_on_one_order_is_not_grounded_in_another(message, thoughts) -> None:
    def order(number: str) -> Message:
        return message("tool", json.dumps({"order_id": number, "delivery_on": "2026-03-21"}))

    for text in thoughts(
        message("user", "When do my orders come?"),
        message("assistant", None, ("get_order", '{"order_id": "O-32850"}')),
        order("O-32850"),
        message("assistant", None, ("get_order", '{"order_id": "O-12131"}')),
        order("O-12131"),
        message("assistant", "O-32850 comes on 2026-03-21."),
    ):
        assert not re.search(r"2026-03-21[^.]*O-12131|O-12131[^.]*2026-03-21", text), text


def test_a_value_of_a_failed_change_stands_in_no_record(message, thoughts) -> None:
    for text in thoughts(
        message("user", "Book it with my certificate."),
        message("assistant", None, ("book_flight", '{"amount": 299}')),
        message("tool", "Error: total price is 375, but paid 299"),
        message("assistant", None, ("think", '{"thought": ""}')),
        message("tool", ""),
        message("assistant", None, ("calculate", '{"expression": "375 - 299"}')),
    ):
        assert "after the change" not in text, text


def test_a_small_number_gets_no_source(message, thoughts) -> None:
    for text in thoughts(
        message("user", "Add 3 checked bags to XEWRD9."),
        message("assistant", None, ("update_flights", '{"reservation_id": "XEWRD9"}')),
        message("tool", '{"reservation_id": "XEWRD9", "total_baggages": 3, "nonfree_baggages": 0}'),
        message("assistant", None, ("update_bags", '{"reservation_id": "XEWRD9", "nonfree_baggages": 0}')),
    ):
        assert "nonfree" not in text, text


def test_a_yes_to_one_id_is_none_to_another(message, thoughts) -> None:
    def yes_to(number: str) -> Iterator[str]:
        return thoughts(
            message("user", "I want to cancel my skis."),
            message("assistant", "I can cancel O-58604. Shall I proceed?"),
            message("user", "Yes, I confirm."),
            message("assistant", None, ("cancel_order", json.dumps({"order_id": number}))),
        )

    claim = re.compile(r"\byes\b|agreed|confirmed|approved")
    assert all(claim.search(text) for text in yes_to("O-58604"))
    assert not any(claim.search(text) for text in yes_to("O-58640"))


def test_a_yes_is_not_said_to_be_lacking_where_the_user_gave_one(message, thoughts) -> None:
    for text in thoughts(
        message("system", "Obtain the user's explicit confirmation before any change."),
        message("user", "I want to cancel O-58604."),
        message("assistant", "I can cancel O-58604. Shall I proceed?"),
        message("user", "Yes, please go ahead."),
        message("assistant", "Please confirm that you want to cancel O-58604."),
    ):
        assert not re.search(r"not said yes|need an explicit|want a clear yes|needs the user", text), text


def test_a_change_that_was_not_asked_for_is_not_explained_by_the_request(message, thoughts) -> None:
    for text in thoughts(
        message("user", "Hello, it is me again."),
        message("assistant", "How can I help?"),
        message("user", "Just do it. Now, I also need to change the 17-inch laptop to a 13-inch."),
        message("assistant", None, ("return_items", '{"order_id": "W1", "item_ids": ["6704763132"]}')),
    ):
        told = [part for part in text.split(". ") if "my own reading" not in part and "word for word" not in part]
        assert not ("laptop" in text and any(map(CAUSES.search, told))), text


def test_a_request_that_was_overtaken_explains_no_call(message, thoughts) -> None:
    for text in thoughts(
        message("user", "I want to know the balance of my gift card."),
        message("assistant", "I cannot tell."),
        message("user", "Then could you change my flight to the cheapest one without changing the dates?"),
        message("assistant", "What is your user id?"),
        message("user", "It is mo_9265."),
        message("assistant", None, ("search_flights", '{"user_id": "mo_9265"}')),
    ):
        assert not ("balance" in text and CAUSES.search(text)), text


def test_one_of_two_ways_to_find_a_user_is_enough(message, trajectory) -> None:
    tools = [
        {"function": {"name": name, "parameters": {"type": "object", "required": fields}}}
        for name, fields in (("find_user_id_by_email", ["email"]), ("find_user_id_by_name_zip", ["last_name", "zip"]))
    ]
    row = trajectory(
        message("user", "I want to return a lamp."),
        message("assistant", "Could you please provide your email, or your last name and zip code?"),
        tools=json.dumps(tools),
    )
    made = make_teacher("offline").write(turn_view(row, 1))
    assert made is not None and "email" in made.text and "zip" not in made.text, made


def test_them_is_never_turned_into_the_user(message, thoughts) -> None:
    for text in thoughts(
        message("user", "Hi! I booked two flights on May 17 by mistake. Can you help me cancel one of them?"),
        message("assistant", "Which one do you mean?"),
    ):
        assert "cancel one of the user" not in text, text


def test_a_long_word_beside_a_call_is_not_called_a_summary(message, thoughts) -> None:
    told = "Thank you for the information. Before this I need to know whether you have an insurance. " * 3
    for text in thoughts(
        message("user", "I want to cancel W123, please."),
        message("assistant", told, ("get_order", '{"order_id": "W123"}')),
    ):
        assert not re.search(r"summary|where things stand", text), text


def test_a_rule_cut_short_is_not_quoted_without_its_no(message, thoughts) -> None:
    rule = f"Basic economy flights can be cancelled by the agent {'on the day of the booking ' * 4}but not afterwards."
    refusal = "Unfortunately, I cannot cancel basic economy flights after the day of the booking."
    messages: tuple[Any, ...] = (message("user", "Cancel my basic economy flight."), message("assistant", refusal))
    assert not any("can be cancelled" in text for text in thoughts(message("system", rule), *messages))
    short = "Basic economy flights cannot be cancelled after the day of the booking."
    assert any(short in text for text in thoughts(message("system", short), *messages))


def test_a_call_that_was_not_accepted_did_not_go_through(message, thoughts) -> None:
    for text in thoughts(
        message("user", "Cancel W123."),
        message("assistant", None, ("cancel_order", '{"order_id": "W123"}')),
        message("tool", '{"order_id": "W123", "accepted": false}'),
        message("assistant", "It was not accepted."),
    ):
        assert not re.search(r"went through|succeeded|was able|as done|it is done", text), text


def test_the_same_call_again_is_called_a_repetition(message, thoughts) -> None:
    call = ("list_orders", '{"customer_id": "C-2562"}')
    result = message("tool", '{"customer_id": "C-2562", "orders": ["O-1", "O-2"]}')
    for text in thoughts(message("user", "Where is it?"), message("assistant", None, call), result,
                         message("assistant", None, call)):  # fmt: skip
        assert re.search(r"once more|repeat", text), text
