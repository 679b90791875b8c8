from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KEY = "sk-planted-8c1f0e7a6b5d4c3b2a19"
PRICES = """
looked_up: 2026-11-24
providers:
  openai: {batch: 0.5, models: {stub-1: {input: 1.0, output: 4.0, source: test}}}
  anthropic: {batch: 0.5, models: {stub-1: {input: 1.0, output: 4.0, source: test}}}
"""


def order(message: Any, trajectory: Any, at: int) -> Any:
    """A trajectory with five turns for a teacher, unlike those of other numbers."""
    number = f"W{70_000 + at}"
    return trajectory(
        message("user", f"Please tell me what became of my order {number}, it was a lamp."),
        message("assistant", None, ("get_order", json.dumps({"order_id": number}))),
        message("tool", json.dumps({"order_id": number, "status": "pending", "item": f"lamp {at}"})),
        message("assistant", None, ("get_item", json.dumps({"item": f"lamp {at}"}))),
        message("tool", '{"in_stock": true}'),
        message("assistant", "It is pending and in stock. Shall it be sent to the address that we have?"),
        message("user", "Yes, do."),
        message("assistant", None, ("confirm_order", json.dumps({"order_id": number}))),
        message("tool", '{"confirmed": true}'),
        message("assistant", "It is on its way now."),
        trajectory_id=f"{at:032x}",
        task_id=str(at),
        task_group=str(at),
    )


@pytest.fixture
def orders(write_curated, message, trajectory) -> Callable[[int], Path]:
    """A curated folder of so many trajectories with five turns for a teacher each."""

    def make(count: int) -> Path:
        return write_curated([order(message, trajectory, at) for at in range(count)], "orders")

    return make


@pytest.fixture
def augment(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command with a key in the environment and prices for stub-1."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES)

    def run(*flags: object, timeout: float = 120, **env: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "synth.augment", *map(str, flags), "--prices", str(prices)]
        keys = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
        return subprocess.run(words, capture_output=True, text=True, timeout=timeout, env={**os.environ, **keys, **env})

    return run
