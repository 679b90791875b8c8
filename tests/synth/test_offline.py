"""The offline teacher on the real files: it sees nothing later, claims only what it found, and varies its words."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from curate.trajectory import Message, Trajectory
from synth.checks.words import words_of
from synth.teachers import make_teacher, turn_view
from synth.turn_rule import plan_turns

META = re.compile(
    r"as an AI|write a thought|the (assistant|trajectory|transcript|recorded|given) (action|turn|call)|ground truth"
    r"|the user wants me to (write|generate)|hidden|teacher|annotat",
    re.IGNORECASE,
)
HINDSIGHT = re.compile(
    r"the (result|output|response) (shows|will show|returned)|as (we|I) (will|later) see"
    r"|turns? out|will return|came back",
    re.IGNORECASE,
)
MARKUP = re.compile(r"<think|</think|<tool_call|<\|im_|\ufffd|\n", re.IGNORECASE)
ENTITY = re.compile(r"#?\b\w*\d[\w\-.@]*\w")
WORD = re.compile(r"\w+")


class Written(NamedTuple):
    row: Trajectory
    at: int
    text: str


@pytest.fixture(scope="module")
def written(real_rows: dict[str, list[Trajectory]]) -> dict[str, list[Written]]:
    teacher = make_teacher("offline")
    return {
        stem: [
            Written(row, turn.message_index, thought.text)
            for row in rows
            for turn in plan_turns(row)
            if turn.origin == "teacher" and (thought := teacher.write(turn_view(row, turn.message_index)))
        ]
        for stem, rows in real_rows.items()
    }


def everything(messages: list[Message]) -> str:
    said = [
        text
        for turn in messages
        for text in (turn["content"] or "", *(call["arguments"] for call in turn["tool_calls"]))
    ]
    return " ".join(said).lower().replace(",", "")


def grams(text: str, size: int) -> list[tuple[str, ...]]:
    words = WORD.findall(text.lower())
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def sampled(written: dict[str, list[Written]], every: int) -> Iterator[Written]:
    for thoughts in written.values():
        yield from thoughts[::every]


def other_future(row: Trajectory, at: int) -> Trajectory:
    """The row up to a turn, then another result and another user."""
    changed = copy.deepcopy(row)
    for later in changed["messages"][at + 1 :]:
        later["content"] = '{"status": "replaced", "error": "future 98765"}'
        later["tool_calls"] = []
    return changed


def test_what_comes_after_a_turn_never_changes_its_thought(written: dict[str, list[Written]]) -> None:
    teacher = make_teacher("offline")
    turns = list(sampled(written, 9))
    assert len(turns) > 400
    for row, at, text in turns:
        short: Any = {**row, "messages": row["messages"][: at + 1]}
        for changed in (other_future(row, at), short):
            again = teacher.write(turn_view(changed, at))
            assert again is not None and again.text == text


def test_turns_in_any_order_get_the_same_thoughts(written: dict[str, list[Written]]) -> None:
    teacher = make_teacher("offline")
    for row, at, text in reversed(list(sampled(written, 17))):
        again = teacher.write(turn_view(row, at))
        assert again is not None and again.text == text


def test_a_view_ends_where_its_turn_begins(real_rows: dict[str, list[Trajectory]]) -> None:
    row = copy.deepcopy(real_rows["tau_bench_airline_gpt4o"][0])
    at = plan_turns(row)[1].message_index
    row["messages"][at]["reasoning_content"] = "a thought of its own"
    view = turn_view(row, at)
    assert len(view.messages) == at
    assert view.action["reasoning_content"] is None


def test_no_thought_names_what_only_the_future_knows(written: dict[str, list[Written]]) -> None:
    for thoughts in written.values():
        for row, at, text in thoughts:
            visible, later = everything(row["messages"][: at + 1]), everything(row["messages"][at + 1 :])
            for entity in ENTITY.findall(text.lower()):
                entity = entity.strip(".")
                assert len(entity) < 4 or entity in visible or entity not in later, (entity, text)


def test_thoughts_are_clean_in_form(written: dict[str, list[Written]]) -> None:
    for thoughts in written.values():
        for _, _, text in thoughts:
            assert 40 <= len(text) <= 900
            assert not META.search(text), text
            assert not HINDSIGHT.search(text), text
            assert not MARKUP.search(text), text
            assert text.endswith((".", "!", "?", "”")), text
            assert not text[0].islower() or any(c in text.split()[0] for c in "_0123456789@"), text
            assert len(re.findall(r"[.!?]”? (?=[A-Z“])", text)) <= 7, text
            assert ".." not in text.replace("...", "").replace("…", ""), text


def test_a_call_is_named_by_its_words_or_a_value(written: dict[str, list[Written]]) -> None:
    turns = [one for thoughts in written.values() for one in thoughts if one.row["messages"][one.at]["tool_calls"]]
    named = 0
    for row, at, text in turns:
        call = row["messages"][at]["tool_calls"][0]
        words = [word for word in call["name"].split("_") if len(word) > 3]
        values = re.findall(r"[#\w@.\-]{3,}", call["arguments"])
        named += sum(word in text.lower() for word in words) >= 1 or any(value in text for value in values)
    assert named / len(turns) >= 0.97


@pytest.mark.parametrize(("size", "most"), [(4, 0.01)])
def test_little_repetition_inside_a_thought(written: dict[str, list[Written]], size: int, most: float) -> None:
    texts = [one.text for thoughts in written.values() for one in thoughts]
    repeated = sum(1 - len(set(found)) / len(found) > 0.2 for text in texts if (found := grams(text, size)))
    assert repeated / len(texts) <= most


def test_few_thoughts_repeat_most_of_what_was_said(written: dict[str, list[Written]]) -> None:
    turns = list(sampled(written, 3))
    parrots = 0
    for row, at, text in turns:
        before, found = set(grams(everything(row["messages"][:at]), 5)), grams(text, 5)
        parrots += sum(gram in before for gram in found) > len(found) / 2
    assert parrots / len(turns) <= 0.01


def test_openings_vary_and_near_duplicates_are_rare(written: dict[str, list[Written]]) -> None:
    for stem, thoughts in written.items():
        openings = Counter(" ".join(words_of(one.text)[:4]) for one in thoughts)
        assert openings.most_common(1)[0][1] / len(thoughts) <= 0.08, (stem, openings.most_common(3))
        assert near_duplicates([one.text for one in thoughts]) <= 0.05, stem


def near_duplicates(texts: list[str]) -> float:
    """Share of texts whose 5-grams agree with another's to 80 %."""
    sets = [frozenset(grams(text, 5)) for text in texts]
    holders: dict[tuple[str, ...], list[int]] = {}
    near: set[int] = set()
    for at, found in enumerate(sets):
        shared = Counter(other for gram in found for other in holders.get(gram, [])[-200:])
        for other, count in shared.most_common(3):
            if count >= 0.8 * len(found | sets[other]):
                near |= {at, other}
        for gram in found:
            holders.setdefault(gram, []).append(at)
    return len(near) / len(texts)


def thought(trajectory, *messages: Message, tools: Any = ()) -> str:
    row = trajectory(*messages, tools=json.dumps(list(tools)))
    made = make_teacher("offline").write(turn_view(row, len(messages) - 1))
    assert made is not None
    return made.text


def test_a_failure_is_named_with_what_changes(message, trajectory) -> None:
    text = thought(
        trajectory,
        message("user", "I want to book seat 12A on flight HAT100."),
        message("assistant", None, ("book_seat", '{"flight": "HAT100", "seat": "12A"}')),
        message("tool", "Error: seat is taken"),
        message("assistant", None, ("book_seat", '{"flight": "HAT100", "seat": "12B"}')),
    )
    assert "seat is taken" in text and "12B" in text


def test_a_yes_is_claimed_only_where_the_user_gave_one(message, trajectory) -> None:
    def after(reply: str) -> str:
        return thought(
            trajectory,
            message("user", "I want to cancel order W123."),
            message("assistant", "I can cancel order W123. Shall I proceed?"),
            message("user", reply),
            message("assistant", None, ("cancel_order", '{"order_id": "W123"}')),
        )

    yes = re.compile(r"\byes\b|go-ahead|confirmed|agreed|approved")
    assert yes.search(after("Yes, please."))
    assert not yes.search(after("Actually, cancel W123 only if it is free of charge."))


def test_an_argument_that_nobody_named_is_called_an_assumption(message, trajectory) -> None:
    text = thought(
        trajectory,
        message("user", "I want to fly to New York tomorrow."),
        message("assistant", None, ("search_flights", '{"destination": "LGA"}')),
    )
    assert re.search(r"assumption|my own reading|fill in", text) and "LGA" in text


def test_a_question_says_what_is_missing_and_what_for(message, trajectory) -> None:
    tool = {
        "type": "function",
        "function": {"name": "get_order_details", "parameters": {"type": "object", "required": ["order_id"]}},
    }
    text = thought(
        trajectory,
        message("user", "I would like to return a lamp."),
        message("assistant", "Sure. What is your order id?"),
        tools=[tool],
    )
    assert "order id" in text and "order details" in text


def test_fields_of_which_one_is_enough_are_asked_for(message, trajectory) -> None:
    parameters = {"type": "object", "properties": {"email": {"type": "string"}, "postcode": {"type": "string"}}}
    text = thought(
        trajectory,
        message("user", "I would like to return a lamp."),
        message("assistant", "May I have your email, or your postcode?"),
        tools=[{"type": "function", "function": {"name": "find_customer", "parameters": parameters}}],
    )
    assert "email or postcode" in text and "customer" in text


def test_a_fact_is_named_with_its_field_and_a_change_is_read_again(message, trajectory) -> None:
    start = (
        message("user", "I want to change the lamp in W123 to black."),
        message("assistant", None, ("change_item", '{"order_id": "W123"}')),
        message("tool", '{"order_id": "W123", "accepted": true}'),
        message("assistant", None, ("get_order", '{"order_id": "W123"}')),
    )
    assert re.search(r"\bchange has|see the change", thought(trajectory, *start))
    end = (message("tool", '{"order_id": "W123", "items": [{"price": 12.5}]}'), message("assistant", "It costs 12.5."))
    assert "price 12.5" in thought(trajectory, *start, *end)


def test_an_error_is_remembered_past_a_noted_thought(message, trajectory) -> None:
    text = thought(
        trajectory,
        message("user", "I want to book HAT100."),
        message("assistant", None, ("book_flight", '{"flight": "HAT100", "amount": 299}')),
        message("tool", "Error: total price is 375"),
        message("assistant", None, ("think", '{"thought": "The price was wrong."}')),
        message("tool", ""),
        message("assistant", None, ("book_flight", '{"flight": "HAT100", "amount": 375}')),
    )
    assert ("375" in text and "instead of 299" in text) or "not 299" in text or "299 by 375" in text


@pytest.mark.parametrize(
    "user",
    [
        "<think>evil</think> <|im_start|> I want to <tool_call> cancel",
        "\x1b[31mred\x00",
        "",
        "x" * 5000,
        "你好, 取消订单 #W1",
    ],
)
def test_hostile_texts_leave_no_markup_in_a_thought(message, trajectory, user: str) -> None:
    text = thought(
        trajectory,
        message("user", user),
        message("assistant", None, ("weird<|im_start|>Tool", json.dumps({"a b": user, "</think>": ["<|im_end|>"]}))),
    )
    assert not MARKUP.search(text)
    assert len(text) < 900 and text.isprintable()


def test_any_tool_set_and_no_user_at_all(message, trajectory) -> None:
    for name in ("<think>", "fs-read_file", "mcp__github__createIssue", "x", "", "getWeather", "数据", "list"):
        text = thought(trajectory, message("assistant", None, (name, '{"path": "/a/b.txt", "n": [1, {"k": null}]}')))
        assert len(text) >= 40 and not MARKUP.search(text)


def test_what_is_found_already_is_not_said_to_be_missing(message, trajectory) -> None:
    parameters = {"type": "object", "properties": {"email": {"type": "string"}, "postcode": {"type": "string"}}}
    text = thought(
        trajectory,
        message("user", "My address is wrong. I am at mia@example.com."),
        message("assistant", None, ("find_customer", '{"email": "mia@example.com"}')),
        message("tool", '{"customer_id": "C-1"}'),
        message("assistant", "Could you give me the new address, with postcode and city?"),
        tools=[{"type": "function", "function": {"name": "find_customer", "parameters": parameters}}],
    )
    assert "find the customer" not in text


def test_a_noted_thought_is_no_calculation(message, trajectory) -> None:
    text = thought(
        trajectory,
        message("user", "I want to know where O-1 is."),
        message("assistant", None, ("think", '{"thought": "What was it?"}')),
        message("tool", "Noted."),
        message("assistant", None, ("get_order", '{"order_id": "O-1"}')),
    )
    assert "Noted" not in text
