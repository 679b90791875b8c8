"""Pages drawn without a browser: links are noted instead of drawn, and the visitor's cookies are the test's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st

from app import opened
from app.labels.accounts import Annotator
from app.labels.store import LabelStore
from app.settings import AppSettings
from tests.app.trace_folders import Traces


@pytest.fixture
def cookies(monkeypatch) -> dict[str, str]:
    """What the visitor's browser brings along."""
    found: dict[str, str] = {}
    monkeypatch.setattr(type(st.context), "cookies", property(lambda self: found))
    return found


@pytest.fixture
def serving(settings: AppSettings, labels: LabelStore, monkeypatch) -> Callable[..., Any]:
    """Open a library with settings of the server, for pages that are drawn after."""
    for module in ("pages.account", "pages.label", "widgets.keyboard"):
        monkeypatch.setattr(f"app.{module}.link", lambda *given, **params: None)
    monkeypatch.setattr("app.pages.label.REST_AFTER", 0.0)
    monkeypatch.setattr("app.sitting.MIN_DWELL_MS", 0)

    def serve(library: Any = None, **server: Any) -> SimpleNamespace:
        held = SimpleNamespace(
            settings=replace(settings, server=replace(settings.server, **server)),
            library=library or Traces(),
            labels=labels,
        )
        opened.use(held)
        return held

    return serve


@pytest.fixture
def signed_in(labels: LabelStore, cookies: dict[str, str]) -> Callable[..., Annotator]:
    """Make an account, and have the visitor's browser hold a session of it."""

    def enter(name: str, role: Any = "annotator") -> Annotator:
        annotator = labels.add_annotator(name, None, role)
        cookies["cacherl_session_8501"] = labels.start_session(annotator)
        return annotator

    return enter
