"""What the pages show in tests: a library that was never on a disk, and a labels' database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from app.labels.events import Event, Target
from app.labels.store import LabelStore
from app.settings import AppSettings, LabelSettings


@pytest.fixture(autouse=True)
def _own_main():
    """Streamlit puts its script in the place of `__main__`, where processes that other tests start look for theirs."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def settings(tmp_path: Path) -> AppSettings:
    labels = LabelSettings(label_dir=tmp_path / "labels", backup_minutes=0, export_minutes=0)
    return AppSettings(dirs=(tmp_path / "data",), labels=labels)


@pytest.fixture
def labels(settings: AppSettings) -> Iterator[LabelStore]:
    with LabelStore.open(settings.labels) as store:
        yield store


@pytest.fixture
def label(labels: LabelStore) -> Callable[..., None]:
    """Record a label of an annotator for a whole trajectory of `index_frame`."""
    numbers = count()

    def given(annotator: str, trace: str, verdict: str | None, *tags: str, action: str = "label") -> None:
        target = Target(trace, f"hash-{trace}")
        event = Event(
            event_id=f"event-{next(numbers)}",
            annotator=annotator,
            target=target,
            verdict=verdict,
            tags=tags,
            action=action,
            schema_version=labels.schema.version,
        )
        assert labels.record(event)

    return given
