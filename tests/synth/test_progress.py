"""What a person, or a program, sees of a run while it spends money."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest

from synth.progress import Mode, RunProgress
from synth.teachers.asks import Usage

FIELDS = """elapsed_s turns_total turns_done accepted tombstones from_journal requests in_flight concurrency retries
rejects tokens_in tokens_cached tokens_out usd_spent usd_run usd_cap turns_per_s eta_s paused_s pauses pause_left_s
pause_reason""".split()


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def started(mode: Mode, clock: Clock, stream: io.StringIO, total: int = 100, **more: Any) -> RunProgress:
    return RunProgress(mode, total, stream=stream, clock=clock, **more)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_have_their_documented_fields(clock: Clock) -> None:
    stream = io.StringIO()
    with started("json", clock, stream, budget_usd=5.0, spent_usd=1.0) as progress:
        progress.accepted(known=True)
        progress.concurrency(64.7)
        progress.sent(2)
        progress.retried("rate_limited")
        progress.settled()
        progress.settled(Usage(input=1_000, output=50, cached=600), 1.25)
        progress.rejected(["future_entity", "meta_talk"])
        clock.now += 5
        progress.accepted()
        progress.tombstone()
    first, last = lines(stream)
    assert [*first] == ["event", *FIELDS]
    assert [*last] == ["event", "outcome", *FIELDS]
    assert all(name in (RunProgress.__doc__ or "") for name in [*last])
    assert first["event"] == "progress"
    assert (last["event"], last["outcome"]) == ("end", "incomplete")
    assert (last["turns_done"], last["accepted"], last["tombstones"], last["from_journal"]) == (3, 2, 1, 1)
    assert (last["requests"], last["in_flight"], last["concurrency"]) == (2, 0, 64)
    assert (last["retries"], last["rejects"]) == ({"rate_limited": 1}, {"future_entity": 1, "meta_talk": 1})
    assert (last["tokens_in"], last["tokens_cached"], last["tokens_out"]) == (1_000, 600, 50)
    assert (last["usd_spent"], last["usd_run"], last["usd_cap"]) == (1.25, 0.25, 5.0)
    assert last["turns_per_s"] == 0.4
    assert last["eta_s"] == round(97 / 0.4)


def test_lines_come_every_five_seconds_whatever_happens(clock: Clock) -> None:
    stream = io.StringIO()
    with started("json", clock, stream) as progress:
        for _ in range(200):
            clock.now += 0.1
            progress.sent()
        clock.now += 60
        progress.tick()
    assert [line["event"] for line in lines(stream)].count("progress") == 5


def test_the_rate_is_that_of_the_last_minute_and_without_the_journal(clock: Clock) -> None:
    with started("json", clock, io.StringIO(), 10_000) as progress:
        for _ in range(5_000):
            progress.accepted(known=True)
        assert progress.counts()["turns_per_s"] == 0
        assert progress.counts()["eta_s"] is None
        for second in range(300):
            clock.now += 1
            for _ in range(10 if second < 200 else 2):
                progress.accepted()
        assert progress.counts()["turns_per_s"] == pytest.approx(2, rel=0.01)
        assert progress.counts()["eta_s"] == pytest.approx((5_000 - 2_200) / 2, rel=0.01)


def test_pauses_are_shown_at_once_and_never_counted_twice(clock: Clock) -> None:
    stream = io.StringIO()
    with started("json", clock, stream) as progress:
        progress.paused(30, "rate_limited")
        clock.now += 10
        progress.paused(5, "overloaded")  # within the first
        progress.paused(40, "overloaded")
        assert progress.counts()["pause_left_s"] == 40
        clock.now += 41
        counts = progress.counts()
    assert [line["event"] for line in lines(stream)] == ["pause", "pause", "end"]
    assert lines(stream)[0]["pause_reason"] == "rate_limited"
    assert (counts["pauses"], counts["paused_s"]) == (2, 50)
    assert (counts["pause_left_s"], counts["pause_reason"]) == (0, None)


def test_a_log_gets_a_line_every_ten_seconds(clock: Clock) -> None:
    stream = io.StringIO()
    with started("bar", clock, stream, 5_000, budget_usd=20.0) as progress:
        progress.concurrency(64)
        progress.sent(3)
        progress.settled(Usage(1_234_000, 5_600), 1.5)
        progress.rejected(["a", "b", "b", "c", "d", "e"])
        progress.paused(30, "rate_limited")
        for _ in range(1_000):
            clock.now += 0.0101
            progress.accepted()
    pause, line, end = stream.getvalue().splitlines()
    assert pause == "augment: paused 30 s: rate_limited"
    assert "/5,000 turns (19" in line
    assert "paused 20 s: rate_limited, $1.50 of $20.00, " in line
    assert " turns/s, 40 s left, 2/64 in flight, 1.2M tokens in, 5.6k out, " in line
    assert "rejects 6 (b 2, a 1, c 1, d 1, ...)" in line
    assert end.startswith("augment: 1,000/5,000 turns (20.0%)")
    assert end.endswith("; incomplete")


def test_a_terminal_gets_a_bar_and_a_last_line(clock: Clock) -> None:
    stream = Terminal()
    threads = threading.active_count()
    with started("bar", clock, stream, 2) as progress:
        progress.accepted()
        clock.now += 1
        progress.accepted()
        assert threading.active_count() == threads
    assert "100%|" in stream.getvalue()
    assert "2/2, $0.00, 2.0 turns/s" in stream.getvalue()
    assert stream.getvalue().endswith("; done\n")


@pytest.mark.parametrize("mode", ["bar", "json"])
def test_the_end_says_how_the_run_ended(clock: Clock, mode: Mode) -> None:
    empty, stopped = io.StringIO(), io.StringIO()
    with started(mode, clock, empty, 0):
        pass
    assert "done" in empty.getvalue()
    with pytest.raises(KeyboardInterrupt), started(mode, clock, stopped):
        raise KeyboardInterrupt
    assert "stopped" in stopped.getvalue()
    assert len(stopped.getvalue().splitlines()) == 1
