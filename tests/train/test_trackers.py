"""What is logged reaches metrics.parquet under names that stay, and a tracker."""

import polars as pl
import pytest

from tests.train.rows import asked_orders, write_folder
from train.grpo import main as grpo
from train.metric_names import GRPO_METRICS
from train.sft import main as sft


@pytest.fixture
def data(tmp_path, cache_of):
    cache_of(*asked_orders(8))
    return tmp_path / "rows"


def practise(data, model, tmp_path, *more):
    words = ["--generations", 2, "--prompts", 2, "--batch-size", 4, "--max-steps", 2, "--max-completion", 24]
    place = ["--cache", tmp_path / "cache", "--model", model, "--out", tmp_path / "out"]
    return grpo([str(data), *map(str, [*place, *words, "--min-first", 4, "--answer-room", 2, *more])])


def events(folder):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard"
    )
    found = event_accumulator.EventAccumulator(str(folder))
    found.Reload()
    return {name: [(each.step, each.value) for each in found.Scalars(name)] for name in found.Tags()["scalars"]}


def test_practice_is_logged_under_names_that_stay_and_in_tensorboard(data, model, tmp_path):
    pytest.importorskip("tensorboard", reason="needs tensorboard")
    assert practise(data, model, tmp_path, "--report-to", "tensorboard") == 0
    table = pl.read_parquet(tmp_path / "out" / "metrics.parquet")
    assert tuple(table.columns[: len(GRPO_METRICS)]) == GRPO_METRICS
    rows = table.filter(pl.col("reward").is_not_null())
    assert rows["step"].to_list() == [1, 2]
    always = [name for name in GRPO_METRICS if not name.startswith("reward_by_tier/")]
    assert [name for name in always if rows[name].null_count()] == []
    logged = events(tmp_path / "out.tensorboard")
    for name in ("reward", "frac_reward_zero_std", "tier/no_call", "process/call_order", "rollout/calls"):
        assert [step for step, _ in logged[f"train/{name}"]] == [1, 2]
        assert [value for _, value in logged[f"train/{name}"]] == pytest.approx(rows[name].to_list(), rel=1e-5)


def test_fine_tuning_is_logged_in_tensorboard(tmp_path, model):
    pytest.importorskip("tensorboard", reason="needs tensorboard")
    data = write_folder(tmp_path / "data", asked_orders(4))
    words = ["--model", model, "--out", tmp_path / "out", "--max-steps", 2, "--report-to", "tensorboard"]
    assert sft([str(data), *map(str, words)]) == 0
    losses = pl.read_parquet(tmp_path / "out" / "metrics.parquet")["loss"].drop_nulls().to_list()
    assert [value for _, value in events(tmp_path / "out.tensorboard")["train/loss"]] == pytest.approx(losses, rel=1e-5)


def test_a_tracker_that_is_not_there_stops_the_run_before_it_begins(data, model, tmp_path, capsys):
    assert practise(data, model, tmp_path, "--report-to", "excel") == 2
    assert practise(data, model, tmp_path, "--report-to", "dvclive") == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and "no tracker 'excel'" in told[0] and "pip install dvclive" in told[1]
    assert not (tmp_path / "out.checkpoints").exists()
