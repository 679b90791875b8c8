import random

import pytest

from curate.sandbox import STOP, ScriptedUser
from curate.sandbox.tasks import scene


def user_of(kind, seed=0):
    place = scene("full", 11, 0)
    task = next(task for index in range(400) if (task := place.task(index)).kind == kind)
    return task, ScriptedUser(task, random.Random(seed))


@pytest.mark.parametrize("seed", range(12))
def test_a_user_identifies_confirms_and_stops(seed):
    task, user = user_of("cancel", seed)
    assert user.open()
    who = user.reply("Sure! Could you give me your email address, or your name and postcode?")
    assert task.customer["email"] in who or task.customer["postcode"] in who
    assert task.requests[0].asked["order_id"] in user.reply("What is the order number?")
    user.reply("May I ask why you want to cancel?")
    assert user.told["reason"] == task.requests[0].asked["reason"]
    order_id = task.requests[0].asked["order_id"]
    assert STOP not in user.reply(f"I will cancel {order_id}. Do you confirm?")
    assert not user.done
    assert user.reply("It is cancelled. Anything else I can do for you?").endswith(STOP)
    assert user.done


def test_a_user_objects_to_the_wrong_order_once():
    task, user = user_of("cancel")
    user.open()
    order_id = task.requests[0].asked["order_id"]
    assert order_id in user.reply("I am going to cancel order O-00000. Shall I go ahead?")
    assert order_id not in user.reply("I am going to cancel order O-00000. Shall I go ahead?")


def test_a_user_with_several_requests_asks_them_one_by_one():
    task, user = user_of("multi")
    user.open()
    for _ in task.requests[1:]:
        assert not user.reply("Done. Anything else?").endswith(STOP)
    assert user.reply("Done. Anything else?").endswith(STOP)


def test_a_user_who_is_asked_what_they_cannot_know_loses_patience():
    _, user = user_of("spend")
    user.open()
    replies = [user.reply("Which size do you want?") for _ in range(3)]
    assert replies[-1].endswith(STOP)
