"""What all commands have in common: `--help` is quick, `cacherl` knows them, and only training imports torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate.cli import COMMANDS

TRAINERS = {"torch", "trl", "transformers", "peft", "accelerate"}
HEAVY = TRAINERS | {
    "pyarrow",
    "polars",
    "matplotlib",
    "datasets",
    "numpy",
    "pandas",
    "jinja2",
    "jsonschema",
    "rapidfuzz",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_quick_because_it_imports_nothing_heavy(name):
    code = (
        "import importlib, sys\n"
        f"module = importlib.import_module({COMMANDS[name]!r})\n"
        "try:\n    module.main(['--help'])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        f"assert not {HEAVY!r} & set(sys.modules), {HEAVY!r} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: python -m " in done.stdout


# One line a command of curate, synth and cachebuild, in the order in which they need each other's results.
WORK = """
curate.sandbox --preset mini --episodes 30 --out desk.jsonl
curate desk.jsonl --out curated
curate.show curated
curate.verify curated
curate.stats curated
curate.lineage curated
synth.augment curated --teacher offline --out augmented
cachebuild augmented --out cache
cachebuild.audit cache --queries augmented --out audit
cachebuild.withdraw cache --tool list --reason test
cachebuild.compact cache --drop
cachebuild.demo --out demo --data desk.jsonl
train.estimate --gpus 64
"""
ELSEWHERE = {
    "curate.record": "a server; its own tests run it in a process",
    "curate.intake": "needs a Redis server; its own tests start one",
    "cachebuild.recording": "reads what a live cache has written down",
    "app": "a server; its own tests run it in a process",
    "app.accounts": "needs the extra, and a database of labels; its own tests have one",
    "app.export": "the same",
    "app.restore": "the same",
}
"""Commands without a line, and why."""


def test_every_command_but_training_has_its_work_run_here():
    lines = {line.split()[0] for line in WORK.split("\n") if line}
    other = {name for name in COMMANDS if not name.startswith("train.")} - set(ELSEWHERE)
    assert other == lines - {"train.estimate"}


def test_no_work_outside_training_imports_torch(tmp_path):
    for line in filter(None, WORK.split("\n")):
        name, *words = line.split()
        code = (
            "import importlib, sys\n"
            f"code = importlib.import_module({COMMANDS[name]!r}).main({words!r})\n"
            f"found = {TRAINERS!r} & set(sys.modules)\n"
            "assert not code, code\n"
            "assert not found, found\n"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=_env(), capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.startswith("train.")])
def test_help_and_wrong_flags_of_training_need_no_torch(name):
    code = (
        "import importlib, sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, *given):\n"
        f"        if name.partition('.')[0] in {TRAINERS!r}:\n            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"module = importlib.import_module({COMMANDS[name]!r})\n"
        "for flag, code in ('--no-such-flag', 2), ('--help', 0):\n"
        "    try:\n        module.main([flag])\n"
        "    except SystemExit as stop:\n        assert (stop.code or 0) == code\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _env():
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
