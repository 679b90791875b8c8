"""The README holds: its commands run, its tree is the tree, its Python works."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PACKAGES = ("curate", "synth", "cachebuild", "train", "app", "benchmarks")


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    for command in filter(None, block("bash").splitlines()):
        words = shlex.split(command)
        assert words[:2] == ["python", "-m"], command
        done = subprocess.run([sys.executable, *words[1:]], cwd=folder, capture_output=True, text=True, env=_env())
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    return folder


def _env():
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


def test_commands_run_in_order(workdir):
    assert (workdir / "audit" / "report.html").exists()


def test_python_example_runs(workdir):
    done = subprocess.run(
        [sys.executable, "-c", block("python")], cwd=workdir, capture_output=True, text=True, env=_env()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in ("exact", "normalised", "fuzzy", "best_effort", "unavailable")


def _tree() -> set[str]:
    """Paths that the README's tree names, folders taken from the lines above each file."""
    text = README.split("## The tree")[1].split("```")[1]
    found, folders = set(), []
    for line in text.splitlines():
        if not (name := line.split("  ")[0] or line.strip().split("  ")[0]):
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.strip().split("  ")[0]
        folders = [*folders[:depth], name]
        if not name.endswith("/"):
            found.add("".join(folders))
    return found


def test_tree_names_every_module_and_nothing_else():
    modules = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }
    named = _tree()
    assert modules - named == set()
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_make_targets_exist():
    targets = set(re.findall(r"^make ([\w-]+)", README, re.MULTILINE))
    assert targets == {"demo", "test", "train-mini"}
    assert all(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for target in targets)
