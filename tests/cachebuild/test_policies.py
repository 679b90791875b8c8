import pytest

from cachebuild.lookup import LookupSettings
from cachebuild.policies import ToolPolicy, read_policies
from curate.errors import UsageError

ORDER = {"order_id": "W1"}


@pytest.fixture
def quotes(make, compiled):
    """A volatile tool whose key was recorded with results a (3 times), b and c, and an order that is cancelled."""

    def build(**settings):
        calls = [[("get_quote", {"symbol": "S", "order_id": "W1"}, text)] for text in "aaabc"]
        others = [
            make(f"{n}{trial}", [("get_quote", {"symbol": f"s{n}"}, f"{n} {trial}")], task_id=f"t{n}")
            for n in range(6)
            for trial in range(2)
        ]
        cancel = make("w", [("cancel_order", ORDER, "ok")], [("get_quote", {"symbol": "S", "order_id": "W1"}, "late")])
        rows = [make("one", *calls), *others, cancel]
        return compiled(rows, settings=LookupSettings(**settings))

    return build


ASKED = ("get_quote", {"symbol": "S", "order_id": "W1"})


def test_rollouts_of_a_group_share_outcomes_by_seed_or_vary(quotes):
    cache = quotes()

    def ask(seed):
        return cache.session("shop", seed=seed).call(*ASKED).result

    assert len({ask(7) for _ in range(8)}) == 1
    varied = [ask(seed) for seed in range(200)]
    assert {"a", "b", "c"} == set(varied)
    assert 90 <= varied.count("a") <= 150


def test_a_volatile_tool_may_always_give_its_commonest_result(quotes):
    cache = quotes(volatile="commonest")
    answers = [cache.session("shop", seed=seed).call(*ASKED) for seed in range(30)]
    assert {answer.result for answer in answers} == {"a"}
    assert "the commonest is served" in answers[0].reason and 0.4 < answers[0].p < 0.6


def test_a_volatile_tools_first_answer_may_stand_for_the_session(quotes):
    drawn, frozen = quotes().session("shop", seed=3), quotes(volatile="session").session("shop", seed=3)
    first = frozen.call(*ASKED)
    for session in (drawn, frozen):
        assert session.call("cancel_order", ORDER).tier == "exact"
    assert drawn.call(*ASKED).result == "late"
    assert frozen.call(*ASKED) == first
    assert frozen.explain(*ASKED).answer == first


def test_a_policy_says_which_tiers_may_answer_and_from_which_p(make, compiled):
    rows = [
        make("one", [("search_flight", {"from": "JFK"}, "[1]")], [("cancel_order", ORDER, "ok")]),
        make("two", [("get_order", ORDER, "a")]),
        make("three", [("get_order", ORDER, "b")]),
    ]

    def session(*policies):
        return compiled(rows, settings=LookupSettings(policies=policies)).session("shop")

    near, equal = ("search_flight", {"from": "LAX"}), ("get_order", ORDER)
    assert session().call(*near).tier == "best_effort"
    assert session("search_flight=exact").call(*near).tier == "unavailable"
    assert session("search_flight=exact").call("search_flight", {"from": "JFK"}).tier == "exact"
    assert session("*=exact", "search_flight=exact,fuzzy,best_effort").call(*near).tier == "best_effort"
    low = session("get_order=@.9").call(*equal)
    assert low.tier == "unavailable" and "below 0.9, the tool's lowest" in low.reason
    assert session("get_order=exact@.1").call(*equal).tier == "best_effort"
    assert session("get_order=none").call(*equal).tier == "unavailable"
    assert session("*=@.9").call(*equal).tier == "unavailable"


def test_two_envs_of_one_cache_may_have_other_policies(make, compiled, capsys):
    rows = [make(env, [("get_order", ORDER, env), ("a/b.c", ORDER, env)], env_id=env) for env in ("shop", "desk/2")]

    def tiers(*policies):
        cache = compiled(rows, settings=LookupSettings(policies=policies))
        return [
            cache.session(env).call(tool, ORDER).tier for env in ("shop", "desk/2") for tool in ("get_order", "a/b.c")
        ]

    assert tiers() == ["exact"] * 4
    assert tiers("shop/get_order=none") == ["unavailable", "exact", "exact", "exact"]
    assert tiers("desk/2/a/b.c=none") == ["exact", "exact", "exact", "unavailable"]
    assert tiers("a/b.c=none", "shop/a/b.c=exact") == ["exact", "exact", "exact", "unavailable"]
    assert tiers("shop/*=none", "*=exact") == ["unavailable", "unavailable", "exact", "exact"]
    assert tiers("desk/2/*=none", "get_order=exact") == ["exact", "exact", "exact", "unavailable"]
    assert "note" not in capsys.readouterr().err
    tiers("shop/cancel=none")
    assert "names 'shop/cancel', of which the cache has no call" in capsys.readouterr().err


def test_no_policy_lets_a_write_answer_for_another_write(make, compiled):
    cache = compiled(
        [make("one", [("cancel_order", ORDER, "ok")])],
        settings=LookupSettings(policies=("cancel_order=exact,fuzzy,best_effort",)),
    )
    assert cache.session("shop").call("cancel_order", {"order_id": "W2"}).tier == "unavailable"


def test_a_policy_about_an_unknown_tool_is_named(make, compiled, capsys):
    compiled([make("one", [("get_order", ORDER, "a")])], settings=LookupSettings(policies=("get_oder=exact", "*=@.1")))
    assert "--policies names 'get_oder', of which the cache has no call" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("get_order", "must read TOOL=TIER"),
        ("=exact", "must read TOOL=TIER"),
        ("get_order=", "must read TOOL=TIER"),
        ("get_order=exactly", "no tier 'exactly'"),
        ("get_order=none,exact", "no tier 'none'"),
        ("get_order=unavailable", "no tier 'unavailable'"),
        ("get_order=exact,best_effort", "name both"),
        ("get_order=exact@high", "'high' behind the @ is no number"),
        ("get_order=@1.5", "between 0 and 1"),
        ("get_order=@nan", "between 0 and 1"),
    ],
)
def test_wrong_policies_are_refused(word, said):
    with pytest.raises(UsageError, match=said):
        LookupSettings(policies=(word,)).check()


def test_policies_are_read_from_text():
    assert read_policies(["a=b=exact, fuzzy@.5", "c=@1"]) == {
        "a=b": ToolPolicy(frozenset(("exact", "fuzzy")), 0.5),
        "c": ToolPolicy(None, 1.0),
    }
    with pytest.raises(UsageError, match="names a twice"):
        read_policies(["a=exact", "a=fuzzy"])


def test_explain_says_what_was_recorded_and_what_may_answer(quotes):
    text = str(quotes(policies=("get_quote=exact@.1",)).session("shop", seed=1).explain(*ASKED))
    assert "a read tool, volatile; may answer: exact, from p 0.1 on" in text
    assert "3 records, first in" in text and text.count("also recorded: 1 record, first in") >= 1
    assert "message 0: 'a'" in text and text.count("served: ") == 1
    miss = str(quotes(best_effort=False).session("shop").explain("get_quote", {"symbol": "S", "order_id": "W2"}))
    assert miss.startswith("unavailable") and 'order_id (id) is "W2", recorded "W1", p 0.00' in miss
