"""What a hostile bill-payer tries: equal asks and signals, retries of what was given up, flags that contradict."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from curate.folder import DatasetFolder
from synth.asking.asker import Asker, Purse, RunStopped
from synth.asking.pacing import Pacer, TeacherDown
from synth.journal import Journal
from synth.ledger import Ledger
from synth.progress import RunProgress
from synth.settings import PaceSettings
from synth.teachers.asks import Ask, Reply
from tests.synth.asking.conftest import order
from tests.synth.asking.test_asker import GOOD, PRICE, FakeApi, _Nowhere, ask, journaled
from tests.synth.stub_teacher import Stub


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


def test_a_retry_that_fails_again_is_given_up_again_with_its_reason(orders, augment, tmp_path: Path) -> None:
    source, journal = orders(1), tmp_path / "journal"
    with Stub(tmp_path, faults=[{"fault": "400", "every": 1}]) as stub:
        flags = ["--teacher", "openai:stub-1", "--base-url", stub.url, "--journal", journal]
        assert augment(source, "--out", tmp_path / "one", *flags).returncode == 0
        asked = len(stub.requests())
        again = augment(source, "--out", tmp_path / "two", *flags, "--retry-failed")
        assert again.returncode == 0 and len(stub.requests()) == asked + 5, again.stderr
    reasons = DatasetFolder.open(tmp_path / "two").manifest.counts["without_thought"]
    assert reasons["given_up"] == 5 and "not_asked" not in reasons


def test_equal_turns_of_two_trajectories_are_each_decided_in_the_journal(
    write_curated, augment, message, trajectory, tmp_path: Path
) -> None:
    twin = {**order(message, trajectory, 1), "trajectory_id": f"{2:032x}", "content_hash": "another"}
    source = write_curated([order(message, trajectory, 1), twin], "orders")
    with Stub(tmp_path, "--latency-ms", "50") as stub:
        flags = ["--teacher", "openai:stub-1", "--base-url", stub.url]
        done = augment(source, "--out", tmp_path / "out", *flags)
        assert done.returncode == 0 and len(stub.requests()) == 5, done.stderr
    assert len({r["key"] for r in journaled(tmp_path / "out.thoughts") if r["t"] == "turn"}) == 10


def test_nobody_is_paid_before_it_is_known_that_out_can_be_written(orders, augment, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with Stub(tmp_path) as stub:
        flags = ["--teacher", "openai:stub-1", "--base-url", stub.url]
        for out in (tmp_path / "mine", tmp_path / "missing" / "out"):
            done = augment(
                orders(1) if not (tmp_path / "orders").exists() else tmp_path / "orders", "--out", out, *flags
            )
            assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
        assert stub.requests() == []


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--engine", "ray", "--budget-usd", 5], "--budget-usd"),
        (["--engine", "ray", "--limit", 5], "--limit"),
        (["--cancel-batches", "--dry-run"], "--cancel-batches"),
    ],
)
def test_flags_that_could_not_be_kept_are_refused(augment, tmp_path: Path, flags: list[Any], named: str) -> None:
    base = ["--teacher", "openai:stub-1", "--base-url", "http://127.0.0.1:9/v1"]
    refused = augment(tmp_path, "--out", tmp_path / "out", *base, *flags)
    assert refused.returncode == 2 and named in refused.stderr


def test_an_online_run_pays_for_nothing_that_an_open_batch_asks(orders, augment, tmp_path: Path) -> None:
    batch = {"t": "batch", "id": "b", "state": "intent", "batch_id": None, "keys": ["k"], "usd": 1.0, "most": 1.0}
    with Journal.open(tmp_path / "journal") as journal:
        journal.write_now({**batch, "at": "2026-01-01T00:00:00+00:00"})
    with Stub(tmp_path) as stub:
        flags = ["--teacher", "openai:stub-1", "--base-url", stub.url, "--journal", tmp_path / "journal"]
        done = augment(orders(1), "--out", tmp_path / "out", *flags)
        assert done.returncode == 2 and "--cancel-batches" in done.stderr and stub.requests() == []


def test_a_retry_that_succeeds_is_written(orders, augment, tmp_path: Path) -> None:
    source, flags = orders(3), ["--out", tmp_path / "out", "--teacher", "openai:stub-1"]
    with Stub(tmp_path, faults=[{"fault": "400", "at": [2, 5]}]) as stub:
        assert augment(source, *flags, "--base-url", stub.url).returncode == 0
    first = DatasetFolder.open(tmp_path / "out").manifest.counts
    assert first["without_thought"]["given_up"] == 2
    later = tmp_path / "later"
    later.mkdir()
    with Stub(later) as stub:
        same = augment(source, *flags, "--base-url", stub.url)
        assert "up to date" in same.stderr and not stub.requests()
        done = augment(source, *flags, "--base-url", stub.url, "--retry-failed", "--overwrite")
        assert done.returncode == 0 and len(stub.requests()) == 2, done.stderr
    assert "given_up" not in DatasetFolder.open(tmp_path / "out").manifest.counts["without_thought"]
