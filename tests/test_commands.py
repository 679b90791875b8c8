"""What all commands have in common: `--help` is quick, and `cacherl` knows them."""

import subprocess
import sys

import pytest

from curate.cli import COMMANDS

HEAVY = {"pyarrow", "polars", "matplotlib", "datasets", "numpy", "pandas", "jinja2", "jsonschema", "rapidfuzz", "torch"}


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
