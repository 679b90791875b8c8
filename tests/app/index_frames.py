"""Index frames of libraries that were never on a disk, and a library that holds one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from app.indexing import SCHEMA
from app.library import Library

FRAME_SCHEMA: dict[str, Any] = {
    "row": pl.UInt32,
    "folder": pl.Categorical,
    "kind": pl.Categorical,
    "trace": pl.String,
    **SCHEMA,
}
DEFAULTS: dict[str, Any] = {
    "folder": "clean",
    "kind": "curated",
    "table": "trajectories",
    "source": "desk",
    "env_id": "desk",
    "task_id": "t1",
    "task_group": "t1",
    "trial": 0,
    "messages": 4,
    "turns": 2,
    "calls": 1,
    "failed_calls": 0,
    "characters": 100,
    "tools": [],
    "turn_kinds": [],
    "tiers": [],
    "thinking": 0,
    "flags": [],
    "first_words": "Please book a flight",
    "shard": 0,
    "group": 0,
    "at": 0,
}


def index_frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """An index of rows that name only what matters to a test."""
    made = []
    for number, row in enumerate(rows):
        trace = row.get("trace", f"trace-{number}")
        named = {"row": number, "trace": trace, "trajectory_id": trace, "content_hash": f"hash-{trace}"}
        made.append({**DEFAULTS, **named, **row})
    return pl.DataFrame(made, schema=FRAME_SCHEMA)


class FakeLibrary(Library):
    """Holds a frame and the texts of its rows."""

    def __init__(self, frame: pl.DataFrame, texts: dict[int, str] | None = None) -> None:
        self.folders = ()
        self.frame = frame
        self.texts = texts or {}
        self.searches = 0

    def search(
        self, text: str, rows: pl.Series | None = None, progress: Callable[[float], None] | None = None
    ) -> pl.Series:
        self.searches += 1
        if progress:
            progress(1.0)
        found = [row for row, held in self.texts.items() if text.lower() in held.lower()]
        return pl.Series("row", found, dtype=pl.UInt32)
