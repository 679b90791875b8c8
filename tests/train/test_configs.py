"""The files of train/configs: they parse, fit each other, and train a tiny model of the same family."""

import os
import re
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import train
from curate.cli import load_config, parse
from tests.train.rows import asked_orders
from train.presets import GRPO_PRESETS, SFT_PRESETS
from train.settings import GrpoSettings, SftSettings

ROOT = Path(__file__).parents[2]
FOLDER = Path(train.__file__).parent / "configs"
GPUS = (1, 8, 64)
ACCELERATE = [f"{kind}-{gpus}" for kind in ("fsdp", "deepspeed") for gpus in GPUS]
SFT = [f"sft-{gpus}" for gpus in GPUS]
GRPO = {"grpo-1": 1, "grpo-8": 8, "grpo-64": 64, "grpo-8-server": 4, "grpo-64-server": 32}
"""Settings of practice -> how many processes train."""
FAST = ["--max-steps", "2", "--learning-rate", "1e-2", "--no-activation-checkpointing", "--save-every", "100"]


def test_every_file_is_known():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*ACCELERATE, *SFT, *GRPO}


@pytest.mark.parametrize("name", ACCELERATE)
def test_accelerate_reads_its_file(name):
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    found = load_config_from_file(str(FOLDER / f"{name}.yaml"))
    gpus = int(name.rpartition("-")[2])
    assert isinstance(found, ClusterConfig) and found.mixed_precision == "bf16" and not found.use_cpu
    assert (found.num_processes, found.num_machines) == (gpus, max(1, gpus // 8))
    known = {action.dest for action in launch_command_parser()._actions}
    told = found.fsdp_config or found.deepspeed_config
    unknown = {key for key in told if key not in known and f"fsdp_{key}" not in known}
    assert unknown <= {"fsdp_transformer_layer_cls_to_wrap"} and told


@pytest.mark.parametrize("kind", ["fsdp", "deepspeed"])
def test_more_gpus_change_nothing_but_their_number_and_what_is_offloaded(kind):
    one, eight, many = (yaml.safe_load((FOLDER / f"{kind}-{gpus}.yaml").read_text()) for gpus in GPUS)
    for other in (one, many):
        differ = {key for key in eight if eight[key] != other[key]}
        assert differ <= {"num_processes", "num_machines", "rdzv_backend", f"{kind}_config"}
    part = f"{kind}_config"
    assert eight[part] == many[part]
    assert {key for key in one[part] if one[part][key] != eight[part][key]} == {
        {"fsdp": "fsdp_offload_params", "deepspeed": "offload_optimizer_device"}[kind]
    }


@pytest.mark.parametrize("gpus", GPUS)
def test_fine_tuning_takes_64_examples_a_step_on_any_number_of_gpus(gpus):
    words = ["DATA", "--config", str(FOLDER / f"sft-{gpus}.yaml"), "--out", "OUT"]
    found = parse(SftSettings, "python -m train.sft", "", words, SFT_PRESETS)
    found.check()
    assert gpus * found.optimiser.batch_size * found.optimiser.accumulate == 64
    assert found.lora.lora_rank == 0 and found.optimiser.activation_checkpointing
    assert found.model == "Qwen/Qwen3-4B-Thinking-2507"


@pytest.mark.parametrize("name", GRPO)
def test_practice_is_the_paper_s_and_divides_by_the_gpus(name):
    from train.grpo_trainer import _accumulation

    place = ["--cache", "CACHE", "--model", "MODEL", "--out", "OUT"]
    words = ["DATA", *place, "--config", str(FOLDER / f"{name}.yaml")]
    found = parse(GrpoSettings, "python -m train.grpo", "", words, GRPO_PRESETS)
    found.check()
    assert (found.lora.lora_rank, found.group.beta, found.optimiser.learning_rate) == (128, 0.15, 1e-6)
    assert found.group.engine.vllm == ("server" if name.endswith("server") else "colocate")
    rollouts = GRPO[name] * _accumulation(found, GRPO[name]) * found.optimiser.batch_size
    assert rollouts == found.group.prompts * 16 == (512 if "64" in name else 128)


def test_files_name_files_and_flags_that_exist():
    for path in FOLDER.glob("*.yaml"):
        head = "".join(line for line in path.read_text().splitlines(keepends=True) if line.startswith("#"))
        for named in re.findall(r"train/configs/\S+", head):
            assert (ROOT / named).exists(), f"{path}: {named}"
    assert load_config(GrpoSettings, FOLDER / "grpo-8.yaml").group.engine.vllm_memory == 0.4


@pytest.fixture
def place(tmp_path, cache_of, model):
    """A folder with `rows`, `cache` and a tiny Qwen3, `model`."""
    cache_of(*asked_orders(8))
    return tmp_path


def environment(name):
    """What `accelerate launch --config_file` would set."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    given = launch_command_parser().parse_args(["--config_file", str(FOLDER / f"{name}.yaml"), "run.py"])
    asked, file, mixed = _validate_launch_command(given)
    if not asked.use_deepspeed:
        return prepare_multi_gpu_env(asked)
    fields = [*file.deepspeed_config, *(["mixed_precision"] if mixed else [])]
    asked.deepspeed_fields_from_accelerate_config = ",".join(fields)  # as `launch_command` does
    return prepare_deepspeed_cmd_env(asked)[1]


def launch(place, command, arguments, *, processes=2, name=None):
    """Run a command in several processes on the CPU; returns what they print."""
    env = os.environ | (environment(name) if name else {})
    env |= {"ACCELERATE_MIXED_PRECISION": "no", "DS_ACCELERATOR": "cpu", "FSDP_OFFLOAD_PARAMS": "false"}
    env |= {"PYTHONPATH": str(ROOT), "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "none", "OMP_NUM_THREADS": "1"}
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(processes), "--master_port", port]
    words = [*start, str(Path(__file__).parent / "launched.py"), command, *map(str, arguments)]
    done = subprocess.run(words, cwd=place, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def tuning(out, batch):
    return ["rows", "--model", "model", "--out", out, "--batch-size", batch, "--accumulate", "1", *FAST]


def practice(out, batch):
    sizes = ["--generations", "4", "--prompts", "2", "--batch-size", batch, "--lora-rank", "4"]
    short = ["--max-completion", "24", "--min-first", "4", "--answer-room", "2"]
    return ["rows", "--cache", "cache", "--model", "model", "--out", out, *sizes, *short, *FAST]


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def furthest(one, two):
    """The greatest difference between weights of the same names."""
    assert one.keys() == two.keys()
    return max(float((one[name] - two[name]).abs().max()) for name in one)


def test_fine_tuning_in_two_processes_is_that_in_one(place):
    told = launch(place, "train.sft", tuning("two", 2))
    assert told.count("2 steps, last loss") == 1 and "DistributedDataParallel" in told
    launch(place, "train.sft", tuning("one", 4), processes=1)
    assert (
        furthest(weights(place / "two"), weights(place / "one"))
        < 1e-4
        < furthest(weights(place / "one"), weights(place / "model"))
    )
    assert launch(place, "train.sft", tuning("two", 2)) == ""  # up to date, said by one


@pytest.mark.parametrize(
    ("name", "wrapped"), [("fsdp-8", "FSDPQwen3ForCausalLM DTensor"), ("deepspeed-8", "DeepSpeedEngine Parameter")]
)
def test_weights_in_parts_are_trained_and_saved_as_whole_ones_are(place, name, wrapped):
    if "deepspeed" in name and find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed")
    told = launch(place, "train.sft", tuning("parts", 2), name=name)
    assert told.count(f"wrapped: {wrapped}") == 2
    launch(place, "train.sft", tuning("whole", 2))
    assert furthest(weights(place / "parts"), weights(place / "whole")) < 1e-4


@pytest.mark.parametrize("name", ["fsdp-8", "deepspeed-8"])
def test_practice_with_adapters_in_parts_is_that_with_whole_ones(place, name):
    from curate.folder import DatasetFolder

    if "deepspeed" in name and find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed")
    assert launch(place, "train.grpo", practice("parts", 4), name=name).count("2 steps; mean reward") == 1
    launch(place, "train.grpo", practice("whole", 4))
    found = [list(DatasetFolder.open(place / out / "rollouts").rows("trajectories")) for out in ("parts", "whole")]
    assert len({row["trajectory_id"] for row in found[0]}) == len(found[0]) == 16
    assert [row["messages"] for row in found[0]] == [row["messages"] for row in found[1]]
    assert furthest(weights(place / "parts"), weights(place / "whole")) < 1e-4
