"""Where an argument's value came from."""

from __future__ import annotations

import json

from app.reading.sources import ArgumentValue, ValueSources
from app.reading.turns import steps_of
from curate.readers.messages import message
from curate.trajectory import Trajectory
from tests.app.reading.rows import hostile, long, result, row, shop, turn


def values(trajectory: Trajectory) -> dict[tuple[int, str], ArgumentValue]:
    steps = steps_of(trajectory)
    sources = ValueSources(trajectory, steps)
    calls = [call for step in reversed(steps) for call in step.calls]
    return {(call.message_index, value.path): value for call in calls for value in sources.of(call)}


def test_a_value_leads_to_the_users_words_or_a_results_field() -> None:
    found = values(shop())
    user, order, city = found[2, "user_id"], found[4, "order_id"], found[4, "city"]
    assert (user.origin, user.message_index, user.step) == ("the user", 1, 1)
    assert (order.origin, order.message_index, order.step) == ("result of get_user, field orders[0]", 3, 2)
    assert city.origin == "result of get_user, field address.city"


def test_a_value_is_never_traced_to_what_came_later() -> None:
    messages = [message("user", "Go."), turn(None, ("get", {"token": "tk-4711"})), result('{"token": "tk-4711"}')]
    assert values(row("x", messages))[1, "token"].kind == "nothing"


def test_paths_of_nested_arguments_are_written_as_people_do() -> None:
    body = {"flights": [{"number": "HAT001"}, {"number": "HAT002"}]}
    messages = [message("user", "HAT001, then HAT002"), turn(None, ("book", body))]
    found = values(row("x", messages))
    assert found[1, "flights[1].number"].kind == "user"


def test_arguments_that_are_no_json_have_no_values() -> None:
    found = values(hostile())
    assert all(index == 2 for index, _ in found)
    assert found[2, "list[0]"].kind == "user"


def test_a_long_trace_is_told_once_whatever_is_asked_first() -> None:
    trajectory = long(300)
    found = values(trajectory)
    assert found[599, "token"].message_index == 598
    assert found[599, "token"].origin == "result of count, field next"
    assert json.dumps([value.origin for value in values(trajectory).values()]) == json.dumps(
        [value.origin for value in found.values()]
    )
