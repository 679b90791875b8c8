"""Progress on stderr: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import repeat
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
LOG_SECONDS = 10.0
"""Between two lines where stderr is no terminal (a batch job's log)."""


def track(items: Iterable[T], label: str, *, total: int | None = None, unit: str = "row") -> Generator[T, None, None]:
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


@contextmanager
def counting(label: str, *, unit: str) -> Iterator[Callable[[int], None]]:
    """Count what is done in no loop of ours, e.g. by a callback: gives what is to be told how many more are done."""
    with closing(track(repeat(None), label, unit=unit)) as bar:

        def count(more: int) -> None:
            for _ in range(more):
                next(bar)

        yield count
