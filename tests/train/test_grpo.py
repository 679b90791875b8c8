import polars as pl
import pytest

from curate.folder import DatasetFolder
from tests.train.rows import asked_orders, build_tokenizer
from train.grpo import main


@pytest.fixture
def data(tmp_path, cache_of):
    cache_of(*asked_orders(8))  # tmp_path/rows and tmp_path/cache
    return tmp_path / "rows"


FAST = "--generations 2 --prompts 2 --batch-size 4 --max-steps 3 --beta 0.1"
SHORT = "--max-completion 24 --min-first 4 --answer-room 2"


def ask(tmp_path, data, model, out, *more):
    words = [
        "--cache",
        tmp_path / "cache",
        "--model",
        model,
        "--out",
        tmp_path / out,
        *FAST.split(),
        *SHORT.split(),
        *more,
    ]
    return [str(data), *map(str, words)]


def without_times(folder):
    """The metrics of a run's steps, without how long they took."""
    found = pl.read_parquet(folder / "metrics.parquet").filter(pl.col("reward").is_not_null())
    return found.drop(*(name for name in found.columns if name == "step_time" or name.startswith(("time/", "judge/s"))))


def test_a_step_makes_rollouts_pays_them_and_keeps_them(data, model, tmp_path, capsys):
    assert main(ask(tmp_path, data, model, "out")) == 0
    assert "3 steps" in capsys.readouterr().out
    metrics = pl.read_parquet(tmp_path / "out" / "metrics.parquet")
    assert metrics["reward"].drop_nulls().len() == 3
    assert {"tier/no_call", "ended/truncated", "rollout/min_first_bound", "time/cache_s", "time/reward_s"} <= set(
        metrics.columns
    )
    rollouts = list(DatasetFolder.open(tmp_path / "out" / "rollouts", kinds=("rollouts",)).rows("trajectories"))
    assert len(rollouts) == 12 and all(row["parent"]["message_index"] == 0 for row in rollouts)
    assert len({row["trajectory_id"] for row in rollouts}) == 12


def test_injected_tokens_have_mask_0_in_the_batch_that_is_trained(data, model, tmp_path, monkeypatch):
    from trl.trainer.grpo_trainer import GRPOTrainer

    from train import generation

    tokenizer = build_tokenizer()
    call_ids = tokenizer.encode(
        '<tool_call>\n{"name": "get_order", "arguments": {"order_id": "W1"}}\n</tool_call><|im_end|>',
        add_special_tokens=False,
    )
    answer = tokenizer.encode("Open.<|im_end|>", add_special_tokens=False)

    def scripted(self, prompts, min_new, max_new):
        called = [prompt[-60:].count(tokenizer.convert_tokens_to_ids("<tool_response>")) for prompt in prompts]
        return [generation.Generated(answer if done else call_ids) for done in called]

    monkeypatch.setattr(generation.TrainerGenerate, "__call__", scripted)
    seen, real = [], GRPOTrainer._compute_loss

    def loss(self, model, inputs):
        seen.append({name: inputs[name].clone() for name in ("completion_ids", "completion_mask", "tool_mask")})
        return real(self, model, inputs)

    monkeypatch.setattr(GRPOTrainer, "_compute_loss", loss)
    assert main(ask(tmp_path, data, model, "out", "--max-completion", "200", "--max-steps", "1")) == 0
    (batch,) = seen
    for ids, there, said in zip(batch["completion_ids"], batch["completion_mask"], batch["tool_mask"], strict=True):
        trained = [int(token) for token, a, b in zip(ids, there, said, strict=True) if a and b]
        assert trained == call_ids + answer
        injected = tokenizer.decode([int(token) for token, a, b in zip(ids, there, said, strict=True) if a and not b])
        assert '{"status": "open"}' in injected and injected.endswith("<|im_start|>assistant\n")


def test_the_same_seed_gives_the_same_weights_and_a_resumed_run_too(data, model, tmp_path, monkeypatch):
    from transformers import Trainer

    more = ("--save-every", "1")
    assert main(ask(tmp_path, data, model, "one", *more)) == 0
    step = Trainer.training_step

    def stops(self, *given, **named):
        if self.state.global_step == 2:
            raise KeyboardInterrupt
        return step(self, *given, **named)

    monkeypatch.setattr("trl.trainer.grpo_trainer.GRPOTrainer.training_step", stops)
    assert main(ask(tmp_path, data, model, "two", *more)) == 130
    monkeypatch.undo()
    assert main(ask(tmp_path, data, model, "two", *more)) == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]
    metrics = [without_times(tmp_path / name) for name in ("one", "two")]
    assert metrics[0].height == 3
    assert metrics[0].equals(metrics[1])
    told = [DatasetFolder.open(tmp_path / name / "rollouts") for name in ("one", "two")]
    assert list(told[0].rows("trajectories")) == list(told[1].rows("trajectories"))


def test_a_run_that_was_stopped_while_it_wrote_the_model_writes_it_again(data, model, tmp_path, monkeypatch):
    from train.model_folder import ModelFolder

    def stops(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ModelFolder, "publish", stops)
    more = ("--save-every", "1", "--max-steps", "1")
    assert main(ask(tmp_path, data, model, "stopped", *more)) == 130
    monkeypatch.undo()
    for name in ("stopped", "straight"):
        assert main(ask(tmp_path, data, model, name, *more)) == 0
        assert DatasetFolder.open(tmp_path / name / "rollouts").manifest.rows("trajectories") == 4
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("stopped", "straight")]
    assert weights[0] == weights[1]


def test_too_few_prompts_are_told(data, model, tmp_path, capsys):
    assert main(ask(tmp_path, data, model, "out", "--prompts", "64", "--batch-size", "2")) == 2
    assert "8 prompts" in capsys.readouterr().err
    assert main(ask(tmp_path, data, model, "out", "--batch-size", "3")) == 2
    assert "do not divide" in capsys.readouterr().err
