import json

import pytest

from cachebuild.lookup import LookupSettings
from curate.errors import RecordError

ORDER = {"order_id": "W1"}
CANCEL = ("cancel_order", ORDER, '{"status": "cancelled"}')
BEFORE, AFTER = '{"status":  "open"}', '{"status": "cancelled", "order": 1}'


@pytest.fixture
def orders(make, compiled):
    """An order is read, cancelled, and read again."""
    return compiled([make("one", "hi", [("get_order", ORDER, BEFORE)], [CANCEL], [("get_order", ORDER, AFTER)])])


def test_a_read_answers_by_the_state_that_the_session_is_in(orders):
    session = orders.session("shop")
    first = session.call("get_order", '{ "order_id": "W1" }')
    assert (first.result, first.tier, first.failed, first.source_message_index) == (BEFORE, "exact", False, 1)
    assert session.call("cancel_order", ORDER).result == CANCEL[2]
    assert session.call("get_order", ORDER).result == AFTER
    assert not session.state_unknown


def test_history_is_replayed_into_the_state(orders, talk):
    assert orders.session("shop", history=talk([CANCEL])).call("get_order", ORDER).result == AFTER
    failed = talk([(*CANCEL[:2], "Error: no")])
    assert orders.session("shop", history=failed).call("get_order", ORDER).result == BEFORE


def test_history_may_be_plain_openai_messages(orders):
    call = {"id": "a", "type": "function", "function": {"name": "cancel_order", "arguments": json.dumps(ORDER)}}
    history = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": CANCEL[2]},
    ]
    assert orders.session("shop", history=history).call("get_order", ORDER).result == AFTER
    with pytest.raises(RecordError, match=r"messages\[0\].role"):
        orders.session("shop", history=[{"role": "nobody", "content": "hi"}])


def test_calls_of_one_turn_see_the_state_at_its_start(orders):
    session = orders.session("shop")
    answers = session.turn([("cancel_order", ORDER), ("get_order", ORDER)])
    assert [answer.result for answer in answers] == [CANCEL[2], BEFORE]
    assert session.call("get_order", ORDER).result == AFTER


def test_other_worlds_and_start_states_share_nothing(orders):
    for session in (orders.session("bank"), orders.session("shop", initial_state_id="s2")):
        assert session.call("get_order", ORDER).tier == "unavailable"


def test_unavailable_is_a_typed_error(orders):
    session = orders.session("shop")
    for tool, arguments in [
        ("get_order", {"order_id": "W2"}),
        ("get_order", "{broken"),
        ("no_tool", {}),
        ("\ud800", {}),
        ("get_order", {"order_id": float("nan")}),
    ]:
        answer = session.call(tool, arguments)
        error = json.loads(answer.result)["error"]
        assert (answer.tier, answer.p, answer.failed) == ("unavailable", 0.0, True)
        assert (error["type"], error["tool"]) == ("cache_unavailable", tool)
        assert answer.reason and answer.matched_arguments is None


def test_normalised_hit_says_what_it_matched(orders):
    orders.lookup.settings = LookupSettings(fuzzy_at=0)
    answer = orders.session("shop").call("get_order", {"order_id": " w1 ", "note": None})
    assert (answer.tier, answer.result, answer.matched_arguments) == ("normalised", BEFORE, '{"order_id":"W1"}')
    assert 0 < answer.p < 0.1


def test_a_normalised_write_is_found_again_by_the_reads_behind_it(orders):
    orders.lookup.settings = LookupSettings(fuzzy_at=0)
    session = orders.session("shop")
    assert session.call("cancel_order", {"order_id": "w1"}).tier == "normalised"
    assert session.call("get_order", ORDER).result == AFTER
    assert session.call("get_order", {"order_id": "w1"}).result == AFTER


def test_a_normalised_hit_without_evidence_is_not_served_as_one(orders):
    session = orders.session("shop")
    refused = session.call("get_order", {"order_id": "w1"})
    assert refused.tier == "unavailable" and "normalised hit" in refused.reason and "is below 0.8" in refused.reason
    assert session.call("cancel_order", {"order_id": "w1"}).tier == "unavailable" and session.state_unknown


def test_a_write_that_was_never_recorded_leaves_the_state_unknown(orders):
    session = orders.session("shop")
    assert session.call("cancel_order", {"order_id": "W1", "why": "x"}).tier == "unavailable"
    assert session.state_unknown
    capped = session.call("get_order", ORDER)
    assert (capped.tier, capped.p) == ("best_effort", 0.5) and "state_unknown" in capped.reason


def test_without_best_effort_nothing_is_served_in_an_unknown_state(orders):
    orders.lookup.settings = LookupSettings(best_effort=False)
    session = orders.session("shop")
    session.call("cancel_order", {"order_id": "W1", "why": "x"})
    refused = session.call("get_order", ORDER)
    assert refused.tier == "unavailable" and "state_unknown" in refused.reason


def test_an_unknown_write_about_other_ids_caps_nothing(orders):
    session = orders.session("shop")
    session.call("cancel_order", {"order_id": "W7"})
    assert session.call("get_order", ORDER).p > 0.9
    session.call("delete_all", {})
    assert session.call("get_order", ORDER).p == 0.5


def test_a_failed_write_leaves_the_state_as_it_was(make, compiled):
    failing = ("cancel_order", ORDER, "Error: already shipped")
    cache = compiled([make("one", [failing], [("get_order", ORDER, BEFORE)])])
    session = cache.session("shop")
    assert session.call("cancel_order", ORDER).failed
    assert not session.state_unknown
    assert session.call("get_order", ORDER).result == BEFORE


def test_outcomes_are_drawn_by_seed_and_stay(make, compiled):
    rows = [make(f"{n}", [("get_time", {}, f"{n % 3}")]) for n in range(30)]
    cache = compiled(rows)

    def ask(seed):
        return cache.session("shop", seed=seed).call("get_time", {})

    drawn = [ask(seed).result for seed in range(60)]
    assert drawn == [ask(seed).result for seed in range(60)]
    assert all(10 <= drawn.count(result) <= 30 for result in "012")
    answer = ask(0)
    assert [outcome.count for outcome in answer.outcomes] == [10, 10, 10]
    assert 0.25 < answer.p < 0.4 and "10 of 30" in answer.reason
    session = cache.session("shop", seed=5)
    assert session.call("get_time", {}).result == session.call("get_time", {}).result


def test_a_tool_that_disagrees_with_itself_is_volatile(make, compiled):
    rows = [
        make(f"{n}{trial}", [("get_quote", {"symbol": f"s{n}"}, f"{n} {trial}")], task_id=f"t{n}")
        for n in range(6)
        for trial in range(2)
    ]
    answer = compiled(rows).session("shop").call("get_quote", {"symbol": "s1"})
    assert answer.tier == "exact" and answer.p < 0.5 and "volatile" in answer.reason


def test_task_scope_by_the_users_word(make, compiled):
    rows = [make(task, [("read_file", {"path": "a"}, task)], task_id=task) for task in ("t1", "t2")]
    cache = compiled(rows, env_rules={"shop": {"scopes": {"read_file": "task"}}})
    assert cache.session("shop", task_id="t2").call("read_file", {"path": "a"}).result == "t2"
    for task_id in (None, "t9"):
        assert cache.session("shop", task_id=task_id).call("read_file", {"path": "a"}).tier == "unavailable"


def test_task_scope_where_the_data_demand_it(make, compiled):
    rows = [
        make(f"{task}{trial}", *([("read_file", {"path": f"f{n}"}, f"{task} {n}")] for n in range(6)), task_id=task)
        for task in ("t1", "t2")
        for trial in range(2)
    ]
    cache = compiled(rows)
    answer = cache.session("shop", task_id="t2").call("read_file", {"path": "f3"})
    assert (answer.tier, answer.result) == ("exact", "t2 3") and answer.p > 0.9
    assert "task_id" in cache.session("shop").call("read_file", {"path": "f3"}).reason


def test_fuzzy_needs_evidence_equal_ids_and_the_same_state(make, compiled):
    turns = [
        [("find_shop", {"query": f"{word} bakery", "city_id": "c1"}, "open")]
        for word in "a b c d e f g h i j k l m n".split()
    ]
    cache = compiled([make("one", *turns)])
    answer = cache.session("shop").call("find_shop", {"query": "new bakery", "city_id": "c1"})
    assert (answer.tier, answer.result) == ("fuzzy", "open") and 0.8 <= answer.p < 1
    assert cache.session("shop").call("find_shop", {"query": "a bakery", "city_id": "c2"}).tier == "unavailable"
    session = cache.session("shop")
    session.turn([("cancel_order", {"city_id": "c1"})])
    assert session.call("find_shop", {"query": "new bakery", "city_id": "c1"}).tier == "unavailable"


def test_best_effort_is_for_reads_that_no_id_decides(make, compiled):
    rows = [make("one", [("search_flight", {"origin": "JFK", "date": "2024-05-20"}, "[1]")], [CANCEL])]
    asked = ("search_flight", {"origin": "JFK", "date": "2024-05-21"})
    answer = compiled(rows).session("shop").call(*asked)
    assert (answer.tier, answer.result, answer.p) == ("best_effort", "[1]", 0)
    assert "date" in answer.reason
    strict = compiled(rows, settings=LookupSettings(best_effort=False))
    assert strict.session("shop").call(*asked).tier == "unavailable"
    assert compiled(rows).session("shop").call("cancel_order", {"order_id": "W3"}).tier == "unavailable"


def test_a_recorded_error_never_answers_another_call(make, compiled):
    cache = compiled([make("one", [("search_flight", {"origin": "XXX"}, "Error: no airport")])])
    assert cache.session("shop").call("search_flight", {"origin": "XXX"}).failed
    assert cache.session("shop").call("search_flight", {"origin": "JFK"}).tier == "unavailable"


def test_pure_and_terminal_calls_need_no_state(make, compiled, talk):
    rows = [make("one", [("calculate", {"expression": "1 + 1"}, "2.0")], [("transfer_to_human", {"why": "a"}, "ok")])]
    session = compiled(rows).session("shop", history=talk([("delete_all", {}, "ok")]))
    assert session.call("calculate", {"expression": "1 + 1"}).tier == "exact"
    assert session.call("calculate", {"expression": "1 + 2"}).tier == "unavailable"
    assert (session.call("transfer_to_human", {"why": "b"}).tier) == "best_effort"


def test_an_excluded_trajectory_is_not_seen(make, compiled):
    one, two = make("one", [("get_order", ORDER, "a")]), make("two", [("get_order", ORDER, "b")])
    cache = compiled([one, two])
    seen = cache.session("shop", exclude_trajectory=one["trajectory_id"]).call("get_order", ORDER)
    assert [outcome.result for outcome in seen.outcomes] == ["b"]
    alone = compiled([one]).session("shop", exclude_trajectory=one["trajectory_id"])
    assert alone.call("get_order", ORDER).tier == "unavailable"


def test_explain_says_which_field_cost_what_and_changes_nothing(orders):
    session = orders.session("shop")
    session.call("cancel_order", ORDER)
    text = str(session.explain("get_order", {"order_id": "W2"}))
    assert 'order_id (id) is "W2", recorded "W1", p 0.00' in text
    assert "recorded in another state" in text
    assert '["cancel_order"' in session.explain("get_order", ORDER).state
    assert session.explain("cancel_order", {"order_id": "W8"}).answer.tier == "unavailable"
    assert not session.state_unknown
    assert "no JSON object" in str(session.explain("get_order", "{broken"))


def test_explain_says_what_was_counted_and_why_nothing_is_fuzzy(make, compiled):
    words = "red blue green warm cheap old new fine big small".split()
    turns = [[("find", {"query": f"{word} hat", "page": 1}, f"{word} hat")] for word in words]
    session = compiled([make("one", *turns)]).session("shop")
    text = str(session.explain("find", {"query": "red cap " + "x" * 1_000, "page": 1}))
    assert "not fuzzy: the nearest call has p 0.0" in text and "at similarity 0." in text
    assert "from 45 pairs of calls that differ in it alone, 0 with equal results" in text
    assert max(map(len, text.splitlines())) < 500
    assert "not fuzzy: another number is another thing" in str(session.explain("find", {"query": "red hat", "page": 2}))
    assert "no successful call had this field" in str(session.explain("find", {"query": "red hat", "page": 1, "x": 0}))


def test_many_recorded_calls_are_narrowed_to_the_likest(make, compiled):
    turns = [[("find_shop", {"query": f"shop {n} street"}, f"r{n}")] for n in range(40)]
    cache = compiled([make("one", *turns)], settings=LookupSettings(max_candidates=5))
    assert cache.session("shop").call("find_shop", {"query": "shop 17 streets"}).result == "r17"


def test_p_of_another_call_counts_the_records_that_failed(make, compiled):
    calls = [
        [("find_shop", {"query": f"{word} bakery"}, "open")]
        for word in "a b c d e f g h i j k l m n o p q r s t u v".split()
    ]
    flaky = [[("find_shop", {"query": "new bakery"}, text)] for text in ("open", *["Error: try again"] * 9)]
    settings = LookupSettings(fuzzy_at=0)
    sound = compiled([make("one", *calls, flaky[0])], settings=settings)
    shaky = compiled([make("one", *calls, *flaky)], settings=settings)
    asked = ("find_shop", {"query": "new bakery!"})
    high, low = sound.session("shop").call(*asked), shaky.session("shop").call(*asked)
    assert high.result == low.result == "open" and high.matched_arguments == low.matched_arguments
    assert high.p > 0.8 and low.p <= 0.1
