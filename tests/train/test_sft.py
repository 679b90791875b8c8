import json

import polars as pl
import pytest

from tests.train.rows import asked_orders, write_folder
from train.sft import main


@pytest.fixture
def data(tmp_path):
    return write_folder(tmp_path / "data", asked_orders(6))


def arguments(data, model, *more):
    fast = ["--batch-size", "2", "--accumulate", "1", "--learning-rate", "1e-3"]
    return [str(data), "--model", str(model), *fast, *map(str, more)]


def test_a_dry_run_shows_what_is_trained(data, model, capsys):
    assert main(arguments(data, model, "--dry-run")) == 0
    text = capsys.readouterr().out
    assert "⟦<think>\nThe order is open.\n</think>\n\nIt is open.<|im_end|>⟧" in text
    assert "6 examples" in text and "⟦{" not in text


def test_a_model_is_trained_saved_with_its_template_and_up_to_date(data, model, tmp_path, capsys):
    from transformers import AutoTokenizer

    ask = arguments(data, model, "--out", tmp_path / "out", "--max-steps", 4)
    assert main(ask) == 0
    saved = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert "Hermes" in saved.chat_template
    metrics = pl.read_parquet(tmp_path / "out" / "metrics.parquet")
    assert metrics["loss"].drop_nulls().len() == 4
    assert json.loads((tmp_path / "out" / "training.json").read_text())["counts"]["examples"] == 6
    assert not (tmp_path / "out.checkpoints").exists()
    assert main(ask) == 0 and "up to date" in capsys.readouterr().err


def test_other_settings_do_not_replace_a_model(data, model, tmp_path, capsys):
    ask = arguments(data, model, "--out", tmp_path / "out", "--max-steps", 1)
    assert main(ask) == 0
    assert main([*ask, "--seed", "3"]) == 2 and "--overwrite" in capsys.readouterr().err
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "x").touch()
    assert main(arguments(data, model, "--out", tmp_path / "theirs")) == 2


def test_a_run_goes_on_from_its_checkpoint_bit_for_bit(data, model, tmp_path, monkeypatch):
    from transformers import Trainer

    more = ["--max-steps", 4, "--save-every", 2]
    assert main(arguments(data, model, "--out", tmp_path / "straight", *more)) == 0
    step = Trainer.training_step

    def stops(self, *given, **named):
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        return step(self, *given, **named)

    monkeypatch.setattr(Trainer, "training_step", stops)
    assert main(arguments(data, model, "--out", tmp_path / "killed", *more)) == 130
    monkeypatch.setattr(Trainer, "training_step", step)
    assert (tmp_path / "killed.checkpoints" / "checkpoint-2").is_dir() and not (tmp_path / "killed").exists()
    assert main(arguments(data, model, "--out", tmp_path / "killed", *more)) == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("straight", "killed")]
    assert weights[0] == weights[1]
    losses = [
        pl.read_parquet(tmp_path / name / "metrics.parquet")["loss"].drop_nulls().to_list()
        for name in ("straight", "killed")
    ]
    assert losses[0] == losses[1]


def test_adapters_are_merged_into_the_saved_model(data, model, tmp_path):
    from transformers import AutoModelForCausalLM

    ask = arguments(data, model, "--out", tmp_path / "out", "--max-steps", 2, "--lora-rank", 4)
    assert main(ask) == 0
    names = {name for name, _ in AutoModelForCausalLM.from_pretrained(tmp_path / "out").named_parameters()}
    assert names and not any("lora" in name for name in names)


def test_wrong_settings_are_told(data, model, tmp_path, capsys):
    assert main(arguments(data, model)) == 2 and "--out" in capsys.readouterr().err
    assert main([str(data), "--model", str(tmp_path / "none"), "--dry-run"]) == 2
    assert "no tokenizer" in capsys.readouterr().err
    assert main(arguments(data, model, "--dry-run", "--max-length", "5")) == 2
    assert "does not fit" in capsys.readouterr().err
