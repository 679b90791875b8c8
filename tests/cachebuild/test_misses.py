import asyncio
import threading
import time

import pytest

from cachebuild.answer import TIERS, is_unavailable
from cachebuild.coalesce import Coalescer
from cachebuild.misses import Live, Simulator
from cachebuild.tiers import HEADERS
from curate.palette import TIER_COLORS

ORDER, OTHER = {"order_id": "W1"}, {"order_id": "W2"}


@pytest.fixture
def cache(make, compiled):
    return compiled([make("one", [("get_order", ORDER, "open")], [("cancel_order", ORDER, "done")])])


def test_simulated_is_the_worst_tier_and_stands_in_every_table():
    assert TIERS[-2:] == ("unavailable", "simulated")
    assert set(TIERS) <= TIER_COLORS.keys()
    assert "exact %" in HEADERS and "simulated %" in HEADERS


def test_reads_go_live_where_the_cache_has_nothing_and_writes_always(cache):
    asked = []

    def live(tool, arguments):
        asked.append((tool, arguments))
        return f"live {tool}"

    session = cache.session("shop", misses=Live(live))
    hit, miss = session.call("get_order", ORDER), session.call("get_order", OTHER)
    assert (hit.result, hit.origin) == ("open", "cache")
    assert (miss.result, miss.tier, miss.p, miss.origin) == ("live get_order", "exact", 1.0, "live")
    written = session.call("cancel_order", ORDER)
    assert written.result == "live cancel_order" and not session.state_unknown
    assert session.call("get_order", ORDER).origin == "live", "the state behind the write was never recorded"
    assert asked == [("get_order", OTHER), ("cancel_order", ORDER), ("get_order", ORDER)]
    assert session.call("get_order", "{broken").tier == "unavailable"
    assert session.call("new_tool", {}).origin == "live"


def test_a_failed_live_write_changes_nothing(cache):
    session = cache.session("shop", misses=Live(lambda tool, arguments: "Error: shipped"))
    assert session.call("cancel_order", ORDER).failed
    assert session.call("get_order", ORDER).result == "open" and not session.state_unknown


def test_reads_of_a_turn_go_live_before_its_writes(cache):
    asked = []
    session = cache.session("shop", misses=Live(lambda tool, arguments: asked.append(tool) or "x"))
    session.turn([("cancel_order", OTHER), ("get_order", OTHER)])
    assert asked == ["get_order", "cancel_order"]


def test_an_exception_of_the_live_tool_is_passed_on_and_a_write_is_in_doubt(cache):
    def live(tool, arguments):
        raise ConnectionError("gone")

    session = cache.session("shop", misses=Live(live))
    with pytest.raises(ConnectionError):
        session.call("get_order", OTHER)
    assert not session.state_unknown
    with pytest.raises(ConnectionError):
        session.call("cancel_order", ORDER)
    assert session.state_unknown and session.call("get_order", ORDER).p == 0.5


def test_a_live_tool_must_give_text(cache):
    async def later(tool, arguments):
        return "x"

    for live, said in (lambda tool, arguments: {"a": 1}, "gave dict"), (later, "call_async"):
        with pytest.raises(TypeError, match=said):
            cache.session("shop", misses=Live(live)).call("get_order", OTHER)


def in_threads(number, work):
    results = [None] * number

    def one(at):
        try:
            results[at] = work()
        except Exception as error:
            results[at] = error

    threads = [threading.Thread(target=one, args=(at,)) for at in range(number)]
    return threads, results


@pytest.mark.parametrize("fails", [False, True])
def test_equal_reads_at_once_are_one_live_call_between_threads(cache, fails):
    go, begun, calls = threading.Event(), threading.Event(), []

    def live(tool, arguments):
        calls.append(tool)
        begun.set()
        assert go.wait(60)
        if fails:
            raise ConnectionError("gone")
        return "told"

    misses = Live(live)
    first, one = in_threads(1, lambda: cache.session("shop", misses=misses).call("get_order", OTHER))
    first[0].start()
    assert begun.wait(60)
    waiting, others = in_threads(5, lambda: cache.session("shop", misses=misses).call("get_order", OTHER))
    for thread in waiting:
        thread.start()
    while any(thread.is_alive() for thread in waiting) and not _all_wait(misses, 5):
        time.sleep(0.001)
    go.set()
    for thread in (*first, *waiting):
        thread.join()
    if fails:
        assert all(isinstance(result, ConnectionError) for result in (*one, *others))
    else:
        assert {answer.result for answer in (*one, *others)} == {"told"}
        assert [answer.origin for answer in others] == ["joined"] * 5
    assert len(calls) == 1


def _all_wait(misses, number):
    going = list(misses._under_way._calls.values())
    return bool(going) and len(going[0].result._condition._waiters) >= number


@pytest.mark.parametrize("fails", [False, True])
def test_equal_reads_at_once_are_one_live_call_on_an_event_loop(cache, fails):
    calls = []

    async def live(tool, arguments):
        calls.append(tool)
        await asyncio.sleep(0.05)
        if fails:
            raise ConnectionError("gone")
        return "told"

    async def main():
        misses = Live(live)
        asked = [cache.session("shop", misses=misses).call_async("get_order", OTHER) for _ in range(6)]
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(main())
    assert len(calls) == 1
    if fails:
        assert all(isinstance(answer, ConnectionError) for answer in answers)
    else:
        assert sorted(answer.origin for answer in answers) == ["joined"] * 5 + ["live"]
    calls.clear()
    with pytest.raises(ConnectionError) if fails else _nothing():
        asyncio.run(cache.session("shop", misses=Live(live)).call_async("get_order", OTHER))
    assert len(calls) == 1


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


def test_writes_are_never_shared(cache):
    calls = []

    async def live(tool, arguments):
        calls.append(tool)
        await asyncio.sleep(0)
        return "ok"

    async def main():
        misses = Live(live)
        await asyncio.gather(*(cache.session("shop", misses=misses).call_async("cancel_order", ORDER) for _ in "abc"))

    asyncio.run(main())
    assert len(calls) == 3


def test_one_who_is_cancelled_leaves_the_call_to_the_others():
    async def main():
        shared, begun = Coalescer(), asyncio.Event()

        async def slow():
            begun.set()
            await asyncio.sleep(0.05)
            return 5

        first = asyncio.ensure_future(shared.run_async("k", slow))
        await begun.wait()
        second = asyncio.ensure_future(shared.run_async("k", slow))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(main()) == (5, True)


def test_a_simulator_sees_schema_similar_calls_and_history_and_its_answer_is_marked(cache, talk):
    seen = []

    def guess(about):
        seen.append(about)
        return '{"status": "open"}'

    schema = {"name": "get_order", "parameters": {"type": "object"}}
    misses = Simulator(guess, {"get_order": schema})
    session = cache.session("shop", history=talk("hi"), misses=misses)
    assert session.call("get_order", ORDER).origin == "cache" and not seen
    answer = session.call("get_order", OTHER)
    assert (answer.tier, answer.p, answer.origin) == ("simulated", 0.0, "simulator")
    assert answer.reason.startswith("simulated, for no equal call")
    about = seen[0]
    assert (about.schema, about.arguments) == (schema, '{"order_id":"W2"}')
    assert [(call.arguments, call.result) for call in about.similar] == [('{"order_id":"W1"}', "open")]
    assert [message["role"] for message in about.history] == ["user", "assistant", "tool"]
    assert session.call("cancel_order", OTHER).tier == "simulated" and session.state_unknown


def test_a_simulator_without_an_answer_leaves_the_call_unavailable(cache):
    answer = cache.session("shop", misses=Simulator(lambda about: None)).call("get_order", OTHER)
    assert answer.tier == "unavailable" and is_unavailable(answer.result)
    assert "the simulator had no answer" in answer.reason
