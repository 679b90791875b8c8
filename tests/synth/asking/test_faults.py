"""What a hostile bill-payer tries: equal asks and signals, retries of what was given up, flags that contradict."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from synth.asking.asker import Asker, Purse, RunStopped
from synth.asking.pacing import Pacer, TeacherDown
from synth.journal import Journal
from synth.ledger import Ledger
from synth.progress import RunProgress
from synth.settings import PaceSettings
from synth.teachers.asks import Ask, Reply
from tests.synth.asking.test_asker import GOOD, PRICE, FakeApi, _Nowhere, ask, journaled


def run_workers(folder: Path, api: FakeApi, scene: Any, cap: float | None = None, **pace: Any) -> Ledger:
    """Run `scene(asker)`'s workers; returns the ledger."""
    settings = PaceSettings(**{"concurrency": 4, **pace})

    async def go(journal: Journal, progress: RunProgress) -> Ledger:
        ledger = Ledger(cap, journal.account)
        asker = Asker(api, journal, Purse(ledger, PRICE, 100), Pacer(settings), progress, settings.max_tries)
        await asker.run(scene(asker))
        return ledger

    with Journal.open(folder) as journal, RunProgress("json", 1, stream=_Nowhere()) as progress:
        return asyncio.run(asyncio.wait_for(go(journal, progress), 60))


class SlowApi(FakeApi):
    """Answers after a while."""

    async def call(self, ask: Ask) -> Reply:
        await asyncio.sleep(0.3)
        return await super().call(ask)


def test_a_stop_while_equal_asks_wait_loses_no_answer(tmp_path: Path) -> None:
    api = SlowApi(lambda ask, times: GOOD)

    def scene(asker: Asker) -> list[Any]:
        async def worker() -> None:
            await asker.ask(ask(1), 1, lambda reply: [])

        async def other() -> None:
            await asker.ask(ask(2), 1, lambda reply: [])

        async def stopper() -> None:
            await asyncio.sleep(0.1)
            asker.stop(RunStopped("enough"))

        return [worker, worker, worker, other, stopper]

    with pytest.raises(RunStopped, match="enough"):
        run_workers(tmp_path / "j", api, scene)
    assert sorted(r["kind"] for r in journaled(tmp_path / "j") if r["t"] == "reply") == ["ok", "ok"]


def test_an_error_in_one_worker_keeps_the_answers_on_their_way(tmp_path: Path) -> None:
    api = SlowApi(lambda ask, times: GOOD)

    def scene(asker: Asker) -> list[Any]:
        async def worker() -> None:
            await asker.ask(ask(1), 1, lambda reply: [])

        async def broken() -> None:
            await asyncio.sleep(0.1)
            raise ZeroDivisionError

        return [worker, broken]

    with pytest.raises(ZeroDivisionError):
        run_workers(tmp_path / "j", api, scene)
    assert [r["kind"] for r in journaled(tmp_path / "j") if r["t"] == "reply"] == ["ok"]


def test_a_stop_during_a_long_pause_does_not_wait_for_it(tmp_path: Path) -> None:
    api = SlowApi(lambda ask, times: Reply("again", "rate_limited", billed="nothing", wait=500.0))

    def scene(asker: Asker) -> list[Any]:
        async def worker() -> None:
            await asker.ask(ask(1), 1, lambda reply: [])

        async def stopper() -> None:
            await asyncio.sleep(0.1)
            asker.stop(RunStopped("enough"))

        return [worker, stopper]

    async def within() -> None:
        await asyncio.wait_for(asyncio.to_thread(run_workers, tmp_path / "j", api, scene), 10)

    with pytest.raises(RunStopped, match="enough"):
        asyncio.run(within())


def test_money_held_by_an_open_batch_does_not_make_a_run_wait_for_ever(tmp_path: Path) -> None:
    worst = PRICE.worst(11, 100)
    batch = {"t": "batch", "id": "b", "state": "intent", "batch_id": None, "keys": ["k"], "at": "2026-01-01T00:00:00"}
    with Journal.open(tmp_path / "j") as journal:
        journal.write_now({**batch, "usd": 10 * worst / 1e9, "most": worst / 1e9})

    def scene(asker: Asker) -> list[Any]:
        async def worker(number: int) -> None:
            await asker.ask(ask(number), 1, lambda reply: [])

        return [lambda: worker(1), lambda: worker(2)]

    with pytest.raises(RunStopped, match="budget"):
        run_workers(tmp_path / "j", SlowApi(lambda ask, times: GOOD), scene, cap=11.05 * worst / 1e9)


def test_reading_a_long_journal_is_no_silence_of_the_teacher() -> None:
    async def scene() -> None:
        clock = [0.0]
        pacer = Pacer(PaceSettings(give_up_s=60), lambda: clock[0])
        clock[0] = 500.0
        async with pacer.slot():
            pacer.failed(Reply("again", "server_error"), clock[0])
            clock[0] = 561.0
            with pytest.raises(TeacherDown):
                pacer.failed(Reply("again", "server_error"), clock[0])

    asyncio.run(scene())
