"""Progress on stderr: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
LOG_SECONDS = 10.0
"""Between two lines where stderr is no terminal (a batch job's log)."""


def track(items: Iterable[T], label: str, *, total: int | None = None, unit: str = "row") -> Iterator[T]:
    """Yield the items, showing how far we are; nothing is shown for work of a moment."""
    interactive = sys.stderr.isatty()
    yield from tqdm(
        items,
        desc=label,
        total=total,
        unit=f" {unit}",
        file=sys.stderr,
        delay=1.0,
        mininterval=0.2 if interactive else LOG_SECONDS,
        leave=False,
        dynamic_ncols=interactive,
    )
