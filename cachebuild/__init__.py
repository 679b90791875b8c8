"""Recorded tool calls become a three-tier, state-aware cache that says how far to trust each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import curate  # noqa: F401  sees to a quiet Ctrl-C while a command is still being imported

if TYPE_CHECKING:
    from cachebuild.answer import Answer
    from cachebuild.cache import ToolCache
    from cachebuild.session import Session

__all__ = ["ToolCache", "Session", "Answer"]

_HOMES = {"ToolCache": "cachebuild.cache", "Session": "cachebuild.session", "Answer": "cachebuild.answer"}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first asked for (PEP 562), so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
