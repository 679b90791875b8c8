"""The batches of both vendors over TCP, through their SDKs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.teachers.asks import Ask, BatchApi, BatchError, Reply
from synth.teachers.batching import BrokenLines, batch_error, json_lines, make_batches
from synth.teachers.hiding import Hider
from tests.synth.batch_bench import KEY, api_of, ask
from tests.synth.stub_teacher import Stub

Work = Callable[[BatchApi], Any]
Server = Callable[..., Callable[[Work], Any]]


@pytest.fixture(params=["openai", "anthropic"])
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor in turn."""
    return str(request.param)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Starts a stub with these faults; what it gives does something with its batches."""
    stubs: list[Stub] = []

    def begin(vendor: str, **faults: Any) -> Callable[[Work], Any]:
        flags = ["--state-dir", str(tmp_path / "vendor"), "--batch-faults", json.dumps(faults), "--key", KEY]
        stubs.append(Stub(tmp_path, *flags))

        async def inside(work: Work) -> Any:
            batches = make_batches(api_of(vendor, stubs[-1].host))
            vars(batches)["_search_s"] = 0.02
            try:
                return await work(batches)
            finally:
                await batches.close()

        return lambda work: asyncio.run(inside(work))

    yield begin
    for stub in stubs:
        stub.close()


async def ended(batches: BatchApi, batch_id: str) -> None:
    """Wait for its end."""
    while not (await batches.state(batch_id)).ended:
        await asyncio.sleep(0.02)


async def everything(batches: BatchApi, batch_id: str) -> dict[str, Reply]:
    """All results."""
    return {key: reply async for key, reply in batches.results(batch_id)}


def test_round_trip_with_all_that_a_text_may_hold(server: Server, vendor: str) -> None:
    asks = [ask(1, "a\u2028b\u0085c \ud800 \r\n\x00"), ask(2, "\u00e9" * 1000)]

    async def work(batches: BatchApi) -> dict[str, Reply]:
        name = await batches.create(asks, "tag")
        state = await batches.state(name)
        assert state.total == 2
        await ended(batches, name)
        return await everything(batches, name)

    replies = server(vendor)(work)
    assert set(replies) == {each.key for each in asks}
    assert all(reply.kind == "ok" and reply.text and reply.usage for reply in replies.values())


def test_size_bounds_what_is_sent(server: Server, vendor: str) -> None:
    asks = [ask(number, '\u00e9\n"' * number) for number in range(50)]

    async def work(batches: BatchApi) -> tuple[int, int]:
        small, large = batches.size(asks[0]), sum(map(batches.size, asks))
        return small, large

    small, large = server(vendor)(work)
    assert small >= len(json.dumps(asks[0].body, separators=(",", ":")))
    assert large >= sum(len(json.dumps(each.body, ensure_ascii=False, separators=(",", ":")).encode()) for each in asks)


def test_batch_is_found_among_many_by_what_it_is(server: Server, vendor: str) -> None:
    async def work(batches: BatchApi) -> None:
        since = time.time()
        names = {}
        for number in range(130):  # more than a page
            asks = [ask(2 * number), ask(2 * number + 1)]
            names[f"tag-{number}"] = (await batches.create(asks, f"tag-{number}"), frozenset(a.key for a in asks))
        for tag in ("tag-3", "tag-129"):
            name, keys = names[tag]
            assert await batches.find(tag, keys, since) == name
        assert await batches.find("none", frozenset({ask(999).key, ask(998).key}), since) is None

    server(vendor)(work)


def test_anthropic_waits_for_a_batch_that_may_be_the_one(server: Server) -> None:
    async def work(batches: BatchApi) -> None:
        since = time.time()
        name = await batches.create([ask(1), ask(2)], "ours")
        other = await batches.create([ask(3), ask(4)], "other")
        keys = frozenset({ask(1).key, ask(2).key})
        assert await batches.find("ours", keys, since) == name
        assert await batches.find("ours", keys, since, frozenset({name, other})) is None

    server("anthropic", seconds=0.3)(work)


def test_results_of_expired_and_cancelled_batches(server: Server, vendor: str) -> None:
    asks = [ask(number) for number in range(10)]

    async def work(batches: BatchApi) -> tuple[dict[str, Reply], dict[str, Reply]]:
        expired = await batches.create(asks, "a")
        await ended(batches, expired)
        cancelled = await batches.create(asks, "b")
        await batches.cancel(cancelled)
        await ended(batches, cancelled)
        return await everything(batches, expired), await everything(batches, cancelled)

    for replies in server(vendor, seconds=0.2, expired=[0], part=0.3)(work):
        kinds = [reply.kind for reply in replies.values()]
        assert (kinds.count("ok"), kinds.count("again")) == (3, 7)
        assert all(reply.billed == "nothing" for reply in replies.values() if reply.kind == "again")


def test_refused_batch_says_why(server: Server) -> None:
    async def work(batches: BatchApi) -> Any:
        return await batches.state(await batches.create([ask(1)], "a"))

    state = server("openai", failed={"0": "token_limit_exceeded"})(work)
    assert (state.ended, state.problem) == (True, "token_limit_exceeded")


def test_broken_lines_are_counted_after_the_good_ones(server: Server, vendor: str) -> None:
    asks = [ask(number) for number in range(9)]

    async def work(batches: BatchApi) -> None:
        name = await batches.create(asks, "a")
        await ended(batches, name)
        got = []
        with pytest.raises(BrokenLines) as broken:
            async with aclosing(batches.results(name)) as results:  # type: ignore[type-var]
                async for key, _ in results:
                    got.append(key)
        assert (len(got), broken.value.count) == (8, 1)

    server(vendor, broken=1)(work)


@pytest.mark.parametrize(
    ("faults", "kind", "billed"),
    [
        ({"lost_creates": [0]}, "again", "unknown"),
        ({"refused_creates": {"0": 500}}, "again", "unknown"),
        ({"refused_creates": {"0": 429}}, "again", "nothing"),
        ({"refused_creates": {"0": 401}}, "run", "nothing"),
        ({"refused_creates": {"0": 400}}, "item", "nothing"),
    ],
)
def test_failed_creation_says_whether_it_may_have_been_made(
    server: Server, vendor: str, faults: dict[str, Any], kind: str, billed: str
) -> None:
    async def work(batches: BatchApi) -> None:
        for _ in range(1 if "refused_creates" in faults else 2):
            with pytest.raises(BatchError) as failed:
                await batches.create([ask(1)], "a")
        assert (failed.value.reply.kind, failed.value.reply.billed) == (kind, billed)

    server(vendor, **{**faults, **({"lost_creates": [0, 1]} if "lost_creates" in faults else {})})(work)


def test_key_is_in_no_error(vendor: str) -> None:
    request = httpx2.Request("POST", "http://127.0.0.1", headers={"authorization": f"Bearer {KEY}"})
    response = httpx2.Response(400, request=request, json={"error": {"message": f"bad {KEY}"}})
    error = httpx2.HTTPStatusError(f"no {KEY}", request=request, response=response)
    vars(error)["body"] = {"message": f"the key {KEY} is bad"}
    assert KEY not in str(batch_error(error, Hider(KEY)))
    assert KEY not in repr(batch_error(ValueError(KEY), Hider(KEY)))


@given(st.lists(st.text(max_size=30), max_size=8), st.integers(1, 7))
def test_lines_are_the_same_however_they_arrive(texts: list[str], size: int) -> None:
    lines = [{"custom_id": str(at), "text": text} for at, text in enumerate(texts)]
    data = b"".join(json.dumps(line, ensure_ascii=False).encode("utf-8") + b"\n" for line in lines)

    async def chunks() -> Any:
        for at in range(0, len(data), size):
            yield data[at : at + size]

    async def read() -> list[Any]:
        return [line async for line in json_lines(chunks(), 5.0)]

    assert asyncio.run(read()) == lines


def test_ask_is_not_changed_on_its_way(server: Server, vendor: str) -> None:
    one = Ask("k1", {**ask(1).body})
    before = json.dumps(one.body)

    async def work(batches: BatchApi) -> None:
        await batches.create([one], "a")

    server(vendor)(work)
    assert json.dumps(one.body) == before
