"""What the pages show in tests: a library and labels that were never on a disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from app.settings import AppSettings, ServerSettings

LATEST = {
    "annotator": pl.String,
    "trajectory_id": pl.String,
    "content_hash": pl.String,
    "message_index": pl.Int32,
    "verdict": pl.String,
    "tags": pl.List(pl.String),
    "action": pl.String,
}


class FakeLabels:
    """Labels and views in memory."""

    def __init__(self) -> None:
        self.read_only = False
        choice = lambda name: SimpleNamespace(name=name, title=name, key="", help="")  # noqa: E731
        self.schema = SimpleNamespace(verdicts=tuple(map(choice, ("good", "bad", "unsure"))), tags=(choice("loop"),))
        self.rows: list[dict[str, Any]] = []
        self.saved: dict[str, SimpleNamespace] = {}

    def label(self, annotator: str, trace: str, verdict: str | None, *tags: str, action: str = "label") -> None:
        target = {"trajectory_id": trace, "content_hash": f"hash-{trace}", "message_index": None}
        said = {"verdict": verdict, "tags": list(tags), "action": action}
        self.rows.append({"annotator": annotator, **target, **said})

    def latest(self, *, viewer: object = None) -> pl.DataFrame:
        return pl.DataFrame(self.rows, schema=LATEST)

    def views(self, page: str | None = None) -> list[SimpleNamespace]:
        return list(self.saved.values())

    def save_view(self, name: str, page: str, params: Mapping[str, str], annotator: str) -> None:
        self.saved[name] = SimpleNamespace(name=name, page=page, params=dict(params), annotator=annotator)

    def drop_view(self, name: str) -> None:
        self.saved.pop(name, None)


@pytest.fixture
def labels() -> FakeLabels:
    return FakeLabels()


@pytest.fixture
def settings(tmp_path: Path) -> AppSettings:
    return AppSettings(dirs=(tmp_path,), server=ServerSettings())
