"""Filters of what the source says of a trajectory's worth: its outcome, and scores in its metadata."""

from __future__ import annotations

from functools import lru_cache
from math import isfinite
from typing import Any

from curate.canonical import json_object
from curate.filters.base import Context, View
from curate.filters.settings import QualitySettings


def below_outcome(view: View, context: Context) -> str | None:
    """An outcome below the wanted one, or none."""
    wanted, reward = context.settings.min_reward, view.row["reward"]
    if wanted is None or (reward is not None and reward >= wanted):
        return None
    return f"reward {reward} < {wanted}" if reward is not None else "no reward"


def low_quality(view: View, context: Context) -> str | None:
    """A score of the source below its bound, e.g. a judge's 1-5 of the question or of the answer."""
    settings = context.settings.quality
    if not settings.min_quality:
        return None
    metadata = json_object(view.row["metadata"])
    for path, lowest in _bounds(settings):
        value = score(metadata, path)
        if value is None and settings.require_quality:
            return f"no score {path[:80]}"
        if value is not None and value < lowest:
            return f"{path[:80]} {value:g} < {lowest:g}"
    return None


def score(metadata: Any, path: str) -> float | None:
    """The number at a dotted path of the metadata; None if there is none.

    Texts on the way that hold JSON objects are read (Toucan stores its assessments so), an object with a `score` stands
    for it, truth values count as 1 and 0 (`order_correctness`), and numbers written as texts as numbers.
    """
    value = metadata
    for key in path.split("."):
        value = json_object(value) if isinstance(value, str) else value
        value = value.get(key) if isinstance(value, dict) else None
    value = json_object(value) or value if isinstance(value, str) else value
    value = value.get("score") if isinstance(value, dict) else value
    try:
        number = float(value) if isinstance(value, (bool, int, float, str)) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and isfinite(number) else None


@lru_cache(maxsize=16)
def _bounds(settings: QualitySettings) -> list[tuple[str, float]]:
    return settings.bounds()
