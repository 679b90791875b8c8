"""A judge model over TCP: what is scored, asked, paid, waited for, and what a stopped run leaves to the next."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.errors import UsageError
from synth.asking.asker import RunStopped
from synth.judging import Case, Judge, JudgeOptions, Verdict, open_judge
from synth.settings import ModelSettings, PaceSettings
from tests.synth.asking.conftest import KEY, PRICES
from tests.synth.stub_teacher import Stub

FLAGS = {"--budget-usd": "--judge-budget-usd", "--teacher": "--judge", "--base-url": "--judge-base-url"}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)


def options(folder: Path, url: str, judge: str = "openai:stub-1", **given: Any) -> JudgeOptions:
    prices = folder / "prices.yaml"
    prices.write_text(PRICES)
    pace = PaceSettings(**{"concurrency": 8, **given.pop("pace", {})})
    model = ModelSettings(base_url=url, max_tokens=100)
    named = {"journal": folder / "journal", "prices": prices, "flags": FLAGS, "waits": "training waits"}
    return JudgeOptions(judge, model, pace, **{**named, **given})


@contextlib.contextmanager
def judging(folder: Path, faults: list[dict[str, Any]] = [], **given: Any) -> Iterator[tuple[Judge, Stub]]:  # noqa: B006
    with Stub(folder, faults=faults) as stub, open_judge(options(folder, stub.url, **given)) as judge:
        yield judge, stub


def cases(*answers: str) -> list[Case]:
    return [Case(answer, reference="It is open.") for answer in answers]


def scores(verdicts: list[Verdict]) -> list[float | None]:
    return [verdict.score for verdict in verdicts]


@pytest.mark.parametrize(
    ("name", "path"), [("openai:stub-1", "/v1/chat/completions"), ("anthropic:stub-1", "/v1/messages")]
)
def test_scores_are_points_by_five_in_the_order_of_the_cases(name: str, path: str, tmp_path: Path) -> None:
    with judging(tmp_path, judge=name) as (judge, stub):
        verdicts = judge.judge(cases(*(f"Answer {n}, worth {n}." for n in range(6))))
        assert scores(verdicts) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        assert {verdict.code for verdict in verdicts} == {"ok"} and "Score: 5" in verdicts[5].said
        assert {request["path"] for request in stub.requests()} == {path}
        assert judge.name == name and judge.version.startswith("judge-1.") and judge.spent_usd > 0


def test_clamped_answers_cost_nothing_and_equal_ones_are_paid_once(tmp_path: Path) -> None:
    with judging(tmp_path) as (judge, stub):
        verdicts = judge.judge(cases("", "I should respond that it is worth 5.", *["It is worth 3."] * 6))
        assert scores(verdicts) == [0.0, 0.0, *[0.6] * 6]
        assert [verdict.code for verdict in verdicts[:2]] == ["empty", "meta_reasoning"]
        spent = judge.spent_usd
        assert scores(judge.judge(cases("It is worth 3."))) == [0.6]
        assert len(stub.requests()) == 1 and judge.spent_usd == spent


def test_the_same_journal_gives_the_same_verdicts_without_a_request(tmp_path: Path) -> None:
    asked = cases("It is open.", "worth 2", "worth mute", "worth shy", "")
    with judging(tmp_path) as (judge, stub):
        first = judge.judge(asked)
        assert len(stub.requests()) == 1 + 1 + 3 + 2
    with judging(tmp_path) as (judge, stub):
        assert judge.judge(asked) == first and len(stub.requests()) == 7  # the log of the first run


def test_a_reply_without_a_number_is_asked_for_again_and_then_counts_as_no_score(tmp_path: Path) -> None:
    with judging(tmp_path) as (judge, stub):
        mute, shy = judge.judge(cases("worth mute", "worth shy 4, worth 4"))
        assert (mute.score, mute.code) == (None, "no_number") and "I like it" in mute.said
        assert (shy.score, shy.code) == (0.8, "ok")
        assert len(stub.requests()) == 3 + 2


@pytest.mark.parametrize(
    ("fault", "code", "requests"), [("too_long", "context_too_long", 1), ("cut_off", "cut_off", 3)]
)
def test_an_ask_that_can_never_be_answered_is_no_score(fault: str, code: str, requests: int, tmp_path: Path) -> None:
    with judging(tmp_path, [{"contains": "poison", "fault": fault}]) as (judge, stub):
        verdicts = judge.judge(cases("poison", "worth 5"))
        assert [(each.score, each.code) for each in verdicts] == [(None, code), (1.0, "ok")]
        assert len(stub.requests()) == requests + 1


def test_one_ask_that_always_fails_is_given_up_for_good_while_others_are_answered(tmp_path: Path) -> None:
    asked = cases("poison", "worth 5")
    faults = [{"contains": "poison", "fault": "500"}]
    with judging(tmp_path, faults, pace={"max_tries": 2}) as (judge, _):
        verdicts = judge.judge(asked)
        assert [(each.score, each.code) for each in verdicts] == [(None, "server_error"), (1.0, "ok")]
    with judging(tmp_path) as (judge, stub):  # the server is well again: the verdict stays what it was
        before = len(stub.requests())
        assert judge.judge(asked) == [Verdict(None, "server_error"), verdicts[1]]
        assert len(stub.requests()) == before


def test_the_only_ask_of_a_step_is_given_up_too_if_the_server_is_well(tmp_path: Path) -> None:
    with judging(tmp_path, [{"contains": "poison", "fault": "500"}], pace={"max_tries": 2}) as (judge, _):
        assert judge.judge(cases("poison")) == [Verdict(None, "server_error")]


@pytest.mark.parametrize("fault", ["429_ms", "500"])
def test_an_outage_is_waited_out_and_nobody_gets_0(fault: str, tmp_path: Path) -> None:
    with judging(tmp_path, [{"at": list(range(6)), "fault": fault}], pace={"max_tries": 2}) as (judge, _):
        assert scores(judge.judge(cases("worth 5", "worth 4"))) == [1.0, 0.8]


def test_an_answer_that_comes_while_the_server_goes_down_makes_nobody_give_up(tmp_path: Path) -> None:
    faults = [{"contains": "slow", "fault": "slow", "seconds": 1.5}, {"at": list(range(1, 9)), "fault": "500"}]
    with judging(tmp_path, faults, pace={"max_tries": 2}) as (judge, _):
        assert scores(judge.judge(cases("slow, worth 1", "worth 5", "worth 4"))) == [0.2, 1.0, 0.8]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_is_away_is_waited_for_and_the_person_is_told(tmp_path: Path, capsys: Any) -> None:
    port, stubs = free_port(), []
    later = threading.Timer(4.0, lambda: stubs.append(Stub(tmp_path, "--port", str(port))))
    with open_judge(options(tmp_path, f"http://127.0.0.1:{port}/v1", pace={"max_tries": 2})) as judge:
        later.start()
        assert scores(judge.judge(cases("worth 5", "worth 3"))) == [1.0, 0.6]
    stubs[0].close()
    said = capsys.readouterr().err
    assert "judge openai:stub-1 gives no answer (connection)" in said and "training waits, 900 s at most" in said
    assert "answers again" in said


def test_after_the_time_to_give_up_the_run_stops_and_paid_scores_are_kept(tmp_path: Path) -> None:
    stub = Stub(tmp_path)
    with open_judge(options(tmp_path, stub.url, pace={"give_up_s": 1.0})) as judge:
        assert scores(judge.judge(cases("worth 2"))) == [0.4]
        stub.close()
        with pytest.raises(RunStopped, match=r"no request has succeeded for .* run the same command again"):
            judge.judge(cases("worth 2", "worth 3"))
    with judging(tmp_path) as (judge, stub):
        before = len(stub.requests())
        assert scores(judge.judge(cases("worth 2", "worth 3"))) == [0.4, 0.6]
        assert len(stub.requests()) == before + 1


def test_time_without_asks_is_no_outage(tmp_path: Path) -> None:
    with judging(tmp_path, [{"at": [1], "fault": "500"}], pace={"give_up_s": 1.0}) as (judge, _):
        judge.judge(cases("worth 1"))
        time.sleep(1.2)
        assert scores(judge.judge(cases("worth 2"))) == [0.4]


@pytest.mark.parametrize("fault", ["401", "402", "quota", "404"])
def test_what_refuses_all_requests_stops_the_run(fault: str, tmp_path: Path) -> None:
    with judging(tmp_path, [{"every": 1, "fault": fault}]) as (judge, _), pytest.raises(RunStopped) as stopped:
        judge.judge(cases("worth 1"))
    assert "refuses all requests" in str(stopped.value) and " --base-url" not in str(stopped.value)


def test_the_budget_ends_a_run_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    asked = cases(*(f"Answer {n}, worth {n % 6}." for n in range(40)))
    with judging(tmp_path, budget_usd=0.03) as (judge, stub):
        with pytest.raises(RunStopped, match=r"larger --judge-budget-usd$"):
            judge.judge(asked)
        assert judge.spent_usd <= 0.03
        paid = len(stub.requests())
        assert 0 < paid < 40
    with judging(tmp_path, budget_usd=1.0) as (judge, stub):
        assert scores(judge.judge(asked)) == [n % 6 / 5 for n in range(40)]
        assert len(stub.requests()) == 40


SCRIPT = """
import sys
from pathlib import Path
from tests.synth.judging.test_model_judge import cases, options, scores
from synth.judging import open_judge
with open_judge(options(Path(sys.argv[1]), sys.argv[2])) as judge:
    print(scores(judge.judge(cases(*(f"Answer {n}, worth {n % 6}." for n in range(60))))))
"""


def test_a_killed_run_goes_on_without_paying_twice(tmp_path: Path) -> None:
    with Stub(tmp_path, "--latency-ms", "20") as stub:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path), stub.url]
        for goal in (15, 35):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            while len(stub.requests()) < goal and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ})
        assert json.loads(done.stdout) == [n % 6 / 5 for n in range(60)]
        sent = Counter(request["sha"] for request in stub.requests())
        told = "".join(path.read_text() for path in (tmp_path / "journal").glob("*.jsonl"))
        lines = [json.loads(line) for line in told.splitlines()]
        replies = Counter(line["key"] for line in lines if line["t"] == "reply")
        assert len(sent) == len(replies) == 60 and set(replies.values()) == {1}
        assert sent.total() <= 60 + 2 * 8, "only what was on its way at a kill is sent again"


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_on_its_way(tmp_path: Path) -> None:
    with Stub(tmp_path, "--latency-ms", "20") as stub:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path), stub.url]
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        finally:
            signal.signal(signal.SIGINT, before)
        while len(stub.requests()) < 20 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert json.loads(done.stdout) == [n % 6 / 5 for n in range(60)]
        assert len(stub.requests()) == 60


def test_what_cannot_be_asked_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(words: str, given: JudgeOptions) -> None:
        with pytest.raises(UsageError, match=words), open_judge(given):
            pass

    refuses("--judge must be", options(tmp_path, "http://127.0.0.1:1/v1", judge="gpt"))
    refuses("--judge-base-url must be", options(tmp_path, "localhost"))
    monkeypatch.delenv("OPENAI_API_KEY")
    refuses("--judge openai:stub-1 needs a key", options(tmp_path, None))  # type: ignore[arg-type]


def test_the_identity_names_what_decides_the_scores_alone(tmp_path: Path) -> None:
    one = options(tmp_path, "http://127.0.0.1:1/v1")
    two = options(
        tmp_path, "http://127.0.0.1:2/v1", journal=tmp_path / "other", pace={"concurrency": 3}, budget_usd=3.0
    )
    assert one.identity() == two.identity() and one.identity()["rubric"].startswith("judge-1.")
    assert one.identity() != options(tmp_path, "http://127.0.0.1:1/v1", judge="openai:other").identity()
    assert JudgeOptions().identity() == {"judge": "offline", "rubric": "facts-1"}
