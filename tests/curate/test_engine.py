from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--workers", -1], "--workers must be 0 (one a core) or more, not -1"),
        (["--ray-address", "auto"], "--ray-address says nothing without --engine ray"),
    ],
)
def test_wrong_flags(
    tmp_path: Path,
    make_chat: Callable[..., Any],
    jsonl: Callable[..., Path],
    run: Callable[..., int],
    flags: list[object],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(jsonl([make_chat()]), "--out", tmp_path / "out", *flags) == 2
    assert capsys.readouterr().err == f"error: {said}\n"


def test_without_ray_the_command_says_how_to_get_it(
    tmp_path: Path,
    make_chat: Callable[..., Any],
    jsonl: Callable[..., Path],
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "curate.ray_engine", raising=False)
    assert run(jsonl([make_chat()]), "--out", tmp_path / "out", "--engine", "ray") == 2
    assert "pip install 'ray[data]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
