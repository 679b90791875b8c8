import json
from dataclasses import replace

import pytest

from curate.cli import parse
from curate.errors import UsageError
from train.context import context_of, fitted
from train.presets import GRPO_PRESETS, SFT_PRESETS
from train.settings import GrpoSettings, SftSettings
from train.trainer_settings import TRACKERS

GRPO = ["DATA", "--cache", "CACHE", "--model", "MODEL", "--out", "OUT"]
SFT = ["DATA", "--model", "MODEL", "--out", "OUT"]


def grpo(*flags):
    return parse(GrpoSettings, "python -m train.grpo", "", [*GRPO, *map(str, flags)], GRPO_PRESETS)


def sft(*flags):
    return parse(SftSettings, "python -m train.sft", "", [*SFT, *map(str, flags)], SFT_PRESETS)


def test_the_paper_preset_is_the_paper():
    found = grpo("--preset", "paper")
    found.check()
    assert (found.lora.lora_rank, found.lora.lora_alpha) == (128, 128)
    assert (found.group.generations, found.group.beta, found.optimiser.learning_rate) == (16, 0.15, 1e-6)
    assert (found.prompt.max_prompt, found.rollout.max_completion, found.rollout.min_first) == (16_384, 32_768, 150)
    assert sft("--preset", "paper").lora.lora_rank == 0


def test_the_mini_presets_are_whole_and_checked():
    practice, tuned = grpo("--preset=mini"), sft("--preset=mini")
    practice.check()
    tuned.check()
    assert practice.optimiser.batch_size % (practice.group.prompts * practice.group.generations) == 0
    assert practice.rollout.max_completion <= tuned.tokens.max_length and practice.rollout.min_first == 0
    assert practice.optimiser.max_steps and tuned.optimiser.max_steps


def test_flags_override_a_config_file_which_overrides_a_preset(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text(
        "preset: paper\ngroup: {generations: 4, engine: {vllm: colocate}}\noptimiser: {learning-rate: 2.0e-6}\n"
    )
    found = grpo("--config", config, "--generations", 8)
    assert (found.group.generations, found.optimiser.learning_rate, found.lora.lora_rank) == (8, 2e-6, 128)
    assert found.group.engine.vllm == "colocate" and found.group.beta == 0.15
    assert grpo("--config", config, "--preset", "mini").group.prompts == 16


def test_a_part_of_a_nested_setting_leaves_the_rest_at_its_own_default(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("run: {report_to: []}\n")
    assert grpo("--config", config).run.save_every == grpo().run.save_every == 20


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("preset: none_such\n", "preset"),
        ("group: {generation: 3}\n", "unknown setting 'generation'"),
        ("group: {generations: many}\n", "generations"),
        ("- a list\n", "mapping"),
    ],
)
def test_a_wrong_config_file_is_one_line_and_exit_2(tmp_path, capsys, body, told):
    config = tmp_path / "run.yaml"
    config.write_text(body)
    with pytest.raises(SystemExit) as stop:
        grpo("--config", config)
    lines = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and len(lines) == 1 and told in lines[0]


@pytest.mark.parametrize(
    "flags",
    [
        "--max-prompt -1",
        "--min-reward nan",
        "--generations 1",
        "--temperature nan",
        "--temperature 0",
        "--beta -0.1",
        "--beta inf",
        "--weight-decay -1",
        "--seed -1",
        "--warmup-share nan",
        "--learning-rate inf",
        "--save-every 0",
        "--vllm-memory 0",
        "--vllm-memory 1.5",
        "--vllm-memory nan",
        "--vllm-tensor-parallel 0",
        "--vllm server --vllm-tensor-parallel 2",
        "--vllm server --vllm-server localhost:8000",
        "--vllm-timeout 0",
        "--max-completion 0",
        "--answer-room 64 --max-completion 64",
        "--min-first 65 --max-turn 64",
        "--constant nan",
        "--dropout 1",
    ],
)
def test_settings_that_cannot_be_right_are_refused_by_the_flags_name(flags):
    words = flags.split()
    with pytest.raises(UsageError) as error:
        grpo(*words).check()
    assert any(word in str(error.value) for word in words if word.startswith("--"))


def test_an_unknown_tracker_and_one_that_is_not_installed_are_one_line(monkeypatch):
    with pytest.raises(UsageError, match="no tracker 'excel'; known are trackio, wandb, tensorboard"):
        grpo("--report-to", "excel").check()
    monkeypatch.setattr("train.trainer_settings.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="pip install wandb"):
        sft("--report-to", "wandb").check()


def test_trackers_are_those_of_transformers():
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    assert set(TRACKERS) <= set(INTEGRATION_TO_CALLBACK)


def _model(tmp_path, **told):
    (tmp_path / "config.json").write_text(json.dumps(told))
    return str(tmp_path)


def test_prompt_and_completion_have_to_fit_the_model(tmp_path):
    model = _model(tmp_path, max_position_embeddings=40_960)
    assert context_of(model) == 40_960
    paper = replace(grpo("--preset", "paper"), model=model)
    with pytest.raises(UsageError, match="--max-prompt 16384 and --max-completion 32768 do not fit the 40,960 pos"):
        fitted(paper)
    exact = replace(paper, prompt=replace(paper.prompt, max_prompt=8_192))
    assert fitted(exact) == exact


def test_a_prompt_may_have_what_a_completion_leaves(tmp_path):
    model = _model(tmp_path, max_position_embeddings=640)
    small = replace(grpo("--preset", "mini"), model=model)
    assert fitted(small).prompt.max_prompt == 640 - small.rollout.max_completion > 0
    with pytest.raises(UsageError, match="leave no room for a prompt"):
        fitted(replace(grpo(), model=model))
    assert fitted(replace(grpo(), model=str(tmp_path / "none"))).prompt.max_prompt == 16_384


@pytest.mark.parametrize(
    ("told", "context"),
    [
        ({"text_config": {"max_position_embeddings": 9}}, 9),
        ({"max_position_embeddings": 40_960, "rope_scaling": None}, 40_960),
        (
            {
                "max_position_embeddings": 40_960,
                "rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 32_768},
            },
            131_072,
        ),
        ({"max_position_embeddings": "many"}, None),
        ({}, None),
    ],
)
def test_the_context_is_read_from_config_json(tmp_path, told, context):
    assert context_of(_model(tmp_path, **told)) == context


def test_a_damaged_config_json_says_nothing(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xff{")
    assert context_of(str(tmp_path)) is None and context_of("none/such-model") is None
