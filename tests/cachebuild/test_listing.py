"""Reads whose result lists what an unrelated write changed: recorded and looked up behind that write."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachebuild.answer import Outcome, unavailable
from cachebuild.calibration import CalibrationSettings, ToolCalibration
from cachebuild.entries import Worlds, entries, recorded_calls
from cachebuild.ids import written_ids
from cachebuild.key import read_arguments
from cachebuild.lookup import Lookup, LookupSettings, Query, ToolFacts
from cachebuild.schema import ENTRY
from cachebuild.state import SessionState, follow

LIST = ("list_orders", {"status": "any"})
OPEN = '{"orders": [{"order_id": "W1", "status": "open"}]}'
GONE = '{"orders": [{"order_id": "W1", "status": "gone"}]}'
CANCEL = ("cancel_order", {"order_id": "W1"}, "done")


@pytest.fixture
def behind(talk):
    """What a list of orders depends on behind some turns."""

    def found(*turns):
        state = SessionState()
        follow(state, talk(*turns))
        return state.dependence(LIST[0], read_arguments(LIST[1]))

    return found


def test_a_result_that_lists_a_written_id_stands_behind_the_write(behind):
    found = behind([CANCEL], [("pay_order", {"order_id": "W2"}, "done")])
    assert found.state == ""
    assert found.given(GONE).state == '[["cancel_order","{\\"order_id\\":\\"W1\\"}"]]'
    assert "pay_order" in found.everything().state
    for nothing in ("", "W1", '{"order_id": "W1"}', '{"orders": [{"note": "W1"}]}', '{"orders": [{"order_id": "W12"}'):
        assert found.given(nothing) == found


def test_ids_are_found_behind_escapes_and_in_any_case(behind):
    assert behind([CANCEL]).given('{"orders": [{"order_id": "\\u00571"}]}').state
    assert behind([CANCEL]).given('{"orders": [{"order_id": "w1"}]}').state


def test_a_result_that_lists_what_may_have_been_written_is_doubtful(behind):
    lost = behind([(*CANCEL[:2], unavailable("cancel_order", "no").result)])
    assert lost.given(GONE).doubtful
    assert not lost.given('{"orders": [{"order_id": "W2"}]}').doubtful


def test_a_write_counts_for_lists_by_what_its_result_names(behind):
    order = ("update_order", {"order_id": "W1", "item_id": "I1"}, '{"order_id": "W1", "items": [{"item_id": "I1"}]}')
    assert behind([order]).given(GONE).state
    assert not behind([order]).given('{"items": [{"item_id": "I1"}]}').state


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('{"order_id": "W1", "items": [{"item_id": "I1"}]}', {"w1"}),
        ('{"order": {"order_id": "W1", "items": [{"item_id": "I1"}]}}', {"w1"}),
        ('[{"order_id": "W1"}, {"note": "x"}]', {"w1"}),
        ('[{"order_id": "W1"}, {"order_id": "W2"}]', set()),  # which of them was written?
        ('{"items": ["a"], "note": "x"}', set()),
        ("done W1", set()),
        ('{"order_id": "W1"', set()),
        (None, set()),
    ],
)
def test_written_ids(text, ids):
    assert written_ids(text, ()) == ids


def test_a_list_is_served_as_recorded_behind_the_write_that_it_shows(make, compiled):
    cache = compiled(
        [
            make("before", [(*LIST, OPEN)]),
            make("after", [CANCEL], [(*LIST, GONE)]),
        ]
    )
    session = cache.session("shop", None, "t1")
    assert session.call(*LIST).result == OPEN
    session.call(*CANCEL[:2])
    answer = session.call(*LIST)
    assert (answer.result, answer.tier) == (GONE, "exact")


def test_a_list_recorded_before_the_write_alone_is_best_effort(make, compiled):
    session = compiled([make("before", [(*LIST, OPEN)]), make("after", [CANCEL])]).session("shop", None, "t1")
    session.call(*CANCEL[:2])
    answer = session.call(*LIST)
    assert (answer.result, answer.tier) == (OPEN, "best_effort") and answer.p <= 0.5
    assert "lists what was written since" in answer.reason


class Records:
    """An index in memory."""

    def __init__(self, rows):
        names = [field.name for field in ENTRY]
        self.kept = {}
        for row in rows:
            for values in entries(row, Worlds({}), Counter()):
                entry = dict(zip(names, values, strict=True))
                outcome = Outcome(entry["result"], 1, entry["success"], entry["trajectory_id"], 0)
                self.kept.setdefault(entry["key"], []).append(outcome)

    def outcomes(self, key, exclude=None):
        return tuple(self.kept.get(key, ()))


READS = st.tuples(
    st.sampled_from(["list_orders", "get_order", "find_items"]),
    st.dictionaries(st.sampled_from(["order_id", "item_id", "page"]), st.sampled_from(["1", "2", "3"]), max_size=2),
    st.lists(st.sampled_from(["1", "2", "3"]), max_size=3).map(
        lambda ids: json.dumps({"found": [{"order_id": each} for each in ids]})
    ),
)
WRITES = st.tuples(
    st.sampled_from(["cancel_order", "update_order"]),
    st.fixed_dictionaries({"order_id": st.sampled_from(["1", "2", "3"])}),
    st.sampled_from(["ok", "Error: no", '{"order_id": "2"}', '{"items": [{"item_id": "3"}, {"item_id": "1"}]}']),
)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.lists(READS | WRITES, min_size=1, max_size=2), max_size=7))
def test_a_recorded_trajectory_finds_its_own_calls_in_replay(make, turns):
    """All but the results that list some, and not all, of the writes that share no id with their call."""
    row = make("one", *turns)
    made = Counter((tool, read_arguments(arguments).canonical) for turn in turns for tool, arguments, _ in turn)
    nothing = ToolCalibration({}, CalibrationSettings())
    worlds = Worlds({})
    facts = {
        ("shop", tool): ToolFacts(worlds.kind("shop", tool)[0], False, False, frozenset(["exact"]), 0.95, nothing)
        for tool, _ in made
    }
    lookup = Lookup(Records([row]), facts, LookupSettings())
    for call in recorded_calls(row, SessionState(), Counter()):
        tool = call.pair.call["name"]
        answer = lookup.answer(Query("shop", None, "t1", tool, call.arguments, call.dependence))
        once = made[tool, call.arguments.canonical] == 1
        if once and call.behind in (call.dependence, call.dependence.everything()):
            assert (answer.tier, answer.result) == ("exact", call.result["content"])
        elif once:
            assert answer.tier == "unavailable"
        assert call.behind.given(call.result["content"]) == call.behind


@settings(deadline=None, max_examples=80)
@given(st.lists(st.lists(WRITES, min_size=1, max_size=2), max_size=5), READS)
def test_a_result_adds_writes_of_the_session_and_takes_none_away(talk, turns, read):
    state = SessionState()
    follow(state, talk(*turns))
    tool, arguments, result = read
    before = state.dependence(tool, read_arguments(arguments))
    sizes = [each.state.count("order_id") for each in (before, before.given(result), before.everything())]
    assert sizes == sorted(sizes)
    assert before.given(result).everything().state == before.everything().state
