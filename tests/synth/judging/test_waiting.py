"""What a person reads while a judge does not answer."""

from __future__ import annotations

from synth.judging.waiting import Waiting


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def waiting(lines: list[str], clock: Clock) -> Waiting:
    return Waiting("openai:m", "training waits", 900, lines.append, clock)


def test_a_moment_is_not_worth_a_line() -> None:
    lines: list[str] = []
    clock = Clock()
    watch = waiting(lines, clock)
    for _ in range(20):
        watch.retried("server_error")
        clock.now += 1.0
        watch.retried("rate_limited")
        watch.paused(0.5, "rate_limited")
        watch.answered()
    assert lines == []


def test_an_outage_is_told_at_growing_distances_and_its_end_once() -> None:
    lines: list[str] = []
    clock = Clock()
    watch = waiting(lines, clock)
    for _ in range(300):
        watch.retried("connection")
        clock.now += 1.0
    watch.answered()
    watch.answered()
    assert lines[0] == "judge openai:m gives no answer (connection) for 2 s; training waits, 900 s at most"
    assert lines[-1] == "judge openai:m answers again after 300 s"
    assert [line.split(" for ")[1].split(" s;")[0] for line in lines[:-1]] == [
        "2",
        "12",
        "32",
        "72",
        "132",
        "192",
        "252",
    ]


def test_a_pause_that_the_server_asks_for_is_told_at_once() -> None:
    lines: list[str] = []
    waiting(lines, Clock()).paused(30.0, "rate_limited")
    assert lines == [
        "judge openai:m gives no answer (rate_limited) for 0 s, and asks for 30 s; training waits, 900 s at most"
    ]
