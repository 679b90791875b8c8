"""What TRL is told of vLLM. vLLM is not installed here: the config is built for each mode, the trainer is not."""

import pytest
from datasets import Dataset

from curate.errors import UsageError
from train.grpo_trainer import grpo_config
from train.settings import GroupSettings, GrpoSettings, PromptSettings
from train.trainer_settings import LoraSettings, OptimiserSettings, VllmSettings
from train.trainers import lora_of


def config(tmp_path, **engine):
    group = GroupSettings(engine=VllmSettings(**engine))
    settings = GrpoSettings(
        data=tmp_path,
        cache=tmp_path,
        model="model",
        out=tmp_path / "out",
        prompt=PromptSettings(max_prompt=16_384),
        group=group,
        optimiser=OptimiserSettings(batch_size=16),
    )
    settings.check()
    return grpo_config(settings, tmp_path / "checkpoints")


def test_without_vllm_nothing_is_said_of_it(tmp_path):
    found = config(tmp_path)
    assert not found.use_vllm and found.vllm_max_model_length is None
    assert (found.num_generations, found.generation_batch_size, found.gradient_accumulation_steps) == (16, 128, 8)


def test_beside_the_trainer_vllm_gets_its_share_and_room_for_prompt_and_completion(tmp_path, monkeypatch):
    monkeypatch.setattr("train.grpo_trainer.world", lambda: 2)
    found = config(tmp_path, vllm="colocate", vllm_memory=0.45, vllm_tensor_parallel=2)
    assert (found.use_vllm, found.vllm_mode) == (True, "colocate")
    assert (found.vllm_gpu_memory_utilization, found.vllm_tensor_parallel_size) == (0.45, 2)
    assert found.vllm_max_model_length == 16_384 + 32_768
    assert not found.vllm_enable_sleep_mode


def test_gpus_of_one_copy_have_to_divide_all(tmp_path):
    with pytest.raises(UsageError, match="--vllm-tensor-parallel 2 does not divide 1 processes"):
        config(tmp_path, vllm="colocate", vllm_tensor_parallel=2)


def test_vllm_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setattr("train.trainer_settings.find_spec", lambda _: None)
    VllmSettings().need_installed()
    with pytest.raises(UsageError, match="--vllm server needs a package"):
        VllmSettings(vllm="server").need_installed()


def test_a_server_is_named_and_waited_for(tmp_path):
    found = config(tmp_path, vllm="server", vllm_server="http://node-9:8001", vllm_timeout=600.0)
    assert (found.vllm_mode, found.vllm_server_base_url, found.vllm_server_timeout) == (
        "server",
        "http://node-9:8001",
        600.0,
    )


@pytest.mark.parametrize("mode", ["colocate", "server"])
def test_what_vllm_thinks_likely_is_corrected_token_by_token(tmp_path, mode):
    found = config(tmp_path, vllm=mode)
    assert found.vllm_importance_sampling_correction
    assert (found.vllm_importance_sampling_mode, found.vllm_importance_sampling_clip_max) == ("token_truncate", 3.0)


@pytest.mark.parametrize("mode", ["colocate", "server"])
def test_a_trainer_with_vllm_says_what_is_missing(tmp_path, mode):
    from importlib.util import find_spec

    if find_spec("vllm") is not None:
        pytest.skip("vllm is installed")
    from trl.trainer.grpo_trainer import GRPOTrainer

    from tests.train.rows import build_model, build_tokenizer

    tokenizer = build_tokenizer()
    with pytest.raises(ImportError, match="vLLM is not available"):
        GRPOTrainer(
            model=build_model(tokenizer),
            args=config(tmp_path, vllm=mode),
            reward_funcs=lambda **given: [0.0],
            train_dataset=Dataset.from_dict({"prompt": ["a"]}),
            processing_class=tokenizer,
            peft_config=lora_of(LoraSettings(lora_rank=2)),
        )
