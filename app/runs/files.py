"""The small files of an opened folder: found by their known names alone, and never outside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

METRICS, TRAINING, REPORT, MANIFEST = "metrics.parquet", "training.json", "report.md", "manifest.json"
MAX_BYTES = 8_000_000
"""A JSON or text file above this is not read: none that a command of ours writes is."""


def inside(folder: Path, name: str) -> Path | None:
    """A file of the folder; None if there is none, or a link leads out of the folder."""
    path = folder / name
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return None
    return path


def read_text(folder: Path, name: str) -> str | None:
    """The text of a small file; None if there is none."""
    path = inside(folder, name)
    if path is None or path.stat().st_size > MAX_BYTES:
        return None
    return path.read_text(encoding="utf-8", errors="replace")


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object of a small file; empty if there is none."""
    try:
        found = json.loads(read_text(folder, name) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
