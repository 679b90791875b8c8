"""A model server and a recorder before it, both real processes or threads on free ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.curate.recording_proxy.recorded_agent import Recording, weather
from tests.curate.recording_proxy.stub_model import StubModel, running_model


@pytest.fixture
def model() -> Iterator[StubModel]:
    """Drives the two-tool weather agent unless told otherwise."""
    with running_model() as stub:
        stub.answer = weather(stub)
        yield stub


@pytest.fixture
def record(model: StubModel, tmp_path: Path) -> Iterator[Callable[..., Recording]]:
    """Start `python -m curate.record` before the model; `record("--idle-seconds", 1)`."""
    with ExitStack() as stack:
        out = tmp_path / "rec.jsonl"
        yield lambda *flags, **options: stack.enter_context(Recording(model.url, out, *flags, **options))
