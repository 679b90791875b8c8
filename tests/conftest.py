"""Fixtures of all rooms: where the real trajectories lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The machines that run this are noisy: no example may fail for being slow, and the same examples are tried every time.
settings.register_profile("cacherl", deadline=None, derandomize=True)
settings.load_profile("cacherl")

ROOT = Path(__file__).resolve().parents[1]


def shared_data() -> Path:
    """The folder of real trajectories; `CACHERL_SHARED` names the shared folder, or its data folder."""
    given = Path(os.environ.get("CACHERL_SHARED") or ROOT.parent / "shared")
    return given / "data" if (given / "data").is_dir() else given


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real trajectories, e.g. `shared / "tau_bench_airline_gpt4o.json.gz"`."""
    folder = shared_data()
    if not any(folder.glob("tau_bench_*.json.gz")):
        pytest.skip(f"no real trajectories in {folder}; set CACHERL_SHARED to the folder that holds them")
    return folder
