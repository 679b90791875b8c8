"""One trajectory of an opened folder, and its name in an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ROW = "row-"
"""Begins the name of a reject that has no id: its number in the folder follows."""


@dataclass(frozen=True)
class TraceKey:
    """Names a trajectory: the folder's short name among the opened ones, and its id, or row-N of a reject without."""

    folder: str
    trace: str


@dataclass(frozen=True)
class Trace:
    """A trajectory or reject as its folder holds it."""

    key: TraceKey
    kind: str
    table: str
    row: dict[str, Any]
    """The columns of `curate.schema.TRAJECTORY`, of a reject those of `REJECT`."""
