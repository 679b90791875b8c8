"""What the server holds open for all its pages: folders, the labels' database, the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.labels.store import LabelStore
from app.library import Library
from app.settings import AppSettings


@dataclass(frozen=True)
class Opened:
    """Shared by all sessions; its parts are safe to use from several threads."""

    settings: AppSettings
    library: Library
    labels: LabelStore

    @classmethod
    @contextmanager
    def of(cls, settings: AppSettings) -> Iterator[Opened]:
        """Open everything; closed with the block.

        Raises:
            UsageError: if a folder or the database cannot be opened.
        """
        library = Library.open(settings.dirs, settings.index_dir)
        with LabelStore.open(settings.labels, outside=settings.dirs, read_only=settings.server.read_only) as labels:
            yield cls(settings, library, labels)


_held: list[Opened] = []


def use(opened: Opened) -> None:
    """Make this what the pages show."""
    _held[:] = [opened]


def opened() -> Opened:
    """What the pages show."""
    return _held[0]
