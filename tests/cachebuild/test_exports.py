import subprocess
import sys

import pytest

import cachebuild


def test_public_names_are_imported_when_asked_for():
    from cachebuild import Answer, Session, ToolCache

    assert {Answer, Session, ToolCache} == {getattr(cachebuild, name) for name in cachebuild.__all__}
    assert set(cachebuild.__all__) <= set(dir(cachebuild))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = cachebuild.Nothing


@pytest.mark.parametrize("module", ["cachebuild", "cachebuild.__main__", "cachebuild.audit"])
def test_starting_a_command_loads_nothing_heavy(module):
    heavy = ("polars", "pyarrow", "pandas", "matplotlib", "torch", "rapidfuzz", "cachebuild.cache")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
