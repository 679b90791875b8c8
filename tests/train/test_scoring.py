import json

import pytest

from curate.readers.messages import message
from tests.train.rows import call, result, row_of, says
from train.prompts import StoredPrompt
from train.rollout import Rollout
from train.scoring import case_of, score
from train.settings import RewardSettings
from train.tokens import parts


def prompts(reward):
    """The user turns of a dialogue about two orders, whose task asks for facts of both."""
    row = row_of(
        message("user", "Where is W1?"),
        says(None, call("get_order", {"order_id": "W1"}, "a")),
        result("{}", "a"),
        says("W1 is open."),
        message("user", "And the price of W2?"),
        says(None, call("get_order", {"order_id": "W2"}, "b")),
        result("{}", "b"),
        says("It was 12.50."),
        message("user", "And who made it?"),
        says("Ann did."),
        reward=reward,
        metadata=json.dumps({"required_facts": ["open", "12.50"]}),
    )
    ends = (4, 8, 10)
    return [
        StoredPrompt(row | {"messages": row["messages"][:end]}, part, row["messages"][part.message_index + 1 : end])
        for part, end in zip(parts(row), ends, strict=True)
    ]


def rollout(text):
    return Rollout([], messages=[says(text)], status="answered", answer=text)


def test_an_answer_must_say_what_its_own_user_turn_asks_for():
    first, second, third = prompts(1.0)
    assert [case_of(rollout("x"), each).facts for each in (first, second, third)] == [("open",), ("12.50",), ()]
    assert score(rollout("It is open."), first, RewardSettings()).answer == 1.0
    assert score(rollout("It is open."), second, RewardSettings()).answer == 0.0
    assert score(rollout("Ann did."), third, RewardSettings()).answer == 1.0


@pytest.mark.parametrize("reward", [None, 0.0])
def test_a_dialogue_that_may_have_left_facts_out_does_not_say_which_turn_asks_for_them(reward):
    assert {case_of(rollout("x"), each).facts for each in prompts(reward)} == {("open", "12.50")}
