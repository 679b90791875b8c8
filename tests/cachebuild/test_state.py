import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachebuild.answer import unavailable
from cachebuild.ids import id_values, is_id_field
from cachebuild.key import read_arguments
from cachebuild.state import SessionState, follow, replay
from curate.env import EnvRules


@pytest.mark.parametrize(
    "name", ["id", "ID", "user_id", "userId", "orderID", "itemIDs", "item_ids", "flight_number", "zip_code", "x-id"]
)
def test_id_fields(name):
    assert is_id_field(name)


@pytest.mark.parametrize("name", ["paid", "valid", "idea", "number_of_bags", "zip", "decode", "grid", ""])
def test_other_fields(name):
    assert not is_id_field(name)


def test_id_values_are_found_at_any_depth_and_compared_as_text():
    value = {
        "user_id": " U1 ",
        "order": {"id": 7, "paid": "no", "items": [{"item_ids": ["a", 12.0, None, True, ""]}]},
        "email": "a@b.c",
    }
    assert id_values(value) == {"u1", "7", "a", "12"}
    assert id_values(value, ("email",)) == {"u1", "7", "a", "12", "a@b.c"}


@pytest.fixture
def after(talk):
    """What a call depends on behind some turns: the tools of the writes in its state, and all of it."""

    def found(*turns, tool="get_order", arguments=None, rules=None):
        state = SessionState(rules or EnvRules())
        follow(state, talk(*turns))
        dependence = state.dependence(tool, read_arguments({"order_id": "W1"} if arguments is None else arguments))
        return [name for name, _ in json.loads(dependence.state or "[]")], dependence

    return found


CANCEL = ("cancel_order", {"order_id": "W1"}, '{"order_id": "W1", "user_id": "u1"}')


def test_a_write_changes_the_state_of_its_ids_alone(after):
    assert after([CANCEL])[0] == ["cancel_order"]
    assert after([CANCEL], arguments={"order_id": "W2"})[0] == []
    assert after([CANCEL], tool="get_user", arguments={"user_id": "u1"})[0] == ["cancel_order"]
    assert after([CANCEL], tool="list_orders", arguments={})[0] == []


def test_a_write_without_ids_changes_every_state(after):
    wipe = ("delete_everything", {}, "done")
    assert after([wipe])[0] == ["delete_everything"]
    assert after([wipe], tool="list_orders", arguments={})[0] == ["delete_everything"]


def test_writes_depend_on_writes_too(after):
    assert after([CANCEL], tool="update_order", arguments={"order_id": "W1", "note": "x"})[0] == ["cancel_order"]


@pytest.mark.parametrize("result", ["Error: no such order", '{"error": "no"}', '{"error": {"code": 3}}'])
def test_failed_writes_change_nothing(after, result):
    assert after([("cancel_order", {"order_id": "W1"}, result)])[0] == []


def test_reads_pure_and_terminal_calls_stand_in_no_state(after):
    turns = [
        [("get_order", {"order_id": "W1"}, "{}")],
        [("think", {"order_id": "W1"}, "")],
        [("transfer_to_human_agents", {"order_id": "W1"}, "ok")],
    ]
    assert after(*turns)[1].digest == ""
    for tool in ("think", "transfer_to_human_agents", "calculate"):
        assert after([CANCEL], tool=tool)[1].digest == ""


def test_order_and_arguments_of_the_writes_count_and_results_do_not(after):
    other = ("update_order", {"order_id": "W1", "note": "x"}, "ok")
    digests = {after([CANCEL], [other])[1].digest, after([other], [CANCEL])[1].digest, after([CANCEL])[1].digest}
    assert len(digests) == 3
    assert after([(*CANCEL[:2], "cancelled")])[1].digest == after([CANCEL])[1].digest


def test_calls_of_one_turn_do_not_see_each_other(talk):
    state = SessionState()
    seen = []
    messages = talk([CANCEL, ("get_order", {"order_id": "W1"}, "{}")], [("get_order", {"order_id": "W1"}, "{}")])
    for turn in replay(state, messages):
        seen += [state.dependence(pair.call["name"], read_arguments(pair.call["arguments"])).digest for pair in turn]
    assert seen[0] == seen[1] == ""
    assert seen[2]


def test_the_user_names_further_ids_and_kinds(after):
    rules = EnvRules(id_fields=("email",), kinds={"frob": "read"})
    write = ("update_user", {"email": "a@b.c"}, "ok")
    assert after([write], tool="get_user", arguments={"email": "a@b.c"}, rules=rules)[0] == ["update_user"]
    assert after([write], tool="get_user", arguments={"email": "x@b.c"}, rules=rules)[0] == []
    assert after([("frob", {"order_id": "W1"}, "ok")], rules=rules)[0] == []
    assert after([("frob", {"order_id": "W1"}, "ok")])[0] == ["frob"]


def test_a_write_that_cannot_be_parsed_counts_for_all(after):
    assert after([("cancel_order", "{broken", "ok")], arguments={"order_id": "W9"})[0] == ["cancel_order"]


def test_a_write_of_unknown_outcome_is_a_doubt_about_its_ids(after):
    for result in (None, unavailable("cancel_order", "no").result):
        names, found = after([("cancel_order", {"order_id": "W1"}, result)])
        assert names == [] and found.doubtful
        assert not after([("cancel_order", {"order_id": "W1"}, result)], arguments={"order_id": "W2"})[1].doubtful
        assert after([("delete_everything", {}, result)], arguments={"order_id": "W2"})[1].doubtful


def test_a_late_result_ends_the_doubt(talk):
    messages = talk([(*CANCEL[:2], None)], [("get_order", {"order_id": "W1"}, "{}")], [("list_orders", {}, "[]")])
    late = talk([CANCEL])[1] | {"tool_call_id": messages[0]["tool_calls"][0]["id"]}
    messages.insert(3, late)
    state, doubts = SessionState(), []
    for _ in replay(state, messages):
        found = state.dependence("get_order", read_arguments({"order_id": "W1"}))
        doubts.append((found.doubtful, bool(found.digest)))
    assert doubts == [(False, False), (True, False), (False, True)]


TURN = st.lists(
    st.tuples(
        st.sampled_from(["get_order", "cancel_order", "update_user", "think", "wipe_all"]),
        st.dictionaries(st.sampled_from(["order_id", "userId", "note"]), st.sampled_from(["1", "2", 1]), max_size=2),
        st.sampled_from(["ok", "Error: no", '{"order_id": "2"}', None]),
    ),
    min_size=1,
    max_size=3,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(TURN, max_size=6))
def test_following_a_trajectory_equals_replaying_each_prefix(talk, turns):
    messages = talk(*turns)
    state = SessionState()
    for turn in replay(state, messages):
        prefix = SessionState()
        follow(prefix, messages[: turn[0].message_index])
        for pair in turn:
            arguments = read_arguments(pair.call["arguments"])
            assert state.dependence(pair.call["name"], arguments) == prefix.dependence(pair.call["name"], arguments)


def test_a_write_touches_the_owner_that_a_read_of_the_written_thing_named(talk):
    order = ("get_order", {"order_id": "O1"}, '{"order_id": "O1", "customer_id": "C1", "items": [{"item_id": "I1"}]}')
    state = SessionState()
    follow(state, talk([order], [("cancel_order", {"order_id": "O1"}, "done")]))
    assert state.dependence("list_orders", read_arguments({"customer_id": "C1"})).state
    assert not state.dependence("list_orders", read_arguments({"customer_id": "C2"})).state
    assert not state.dependence("get_item", read_arguments({"item_id": "I1"})).state


def test_a_read_made_again_depends_on_the_write_of_what_it_showed(talk):
    slots = ("list_slots", {"service": "wax"}, '{"slots": [{"slot_id": "S1"}, {"slot_id": "S2"}]}')
    failed = ("list_slots", {"service": "fit"}, "Error: no slot S1")
    state = SessionState()
    follow(state, talk([slots, failed], [("book_slot", {"slot_id": "S1"}, "done")]))
    assert state.dependence("list_slots", read_arguments({"service": "wax"})).state
    assert not state.dependence("list_slots", read_arguments({"service": "fit"})).state
    assert not state.dependence("get_hours", read_arguments({"service": "wax"})).state


def test_a_session_on_the_cache_follows_what_it_read(make, compiled):
    order = ("get_order", {"order_id": "O1"}, '{"order_id": "O1", "customer_id": "C1"}')
    before = ("list_orders", {"customer_id": "C1"}, '{"orders": [{"order_id": "O1", "status": "open"}]}')
    after = ("list_orders", {"customer_id": "C1"}, '{"orders": [{"order_id": "O1", "status": "gone"}]}')
    cancel = ("cancel_order", {"order_id": "O1"}, "done")
    session = compiled([make("one", [before], [order], [cancel], [after])]).session("shop", None, "t1")
    said = [session.call(tool, arguments).result for tool, arguments, _ in (before, order, cancel, after)]
    assert said == [before[2], order[2], cancel[2], after[2]]


def test_what_belongs_to_a_doubtful_write_is_doubtful(talk):
    order = ("get_order", {"order_id": "O1"}, '{"order_id": "O1", "customer_id": "C1"}')
    state = SessionState()
    follow(state, talk([order], [("cancel_order", {"order_id": "O1"}, None)]))
    assert state.dependence("list_orders", read_arguments({"customer_id": "C1"})).doubtful
    assert not state.dependence("list_orders", read_arguments({"customer_id": "C2"})).doubtful
