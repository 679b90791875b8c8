"""GRPO with a judge model over TCP: paid, logged, stopped by it and gone on with."""

from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest

from curate.errors import UsageError
from curate.folder import DatasetFolder
from synth.asking.asker import RunStopped
from synth.judging import JudgeOptions, Verdict
from tests.synth.asking.conftest import KEY, PRICES
from tests.synth.stub_teacher import Stub
from tests.train.rows import asked_orders, build_tokenizer
from train.grpo import main
from train.judge_settings import JudgeSettings
from train.judging import StepJudge, judge_metrics
from train.prompts import StoredPrompt
from train.rollout import Rollout
from train.scoring import case_of, score
from train.scoring import metrics as step_metrics
from train.settings import RewardSettings
from train.tokens import parts

FAST = "--generations 2 --prompts 2 --batch-size 4 --max-steps 2 --beta 0.1 --save-every 1"
SHORT = "--max-completion 64 --min-first 0 --answer-room 2"


class Speaker:
    """Says these answers in turn instead of what the model would; a run that goes on begins at its step's place."""

    def __init__(self, *answers):
        self.answers = answers

    def __call__(self, generate, prompts, min_new, max_new):
        from train.generation import Generated

        tokenizer, step = build_tokenizer(), generate._trainer.state.global_step
        said = [self.answers[(step * len(prompts) + at) % len(self.answers)] for at in range(len(prompts))]
        return [Generated(tokenizer.encode(f"{text}<|im_end|>", add_special_tokens=False)) for text in said]


@pytest.fixture
def speak(monkeypatch):
    """Lets the model say something: speak(*answers)."""
    from train import generation

    def to(*answers):
        speaker = Speaker(*answers)
        monkeypatch.setattr(generation.TrainerGenerate, "__call__", lambda *given: speaker(*given))

    return to


@pytest.fixture
def grpo(tmp_path, cache_of, model, monkeypatch):
    """Runs the command: grpo(stub, out, *flags)."""
    cache_of(*asked_orders(8))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (tmp_path / "prices.yaml").write_text(PRICES)

    def run(stub, out, *more):
        words = [tmp_path / "rows", "--cache", tmp_path / "cache", "--model", model, "--out", tmp_path / out]
        judge = ["--judge", "openai:stub-1", "--judge-base-url", stub.url, "--judge-prices", tmp_path / "prices.yaml"]
        return main([*map(str, words), *FAST.split(), *SHORT.split(), *map(str, judge), *map(str, more)])

    return run


def metrics(tmp_path, out):
    return pl.read_parquet(tmp_path / out / "metrics.parquet").filter(pl.col("reward").is_not_null())


def rows(tmp_path, out):
    return list(DatasetFolder.open(tmp_path / out / "rollouts", kinds=("rollouts",)).rows("trajectories"))


def weights(tmp_path, out):
    return (tmp_path / out / "model.safetensors").read_bytes()


ANSWERS = (
    "a, worth 0",
    "b, worth 5",
    "c, worth 2",
    "I should respond now.",
    "e, worth 4",
    "b, worth 5",
    "g, worth 1",
    "h",
)


def test_rollouts_are_paid_by_the_judge_and_say_so(tmp_path, grpo, speak, capsys):
    speak(*ANSWERS)
    with Stub(tmp_path) as stub:
        assert grpo(stub, "out") == 0
        assert len(stub.requests()) == 6 or len(stub.requests()) == 7  # b may meet the same prompt twice
    told = metrics(tmp_path, "out")
    assert told["judge/clamped"].to_list() == [0.25, 0.0]
    assert told["judge/mean"][0] == pytest.approx((0 + 1 + 0.4 + 0) / 4)
    assert told["judge/share_at_0"][0] == 0.5 and told["judge/share_at_1"][0] == 0.25
    assert told["judge/no_score"].to_list() == [0, 0] and told["judge/usd"].min() > 0
    assert told["judge/usd_total"][1] == pytest.approx(told["judge/usd"].sum())
    assert told["judge/seconds"].min() > 0
    assert told["reward/answer"].to_list() == pytest.approx(told["judge/mean"].to_list())
    said = [json.loads(row["metadata"]) for row in rows(tmp_path, "out")]
    assert said[1]["judge"]["name"] == "openai:stub-1" and said[1]["judge"]["said"].endswith("Score: 5")
    assert said[1]["reward"]["answer"] == 1.0 and said[3]["judge"]["code"] == "meta_reasoning"
    assert (tmp_path / "out.judge" / "journal.json").exists()
    assert "judge openai:stub-1, rubric judge-1." in capsys.readouterr().err


def test_a_rollout_without_a_score_is_left_out_of_its_group(tmp_path, grpo, speak, monkeypatch, caplog, capsys):
    from trl.trainer.grpo_trainer import GRPOTrainer

    seen, real = [], GRPOTrainer._generate_and_score_completions

    def scored(self, inputs):
        found = real(self, inputs)
        seen.append(found["advantages"].tolist())
        return found

    monkeypatch.setattr(GRPOTrainer, "_generate_and_score_completions", scored)
    speak("a, worth mute", "b, worth 5", "c, worth 0", "d, worth 5")
    with Stub(tmp_path) as stub:
        assert grpo(stub, "out", "--max-steps", 1) == 0
    assert seen[0][:2] == [0.0, 0.0] and seen[0][2] < 0 < seen[0][3]
    told = metrics(tmp_path, "out")
    assert told["judge/no_score"].to_list() == [0.25] and told["reward"].is_finite().all()
    assert [row["reward"] is None for row in rows(tmp_path, "out")] == [True, False, False, False]
    assert "no score for 1 of 4 answers (no_number 1)" in capsys.readouterr().err
    assert "All reward functions returned None" not in caplog.text


def test_a_run_that_the_judge_stops_keeps_its_checkpoint_and_goes_on(tmp_path, grpo, speak, capsys):
    speak(*ANSWERS)
    with Stub(tmp_path) as stub:
        assert grpo(stub, "straight", "--judge-journal", tmp_path / "one") == 0
        once = len(stub.requests())
    (tmp_path / "requests.jsonl").unlink()
    with Stub(tmp_path, faults=[{"at": list(range(5, 100)), "fault": "401"}]) as stub:
        assert grpo(stub, "out", "--judge-journal", tmp_path / "two") == 3
        assert "openai:stub-1 refuses all requests: bad_key" in capsys.readouterr().err
        assert (tmp_path / "out.checkpoints" / "checkpoint-1").is_dir() and not (tmp_path / "out").exists()
    answered = sum(request["fault"] is None for request in stub.requests())
    with Stub(tmp_path) as stub:
        more = ("--judge-journal", tmp_path / "two", "--judge-concurrency", 2, "--judge-budget-usd", 9)
        assert grpo(stub, "out", *more) == 0, "neither address nor pace nor budget is of the run's identity"
        assert sum(request["fault"] is None for request in stub.requests()) - answered == once - answered
    assert weights(tmp_path, "out") == weights(tmp_path, "straight")
    assert rows(tmp_path, "out") == rows(tmp_path, "straight")


def test_a_run_whose_budget_ends_goes_on_with_a_larger_one(tmp_path, grpo, speak, capsys):
    speak(*ANSWERS)
    with Stub(tmp_path) as stub:
        assert grpo(stub, "out", "--judge-budget-usd", 0.012) == 3
        assert "larger --judge-budget-usd" in capsys.readouterr().err
        paid = len(stub.requests())
        assert 0 < paid < 6
        assert grpo(stub, "out", "--judge-budget-usd", 1) == 0
        assert len({request["sha"] for request in stub.requests()}) == len(stub.requests()) > paid


def test_an_outage_pauses_training_and_nobody_is_paid_0(tmp_path, grpo, speak):
    speak(*ANSWERS)
    with Stub(tmp_path) as stub:
        assert grpo(stub, "well") == 0
    with Stub(tmp_path, faults=[{"at": [0, 2, 3, 5, 6], "fault": "503"}]) as stub:
        assert grpo(stub, "ill") == 0
    assert weights(tmp_path, "well") == weights(tmp_path, "ill")
    assert metrics(tmp_path, "ill")["judge/mean"].to_list() == metrics(tmp_path, "well")["judge/mean"].to_list()


def test_another_judge_is_another_run(tmp_path, grpo, speak, capsys):
    speak(*ANSWERS)
    with Stub(tmp_path, faults=[{"at": list(range(5, 100)), "fault": "401"}]) as stub:
        assert grpo(stub, "out") == 3
        assert grpo(stub, "out", "--judge", "openai:other") == 2
    assert "other settings" in capsys.readouterr().err


class Fixed:
    """A judge of these verdicts."""

    name, version, spent_usd = "openai:fixed", "r", 0.0

    def __init__(self, *verdicts):
        self.verdicts = list(verdicts)

    def judge(self, cases):
        return self.verdicts


def test_a_step_without_any_score_stops_the_run():
    judge = Fixed(Verdict(None, "bad_request"), Verdict(None, "bad_request"))
    with pytest.raises(RunStopped, match=r"none of the 2 answers .*bad_request 2"):
        StepJudge(judge, JudgeOptions()).judge([None, None], print)


def test_an_empty_answer_does_not_hide_that_no_other_got_a_score():
    judge = Fixed(Verdict(0.0, "empty"), Verdict(None, "bad_request"))
    with pytest.raises(RunStopped, match=r"none of the 1 answers .*--judge-journal"):
        StepJudge(judge, JudgeOptions()).judge([None, None], print)
    silent = Fixed(Verdict(0.0, "empty"), Verdict(0.0, "meta_reasoning"))
    assert StepJudge(silent, JudgeOptions()).judge([None, None], lambda *given: None) == silent.verdicts


def test_without_a_score_nothing_is_paid_and_without_a_verdict_the_offline_judge_decides():
    (part,) = parts(row := asked_orders(1)[0])
    stored, rollout = StoredPrompt(row, part, row["messages"][1:]), Rollout([], answer="It is open.", status="answered")
    assert score(rollout, stored, RewardSettings()).answer == 1.0
    unpaid = score(rollout, stored, RewardSettings(), Verdict(None, "no_number"))
    assert (unpaid.total, unpaid.answer) == (None, None)
    found = step_metrics([rollout] * 2, [unpaid, score(rollout, stored, RewardSettings(), Verdict(0.4, "ok"))])
    assert found["reward/answer"] == 0.4 and found["tier/no_call"] == 1.0
    case = case_of(rollout, stored)
    assert case.answer == case.reference == "It is open."
    assert [message["content"] for message in case.dialogue] == ["Where is W0?"]


def test_the_distribution_of_scores_is_of_those_there_are():
    found = judge_metrics([Verdict(None, "no_number"), Verdict(0.0, "empty"), Verdict(1.0, "ok"), Verdict(0.2, "ok")])
    assert found == {
        "judge/no_score": 0.25,
        "judge/clamped": 0.25,
        "judge/mean": pytest.approx(0.4),
        "judge/share_at_0": pytest.approx(1 / 3),
        "judge/share_at_1": pytest.approx(1 / 3),
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"judge": "gpt"}, "--judge must be offline"),
        ({"judge": "openai:m", "judge_base_url": "x"}, "--judge-base-url must be"),
        (
            {"judge": "openai:m", "judge_extra_body": '{"n": 2}'},
            "--judge-extra-body must not set n; --judge and",
        ),
        ({"judge": "openai:m", "judge_concurrency": 0}, "--judge-concurrency must be at least 1"),
        ({"judge": "openai:m", "judge_budget_usd": -1.0}, "--judge-budget-usd must be at least 0"),
        ({"judge": "openai:m", "judge_budget_usd": float("inf")}, "--judge-budget-usd must be .* not inf"),
        ({"judge": "openai:m", "judge_temperature": float("nan")}, "--judge-temperature must be .* not nan"),
        ({"judge_budget_usd": 1.0}, "--judge-budget-usd says nothing with --judge offline"),
    ],
)
def test_wrong_flags_are_named_as_they_are_here(given, words):
    with pytest.raises(UsageError, match=words):
        JudgeSettings(**given).check()


RANKS = """
import sys
from pathlib import Path
import torch.distributed as ranks
from synth.asking.asker import RunStopped
from tests.synth.judging.test_model_judge import cases, options, scores
from train.judging import open_step_judge

ranks.init_process_group("gloo")
rank, logged = ranks.get_rank(), {}
with open_step_judge(options(Path(sys.argv[1]) / str(rank), sys.argv[2], journal=Path(sys.argv[1]) / "j")) as judge:
    found = scores(judge.judge(cases(*[["worth 1", "worth 2", "worth 3"], ["worth 3"]][rank]), logged.__setitem__))
    print(f"rank {rank}: {found} {logged['judge/usd'] > 0}\\n", end="")
    try:
        judge.judge(cases(*["worth mute"] * (rank + 1)), logged.__setitem__)
    except RunStopped as stopped:
        print(f"rank {rank} stopped: {stopped}\\n", end="")
"""


@pytest.mark.slow
def test_one_rank_asks_for_all(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (tmp_path / "script.py").write_text(RANKS)
    for rank in "01":
        (tmp_path / rank).mkdir()
    with Stub(tmp_path) as stub:
        words = ["-m", "torch.distributed.run", "--nproc-per-node", "2", tmp_path / "script.py", tmp_path, stub.url]
        done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "rank 0: [0.2, 0.4, 0.6] True" in done.stdout and "rank 1: [0.6] True" in done.stdout
        assert done.stdout.count("gave none of the 3 answers of this step a score (no_number 3)") == 2
        assert len(stub.requests()) == 3 + 3
