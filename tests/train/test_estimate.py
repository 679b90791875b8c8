import json
import re
import shlex
from pathlib import Path

import pytest

from train.estimate import EstimateSettings, main
from train.estimation import memory, seconds, serving
from train.model_shape import KNOWN, shape_of

PAGE = Path(__file__).parents[2] / "train" / "configs" / "README.md"
QWEN = "Qwen/Qwen3-4B-Thinking-2507"


def told(capsys, *flags):
    assert main([str(flag) for flag in flags]) == 0
    return capsys.readouterr().out


def together(text):
    """(GB of a GPU, seconds of a step) that the command adds up to."""
    found = re.findall(r"^together +([\d.]+)", text, re.MULTILINE)
    return float(found[0]), float(found[-1])


def commands():
    block = re.search(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)[1].splitlines()
    return {
        name.removeprefix("# "): shlex.split(command)[3:] for name, command in zip(block[::2], block[1::2], strict=True)
    }


def rows():
    lines = [
        line.strip("| \n").split("|") for line in PAGE.read_text().splitlines() if re.match(r"\| `\S+` \| \d", line)
    ]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_the_page_has_a_command_for_each_row():
    assert list(rows()) == list(commands())
    assert all((PAGE.parent / f"{name}.yaml").exists() for name in rows())


@pytest.mark.parametrize("name", commands())
def test_the_page_says_what_the_command_says(name, capsys):
    gigabytes, seconds = together(told(capsys, *commands()[name]))
    assert rows()[name][:2] == [f"{gigabytes:.1f}", f"{seconds:.0f}"] and gigabytes < 80


def test_parameters_are_those_of_the_model_card():
    shape = shape_of(QWEN)
    assert shape.parameters == 4_022_468_096  # "4.0B", of them 3.6B without the embedding
    assert round((shape.parameters - shape.embedding) / 1e9, 1) == 3.6
    assert shape.kv_bytes == 2 * 2 * 36 * 8 * 128
    assert shape.adapters(128) == 36 * 128 * 57_344


def test_parameters_are_those_that_transformers_builds(tmp_path):
    from tests.train.rows import build_model, build_tokenizer

    model = build_model(build_tokenizer())
    model.save_pretrained(tmp_path)
    assert shape_of(str(tmp_path)).parameters == sum(each.numel() for each in model.parameters())


def test_parts_on_more_gpus_are_smaller_and_steps_shorter():
    few, many = EstimateSettings(gpus=8), EstimateSettings(gpus=64)
    shape = shape_of(QWEN)
    assert sum(each.value for each in memory(shape, few)) > sum(each.value for each in memory(shape, many))
    assert seconds(shape, few)[0].value == pytest.approx(8 * seconds(shape, many)[0].value)


def test_states_are_16_bytes_a_parameter_however_they_are_shared():
    shape = shape_of(QWEN)
    for strategy, one in (("fsdp", "trained weights, float32"), ("zero2", "trained weights, bfloat16")):
        lines = {each.name: each.value for each in memory(shape, EstimateSettings(gpus=1, strategy=strategy))}
        states = [
            value for name, value in lines.items() if name in (one, "gradients", "Adam", "float32 weights and Adam")
        ]
        assert sum(states) == 16 * shape.parameters


def test_a_server_has_more_room_than_a_share_of_a_gpu():
    shape, given = shape_of(QWEN), {"stage": "grpo", "max_tokens": 49_152}
    beside = serving(shape, EstimateSettings(**given))[0].value
    assert serving(shape, EstimateSettings(**given, vllm="server", servers=4))[0].value > beside > 0


def test_what_does_not_fit_is_said(capsys):
    text = told(capsys, "--gpus", 1, "--strategy", "ddp")
    assert "of 80 GB: does not fit" in told(capsys, "--gpus", 1, "--strategy", "ddp", "--max-tokens", 65536)
    assert together(text)[0] > 64


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ("--gpus 0", "--gpus"),
        ("--mfu nan", "--mfu"),
        ("--mean-tokens 20000", "--mean-tokens"),
        ("--stage grpo --max-prompt 16384", "--max-prompt"),
        ("--stage grpo --max-tokens 49152 --vllm server", "--servers"),
        ("--strategy ddp --offload", "--offload"),
        ("--model none/such", "--model"),
    ],
)
def test_wrong_flags_are_one_line(flags, name, capsys):
    assert main(flags.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and name in lines[0]


def test_a_config_json_without_dimensions_is_refused(tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 4}))
    assert main(["--model", str(tmp_path)]) == 2
    assert "num_attention_heads" in capsys.readouterr().err
    assert set(KNOWN) == {QWEN}
