import os
import socket
import subprocess
import sys
import time
import urllib.request

import polars as pl
import pytest

from cachebuild.answer import TIERS
from curate.errors import UsageError
from curate.folder import DatasetFolder
from curate.show import main as show
from tests.train.rows import asked_orders, call, says, write_folder
from train.chat_format import chat_format
from train.evaluate import evaluate, main
from train.evaluate_settings import EvaluateSettings, LiveSettings, SpeechSettings
from train.rollout import Generated, Rollout
from train.served_settings import ServerSettings
from train.speakers import format_with, within

SHORT = ["--max-completion", "96", "--max-turn", "24", "--answer-room", "8", "--max-turns", "3"]


class Expert:
    """A model that knows the mini desk: half of its attempts do all, the others say nothing of use."""

    at_once = 3

    def __init__(self, crashes=lambda number: False, tokens=len):
        self.crashes, self.tokens, self.played, self.kept = crashes, tokens, 0, []

    def run(self, cache, *, kept, count):
        self.kept.append(kept)
        return lambda tasks: [self.one(task) for task in tasks]

    def one(self, task):
        self.played += 1
        if self.crashes(self.played):
            return Rollout([], status="crashed", error="ValueError: no more")
        desk, made = task.episode.task, []
        for tool, arguments in desk.gold_calls if self.played % 2 else ():
            turn = says(None, call(tool, arguments), thought="one two three")
            made.append(turn)
            task.episode.turn([(tool, turn["tool_calls"][0]["arguments"])])
        text = " ".join(desk.required_facts) if self.played % 2 else "unknown"
        made.append(says(text))
        return Rollout([], messages=made, status="answered", answer=text, turn_lengths=[1] * len(made))


def settings(tmp_path, **given):
    return EvaluateSettings("model", out=tmp_path / "live", **{"tasks": 4, "samples": 2} | given)


def test_attempts_are_judged_and_kept_as_rows_and_trajectories(tmp_path, capsys):
    evaluate(settings(tmp_path), Expert())
    folder = DatasetFolder.open(tmp_path / "live", kinds=("evaluation",))
    rows = pl.DataFrame(list(folder.rows("episodes")))
    assert rows["success"].to_list() == [True, False] * 4 and rows["trial"].to_list() == [0, 1] * 4
    assert rows["process_accuracy"].to_list() == [1.0, 0.0] * 4
    assert rows["thinking_words"][0] % 3 == 0 and rows["thinking_words"][0] > 0 and rows["thinking_words"][1] == 0
    dialogues = list(folder.rows("trajectories"))
    assert [each["trajectory_id"] for each in dialogues] == rows["trajectory_id"].to_list()
    assert [each["reward"] for each in dialogues] == [1.0, 0.0] * 4
    assert show([str(tmp_path / "live"), dialogues[0]["trajectory_id"]]) == 0
    assert "one two three" in capsys.readouterr().out
    report = (tmp_path / "live" / "report.md").read_text()
    assert "| pass^1 | 0.5 |" in report and "| pass^2 | 0 |" in report and "8 episodes of 4 tasks, 2 attempts" in report
    assert "<svg" in (tmp_path / "live" / "report.html").read_text()


def test_earlier_thinking_kept_and_dropped_stand_side_by_side(tmp_path):
    expert = Expert()
    found = evaluate(settings(tmp_path, thinking="both"), expert)
    assert expert.kept == [False, True]
    assert [row["thinking"] for row in found.rows] == ["dropped"] * 8 + ["kept"] * 8
    report = (tmp_path / "live" / "report.md").read_text()
    assert "16 episodes of 4 tasks, 2 attempts each with earlier thinking kept and dropped." in report
    assert "| mean, dropped | 95 %, dropped | mean, kept | 95 %, kept | kept less dropped | 95 % of it |" in report
    assert len({row["trajectory_id"] for row in found.rows}) == 16


def test_a_crashed_episode_is_a_row_and_said(tmp_path, capsys):
    found = evaluate(settings(tmp_path), Expert(crashes=lambda number: number == 3))
    assert [row["status"] for row in found.rows].count("crashed") == 1
    assert found.rows[2]["error"] == "ValueError: no more" and found.rows[2]["success"] is False
    assert "1 of 8 episodes crashed, the first with ValueError: no more" in capsys.readouterr().err


def test_attempts_that_are_all_the_same_are_said(tmp_path, capsys):
    class Parrot(Expert):
        def one(self, task):
            return Rollout([], messages=[says("open")], status="answered", answer="open")

    served = EvaluateSettings(tasks=4, server=ServerSettings("http://127.0.0.1:9/v1", "parrot"))
    evaluate(served, Parrot(tokens=lambda text: None))
    assert "attempts at 100% of the tasks are the same, word for word" in capsys.readouterr().err
    evaluate(served, Expert(tokens=lambda text: None))
    evaluate(settings(tmp_path), Parrot())
    assert not capsys.readouterr().err


def test_a_run_of_crashes_alone_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(UsageError, match="all 8 episodes crashed, the first with ValueError"):
        evaluate(settings(tmp_path), Expert(crashes=lambda number: True))
    assert not list(tmp_path.iterdir())


def test_thinking_of_a_model_without_a_known_tokenizer_is_in_words(tmp_path):
    found = evaluate(settings(tmp_path), Expert(tokens=lambda text: None))
    assert {row["thinking_tokens"] for row in found.rows} == {None}
    assert "| thinking words |" in (tmp_path / "live" / "report.md").read_text()


def test_a_tiny_model_plays_dialogues_on_the_full_desk_the_same_way_twice(model, tmp_path, capsys):
    ask = ["--model", str(model), "--preset", "full", "--tasks", "3", "--thinking", "both", *SHORT]
    for name in ("one", "two"):
        assert main([*ask, "--out", str(tmp_path / name)]) == 0
    assert "end-to-end success" in capsys.readouterr().out
    for table in ("episodes", "trajectories"):
        one, two = (list(DatasetFolder.open(tmp_path / name).rows(table)) for name in ("one", "two"))
        assert one == two and len(one) == 12
    assert main([*ask, "--out", str(tmp_path / "two")]) == 0 and "up to date" in capsys.readouterr().err
    assert main([*ask, "--out", str(tmp_path / "two"), "--seed", "1"]) == 2


def test_a_tiny_model_plays_the_mini_desk_from_a_config_file(model, tmp_path, capsys):
    config = tmp_path / "evaluate.yaml"
    config.write_text(
        f"model: {model}\ntasks: 5\nsamples: 1\nspeech: {{temperature: 0, batch: 2}}\n"
        "rollout: {max_completion: 96, max_turn: 24, answer_room: 8}\n"
    )
    assert main(["--config", str(config), "--out", str(tmp_path / "out")]) == 0
    rows = list(DatasetFolder.open(tmp_path / "out").rows("episodes"))
    assert len(rows) == 5 and all(row["thinking_tokens"] is not None for row in rows)
    assert "thinking tokens" in capsys.readouterr().out


@pytest.mark.parametrize("cached", [False, True])
def test_a_tiny_model_plays_recorded_turns(model, tmp_path, cache_of, capsys, cached):
    rows = [row | {"split": "test"} for row in asked_orders(4)]
    cache_of(*rows)
    data = write_folder(tmp_path / "data", rows)
    ask = ["--model", str(model), "--on", str(data), "--out", str(tmp_path / "out"), *SHORT]
    assert main([*ask, *(["--cache", str(tmp_path / "cache")] if cached else [])]) == 0
    found = list(DatasetFolder.open(tmp_path / "out").rows("episodes"))
    assert len(found) == 8 and {row["success"] for row in found} == {None}
    assert "all expected calls met" in capsys.readouterr().out
    report = (tmp_path / "out" / "report.md").read_text()
    assert "8 episodes of 1 tasks with 4 user turns, 2 attempts each." in report
    assert ("by a cache" if cached else "by the recording itself") in report


def test_recorded_results_answer_the_calls_that_are_made(tmp_path):
    rows = [row | {"split": "test"} for row in asked_orders(2)]
    data = write_folder(tmp_path / "data", rows)

    class Copyist(Expert):
        def one(self, task):
            asked = task.row["messages"][-1]["content"].split()[-1].rstrip("?")
            turn = says(None, call("get_order", {"order_id": asked}))
            (answer,) = task.episode.turn([("get_order", turn["tool_calls"][0]["arguments"])])
            step = {"message_index": 0, "call_index": 0, "tier": answer.tier, "p": answer.p}
            rest = {"source_trajectory_id": None, "source_message_index": None, "reason": None, "step_reward": None}
            said = [turn, says(answer.result)]
            return Rollout([], messages=said, evidence=[step | rest], status="answered", answer=answer.result)

    found = evaluate(settings(tmp_path, on=str(data)), Copyist())
    assert {row["process_accuracy"] for row in found.rows} == {1.0} and {row["calls"] for row in found.rows} == {1}
    assert found.rows[0]["answer"] == '{"status": "open"}'
    assert [sum(row[f"tier_{tier}"] for row in found.rows) for tier in TIERS] == [4, 0, 0, 0, 0, 0]
    assert "| exact | 4 | 1 |" in (tmp_path / "live" / "report.md").read_text()
    assert found.trajectories[0]["parent"] == {"trajectory_id": "0", "message_index": 0}


def test_turns_end_where_the_positions_of_the_model_end():
    asked = []

    def generate(prompts, min_new, max_new):
        asked.append((prompts, max_new))
        return [Generated([7] * limit) for limit in max_new]

    said = within(10, generate, [[1] * 4, [1] * 10, [1] * 12, [1] * 9], 0, [3, 3, 3, 3])
    assert [len(turn.ids) for turn in said] == [3, 0, 0, 1] and asked == [([[1] * 4, [1] * 9], [3, 1])]
    assert [len(turn.ids) for turn in within(10, generate, [[1] * 10], 0, [3])] == [0] and len(asked) == 1
    assert len(within(None, generate, [[1] * 12], 0, [3])[0].ids) == 3


def test_a_template_that_leaves_earlier_thoughts_out_cannot_keep_them(tokenizer):
    tokenizer.chat_template = chat_format(tokenizer, "chatml").template
    dropped = EvaluateSettings("m", speech=SpeechSettings(template="own"))
    assert format_with(tokenizer, dropped, kept=False)
    with pytest.raises(UsageError, match="--thinking kept"):
        format_with(tokenizer, dropped, kept=True)
    assert format_with(tokenizer, EvaluateSettings("m", speech=SpeechSettings(template="chatml")), kept=True)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "--model"),
        (["--model", "m", "--base-url", "http://x/v1", "--served-model", "m"], "one of --model"),
        (["--base-url", "http://x/v1"], "--served-model"),
        (["--model", "m", "--tasks", "0"], "--tasks"),
        (["--model", "m", "--temperature", "-1"], "--temperature"),
        (["--model", "m", "--on", "d", "--min-reward", "nan"], "--min-reward"),
        (["--model", "m", "--seed", str(2**63)], "--seed"),
        (["--model", "m", "--cache", "c"], "--on DATA"),
        (["--model", "m", "--on", "nowhere"], "nowhere does not exist"),
        (["--model", "m", "--max-user-turns", "0"], "--max-user-turns"),
        (["--base-url", "http://x/v1", "--served-model", "m", "--api-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY"),
    ],
)
def test_what_cannot_be_right_is_one_line(flags, told, capsys):
    assert main(flags) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_folders_that_are_no_model_or_hold_no_calls_are_one_line(model, tmp_path, capsys):
    data = write_folder(tmp_path / "data", asked_orders(2))
    assert main(["--model", str(data)]) == 2 and "is no checkpoint" in capsys.readouterr().err
    assert main(["--model", str(model), "--on", str(data)]) == 2
    assert "no user turn whose recorded reply calls a tool" in capsys.readouterr().err


def test_an_unknown_preset_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--model", "m", "--preset", "desk"])
    assert ended.value.code == 2 and "full" in capsys.readouterr().err
    assert LiveSettings().preset == "mini"


@pytest.fixture
def server(model):
    """`transformers serve` with the tiny model on a free port of the loopback."""
    from transformers import AutoTokenizer
    from transformers.utils.import_utils import is_serve_available

    if not is_serve_available():
        pytest.skip("transformers serve needs fastapi: pip install -e '.[dev]'")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = chat_format(tokenizer, "qwen3").template
    tokenizer.save_pretrained(model)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
    flags = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environ = os.environ | {"HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen([*command, *flags], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield wait_for(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(20)


def wait_for(address, process):
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return address
        except OSError:
            assert process.poll() is None, "the server ended"
            time.sleep(0.2)
    raise AssertionError("the server did not start")


@pytest.mark.slow
def test_a_model_behind_transformers_serve_is_evaluated(server, model, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    ask = ["--base-url", f"{server}/v1", "--served-model", str(model), "--api-key-env", "MY_KEY", *SHORT]
    desk = [*ask, "--preset", "full", "--tasks", "3", "--samples", "1", "--thinking", "both"]
    assert main([*desk, "--out", str(tmp_path / "live")]) == 0
    rows = list(DatasetFolder.open(tmp_path / "live").rows("episodes"))
    assert len(rows) == 6 and not any(row["status"] == "crashed" for row in rows)
    assert all(row["turns"] >= 1 and row["thinking_tokens"] is None for row in rows)
    assert "thinking words" in capsys.readouterr().out
    data = write_folder(tmp_path / "data", [row | {"split": "test"} for row in asked_orders(2)])
    assert main([*ask, "--on", str(data), "--out", str(tmp_path / "recorded")]) == 0
    assert len(list(DatasetFolder.open(tmp_path / "recorded").rows("episodes"))) == 4
    for path in (tmp_path / "live").iterdir():
        assert b"secret" not in path.read_bytes()
