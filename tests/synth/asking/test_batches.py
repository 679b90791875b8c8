"""Rounds of batches against the stub of both vendors: each ask answered once and paid once, whatever happens."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from synth.asking.asker import RunStopped
from synth.journal.folder import Journal
from synth.money import dollars
from tests.synth import batch_bench
from tests.synth.batch_bench import Bench, ask
from tests.synth.stub_teacher import Stub

VENDORS = ("openai", "anthropic")
Start = Callable[..., Bench]


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor in turn."""
    return str(request.param)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a stub with these faults and gives a bench on it."""
    stubs: list[Stub] = []

    def begin(vendor: str, count: int = 40, faults: dict[str, Any] | None = None, **more: Any) -> Bench:
        flags = ["--state-dir", str(tmp_path / "vendor"), "--batch-faults", json.dumps(faults or {})]
        stubs.append(Stub(tmp_path, *flags, "--key", batch_bench.KEY))
        asks = more.pop("asks", None) or [ask(number) for number in range(count)]
        return Bench(tmp_path / "journal", vendor, stubs[-1].host, asks, **more)

    yield begin
    for stub in stubs:
        stub.close()


def done(bench: Bench) -> Counter[str]:
    """How often the vendor did each ask."""
    path = bench.folder.parent / "vendor" / "done.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter(json.loads(line)["key"] for line in lines)


def check_books(bench: Bench) -> None:
    """Every ask has one answer and was done once; the journal's sums are those of its answers."""
    answers = [record for record in bench.records("reply") if record["kind"] in ("ok", "poor", "item")]
    assert sorted(record["key"] for record in answers) == sorted(ask.key for ask in bench.asks)
    assert set(done(bench).values()) <= {1}
    with Journal.open(bench.folder) as journal:
        assert journal.account.batches == {}
        total = sum(record["usd"] for record in bench.records("reply"))
        assert dollars(journal.account.spent) == pytest.approx(total)
    assert bench.ledger is not None
    assert bench.ledger.reserved == 0
    assert dollars(bench.ledger.spent) == pytest.approx(total)


def test_all_asks_are_answered_in_as_many_batches_as_it_takes(start: Start, vendor: str) -> None:
    bench = start(vendor, 40, max_asks=15)
    assert bench.run() == [40]
    check_books(bench)
    intents = [record for record in bench.records("batch") if record["state"] == "intent"]
    assert [len(record["keys"]) for record in intents] == [15, 15, 10]
    assert all(record["usd"] > 0 for record in bench.records("reply"))
    assert bench.run() == []


def test_repeated_asks_of_a_round_go_once(start: Start, vendor: str) -> None:
    bench = start(vendor, asks=[ask(1), ask(2), ask(1)])
    assert bench.run() == [2]
    assert done(bench) == {ask(1).key: 1, ask(2).key: 1}


def test_batch_whose_creation_was_answered_with_silence_is_found(start: Start, vendor: str) -> None:
    bench = start(vendor, 30, {"lost_creates": [0, 1], "seconds": 0.2}, max_asks=10)
    assert bench.run() == [30]
    check_books(bench)


def test_creation_that_was_not_stored_is_repeated(start: Start, vendor: str) -> None:
    bench = start(vendor, 10, {"refused_creates": {"0": 500, "1": 429, "2": 503}})
    assert bench.run() == [10]
    check_books(bench)
    assert Counter(record["state"] for record in bench.records("batch")) == {"intent": 1, "created": 1, "ended": 1}


def test_wrong_key_stops_before_anything_is_paid(start: Start, vendor: str) -> None:
    bench = start(vendor, 10, {"refused_creates": {"0": 401}})
    with pytest.raises(RunStopped, match="bad_key"):
        bench.run()
    assert done(bench) == {}
    assert bench.run() == [10]
    check_books(bench)


@pytest.mark.parametrize("fate", ["expired", "cancelled"])
def test_part_that_was_done_is_kept_and_the_rest_comes_again(start: Start, vendor: str, fate: str) -> None:
    if fate == "expired":
        bench = start(vendor, 20, {"expired": [0], "part": 0.4})
        assert bench.run() == [8, 12]
    else:
        bench = start(vendor, 20, {"seconds": 3.0, "part": 0.4})
        abandon(bench)
        assert bench.cancel() == 1
        assert bench.ledger is not None
        assert bench.ledger.reserved == 0
        assert len(done(bench)) == 8
        assert bench.records("batch")[-1]["state"] == "cancelled"
        assert bench.run() == [12]
    check_books(bench)


def test_cancelling_does_not_wait_for_a_batch_without_a_name(
    start: Start, vendor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = start(vendor, 20, {"seconds": 6.0, "part": 0.4, "lost_creates": [0]})
    abandon(bench, "intent")
    assert bench.cancel() == (1 if vendor == "openai" else 0)
    if vendor == "anthropic":
        assert "1 more may have been made" in capsys.readouterr().err
        assert bench.ledger is not None and bench.ledger.reserved > 0
    bench.run()
    check_books(bench)


def abandon(bench: Bench, state: str = "created") -> None:
    """Submit everything, and die."""
    process = subprocess.Popen(command(bench))
    wait_for(lambda: any(record["state"] == state for record in bench.records("batch")))
    time.sleep(0.3 if state == "intent" else 0)  # the vendor has stored it, and its answer was lost
    process.kill()
    process.wait()


def command(bench: Bench, *flags: str) -> list[str]:
    """The bench as a process."""
    more = [bench.vendor, bench.host, str(len(bench.asks)), str(bench.cap or 1000), str(bench.max_asks or 1000)]
    return [sys.executable, str(batch_bench.__file__), str(bench.folder), *more, *flags]


def wait_for(what: Callable[[], bool]) -> None:
    """Until it is so."""
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_nothing_answered_at_all_stops_the_run(start: Start, vendor: str) -> None:
    bench = start(vendor, 4, {"expired": [0], "part": 0})
    with pytest.raises(RunStopped, match=r"none of 4 requests .* \(batch_expired 4\)"):
        bench.run()


def test_requests_that_fail_alone_are_answers_too(start: Start, vendor: str) -> None:
    asks = [ask(0), ask(1, "BAD"), ask(2, "BUSY"), ask(3)]
    errors = {"openai": {"BUSY": "server_error"}, "anthropic": {"BUSY": "overloaded_error"}}
    faults: dict[str, Any] = {"errored": {**errors[vendor]}}
    if vendor == "openai":
        faults["status"] = {"BAD": 400}
    else:
        faults["errored"]["BAD"] = "invalid_request_error"
    bench = start(vendor, faults=faults, asks=asks)
    with pytest.raises(RunStopped, match="none of 1 requests"):
        bench.run()
    kinds = {record["key"]: record["kind"] for record in bench.records("reply")}
    assert [kinds[each.key] for each in asks] == ["ok", "item", "again", "ok"]


def test_request_without_rights_stops_the_run_and_the_rest_is_kept(start: Start) -> None:
    bench = start("anthropic", faults={"errored": {"BAD": "billing_error"}}, asks=[ask(0), ask(1, "BAD")])
    with pytest.raises(RunStopped, match="payment_required"):
        bench.run()
    assert done(bench) == {ask(0).key: 1}
    assert len([record for record in bench.records("reply") if record["kind"] == "ok"]) == 1


def test_garbage_counts_as_dear_as_it_may_have_been(start: Start, vendor: str) -> None:
    bench = start(vendor, faults={"garbage": ["BAD"]}, asks=[ask(0), ask(1, "BAD")])
    with pytest.raises(RunStopped, match="none of 1 requests"):
        bench.run()
    bad = [record for record in bench.records("reply") if record["kind"] == "again"]
    intents = [record for record in bench.records("batch") if record["state"] == "intent"]
    assert [record["usd"] for record in bad] == [record["most"] for record in intents]


def test_results_cut_on_their_way_are_read_again(start: Start, vendor: str) -> None:
    bench = start(vendor, 20, {"truncated": 1, "broken": 3})
    assert bench.run() == [20]
    check_books(bench)


def test_lines_that_stay_broken_are_counted_and_asked_again(start: Start, vendor: str) -> None:
    bench = start(vendor, 20, {"broken": 5})
    assert bench.run() == [19, 1]
    lost = [record for record in bench.records("reply") if record["code"] == "broken_lines"]
    assert len(lost) == 1
    assert lost[0]["usd"] == bench.records("batch")[0]["most"]


def test_full_queue_means_fewer_and_smaller_batches(start: Start) -> None:
    bench = start("openai", 40, {"token_limit": 12, "seconds": 0.1}, max_asks=20)
    assert sum(bench.run()) == 40
    check_books(bench)


def test_batch_that_is_refused_as_a_whole_stops_the_run(start: Start) -> None:
    bench = start("openai", 4, {"failed": {"0": "mismatched_model"}})
    with pytest.raises(RunStopped, match="refused a batch of 4 requests: mismatched_model"):
        bench.run()
    assert bench.run() == [4]
    check_books(bench)


def test_batch_too_large_for_the_vendor_is_halved(start: Start) -> None:
    bench = start("anthropic", 21, {"limits": [8, 1_000_000]})
    assert bench.run() == [21]
    check_books(bench)


def test_one_ask_that_no_batch_may_hold_is_found_and_given_up(start: Start) -> None:
    bench = start(
        "anthropic", asks=[*[ask(number) for number in range(10)], batch_bench.Ask("not legal", ask(10).body)]
    )
    assert bench.run() == [11]
    refused = [record for record in bench.records("reply") if record["kind"] == "item"]
    assert [record["key"] for record in refused] == ["not legal"]


@pytest.mark.parametrize("share", [0.8, 0.0001])
def test_budget_bounds_what_is_open_and_spent(start: Start, vendor: str, share: float) -> None:
    everything = Bench(Path(), vendor, "", [ask(number) for number in range(30)])
    worst = sum(batch_bench.worst(each) for each in everything.asks)
    bench = start(vendor, 30, cap=worst * share, max_asks=10)
    if share < 0.01:
        with pytest.raises(RunStopped, match="budget"):
            bench.run()
        assert bench.records("batch") == []
    else:
        bench.run()
        check_books(bench)
    assert bench.ledger is not None
    assert dollars(bench.ledger.total) <= worst * share


def test_signal_leaves_batches_running_and_says_so(start: Start, vendor: str) -> None:
    bench = start(vendor, 20, {"seconds": 2.0}, max_asks=10)
    process = subprocess.Popen(command(bench), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: sum(record["state"] == "created" for record in bench.records("batch")) == 2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert "2 batches go on at the vendor" in said
    assert "--cancel-batches" in said
    assert bench.run() == []
    check_books(bench)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_points_nothing_is_paid_twice(start: Start, vendor: str, seed: int) -> None:
    chance = random.Random(seed)
    worst = sum(batch_bench.worst(ask(number)) for number in range(60))
    faults = {"seconds": 0.2, "lost_creates": [1, 4], "expired": [2], "part": 0.5, "truncated": 1}
    bench = start(vendor, 60, faults, cap=worst, max_asks=9)
    for _ in range(8):
        if killed(bench, written(bench) + chance.randrange(1, 4000)):
            with Journal.open(bench.folder) as journal:
                assert dollars(journal.account.spent + journal.account.reserved) <= worst
    bench.run()
    check_books(bench)


def killed(bench: Bench, size: int) -> bool:
    """Run until the journal has so many bytes, and kill; False if it ended first."""
    process = subprocess.Popen(command(bench))
    wait_for(lambda: process.poll() is not None or written(bench) >= size)
    process.kill()
    return process.wait() != 0


def written(bench: Bench) -> int:
    """Bytes in the journal."""
    return sum(path.stat().st_size for path in bench.folder.glob("*.jsonl"))


def test_key_is_nowhere(start: Start, vendor: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    bench = start(vendor, 6, {"refused_creates": {"1": 500}})
    bench.run()
    bench.asks = [ask(100)]
    bench.host = "http://127.0.0.1:1"
    with pytest.raises(RunStopped) as stopped:
        bench.run()
    assert batch_bench.KEY not in str(stopped.value) + repr(stopped.value.__cause__)
    assert batch_bench.KEY not in caplog.text
    for path in bench.folder.rglob("*"):
        assert not path.is_file() or batch_bench.KEY.encode() not in path.read_bytes()
