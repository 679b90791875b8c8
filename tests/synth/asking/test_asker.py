"""Asks with an API that answers from this process: what is noted when, what is spent, what is sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from synth.asking.asker import Asker, Purse, RunStopped
from synth.asking.pacing import Pacer
from synth.journal import Journal
from synth.ledger import Ledger
from synth.money import dollars
from synth.prices import Price
from synth.progress import RunProgress
from synth.settings import PaceSettings
from synth.teachers.asks import Ask, Reply, Usage

GOOD = Reply("ok", "ok", text="Because.", usage=Usage(100, 10), model="m")
PRICE = Price("m", input=Decimal(1), write_5m=Decimal(1), output=Decimal(10), source="here")


class FakeApi:
    """Answers by a function of (ask, how often it was sent)."""

    name = "openai:fake"

    def __init__(self, answer: Callable[[Ask, int], Reply]) -> None:
        self.answer = answer
        self.sent: list[str] = []
        self.most = self.now = 0

    async def call(self, ask: Ask) -> Reply:
        self.sent.append(ask.key)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        return self.answer(ask, self.sent.count(ask.key))


def ask(number: int) -> Ask:
    return Ask(f"k{number:040x}", {"model": "m", "messages": [{"role": "user", "content": f"why {number}"}]})


class Bench:
    """One run over some asks."""

    def __init__(self, folder: Path, api: FakeApi, cap: float | None = None, **pace: Any) -> None:
        self.folder, self.api, self.cap = folder, api, cap
        self.pace = PaceSettings(**{"concurrency": 4, **pace})
        self.decided: list[dict[str, Any]] = []
        self.spent = 0

    def run(self, asks: list[Ask], workers: int = 6) -> None:
        with Journal.open(self.folder) as journal, RunProgress("json", len(asks), stream=_Nowhere()) as progress:
            asyncio.run(self._run(asks, workers, journal, progress))

    async def _run(self, asks: list[Ask], workers: int, journal: Journal, progress: RunProgress) -> None:
        ledger = Ledger(self.cap, journal.account)
        asker = Asker(self.api, journal, Purse(ledger, PRICE, 100), Pacer(self.pace), progress, self.pace.max_tries)
        left = iter(asks)

        async def worker() -> None:
            for one in left:
                if journal.reply(one.key) is None:
                    await asker.ask(one, 1, lambda reply: self.decided.append(reply) or [])

        try:
            await asker.run([worker] * workers)
        finally:
            self.spent = ledger.total
            self.asker = asker


class _Nowhere:
    def write(self, text: str) -> None: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool:
        return False


def journaled(folder: Path) -> list[dict[str, Any]]:
    import json

    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_every_send_is_noted_before_and_after_and_nothing_is_sent_again(tmp_path: Path) -> None:
    api = FakeApi(lambda ask, times: GOOD)
    bench = Bench(tmp_path / "j", api)
    bench.run([ask(n) for n in range(40)])
    records = journaled(tmp_path / "j")
    sent = [r["id"] for r in records if r["t"] == "sent"]
    replies = [r["id"] for r in records if r["t"] == "reply"]
    assert len(sent) == len(set(sent)) == 40 and sorted(sent) == sorted(replies)
    assert api.most <= 4
    assert dollars(bench.spent) == pytest.approx(40 * (100 + 10 * 10) / 1e6)
    bench.run([ask(n) for n in range(40)])
    assert len(api.sent) == 40


def test_equal_asks_under_way_together_are_sent_once(tmp_path: Path) -> None:
    api = FakeApi(lambda ask, times: GOOD)
    bench = Bench(tmp_path / "j", api)
    bench.run([ask(1)] * 12)
    assert len(api.sent) == 1 and len(bench.decided) == 1


def test_what_may_pass_is_tried_again_and_given_up_in_the_end(tmp_path: Path) -> None:
    def answer(ask: Ask, times: int) -> Reply:
        if ask.key.endswith("1"):
            return Reply("again", "server_error", billed="nothing")
        return GOOD if times > 2 else Reply("again", "connection_lost", billed="unknown")

    bench = Bench(tmp_path / "j", FakeApi(answer), max_tries=3)
    bench.run([ask(1), ask(2)])
    assert sorted((r["kind"], r["code"]) for r in bench.decided) == [("again", "server_error"), ("ok", "ok")]
    lost = [r for r in journaled(tmp_path / "j") if r["t"] == "reply" and r["code"] == "connection_lost"]
    assert len(lost) == 2 and all(r["usd"] > 0 for r in lost), "a lost answer may have been paid for"


@pytest.mark.parametrize("code", ["insufficient_quota", "bad_key"])
def test_a_refusal_of_all_stops_the_run_and_keeps_what_was_on_its_way(tmp_path: Path, code: str) -> None:
    def answer(ask: Ask, times: int) -> Reply:
        return Reply("run", code, billed="nothing", detail="no more") if ask.key.endswith("5") else GOOD

    api = FakeApi(answer)
    bench = Bench(tmp_path / "j", api)
    with pytest.raises(RunStopped, match=rf"{code}.*no more.*kept"):
        bench.run([ask(n) for n in range(1, 60)])
    records = journaled(tmp_path / "j")
    assert len(api.sent) == sum(r["t"] == "sent" for r in records) == sum(r["t"] == "reply" for r in records) < 20


def test_the_cap_holds_to_the_cent_over_restarts(tmp_path: Path) -> None:
    api = FakeApi(lambda ask, times: GOOD)
    cap = 0.0105
    for _ in range(3):
        bench = Bench(tmp_path / "j", api, cap=cap)
        with pytest.raises(RunStopped, match="budget"):
            bench.run([ask(n) for n in range(1, 500)])
        assert dollars(bench.spent) <= cap
    assert len(api.sent) >= 40, "money set aside comes back"
    assert len(api.sent) == len(set(api.sent))


def test_a_budget_that_allows_nothing_sends_nothing(tmp_path: Path) -> None:
    api = FakeApi(lambda ask, times: GOOD)
    with pytest.raises(RunStopped, match="budget"):
        Bench(tmp_path / "j", api, cap=0.0).run([ask(1)])
    assert api.sent == []


def test_an_error_of_ours_is_not_hidden(tmp_path: Path) -> None:
    def answer(ask: Ask, times: int) -> Reply:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Bench(tmp_path / "j", FakeApi(answer)).run([ask(n) for n in range(9)])
