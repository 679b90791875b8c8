"""Fixtures of the teachers' tests: each vendor, each transport, the teacher on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.synth.stub_teacher import Stub
from tests.synth.teachers.servers import VENDORS


@pytest.fixture(params=VENDORS)
def vendor(request) -> str:
    """Each vendor."""
    return request.param


@pytest.fixture(params=["aiohttp", "httpx2"])
def transport(request, monkeypatch) -> str:
    """Both transports of the SDKs; the second is what is left where aiohttp is not installed."""
    if request.param == "httpx2":
        import anthropic
        import openai

        def missing(**options: object) -> None:
            raise RuntimeError("To use the aiohttp client you must have installed the package with the `aiohttp` extra")

        monkeypatch.setattr(openai, "DefaultAioHttpClient", missing)
        monkeypatch.setattr(anthropic, "DefaultAioHttpClient", missing)
    return request.param


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Callable[..., Stub]]:
    """Starts the teacher on loopback: `stub([{"at": [0], "fault": "429"}])`."""
    with contextlib.ExitStack() as running:

        def start(faults: Sequence[dict[str, Any]] = (), *flags: str) -> Stub:
            return running.enter_context(Stub(tmp_path, *flags, faults=faults))

        yield start
