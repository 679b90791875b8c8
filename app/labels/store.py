"""The labels of a team: events, accounts, queues and views in one database, with its copies on a timer.

`LabelStore.open(settings, outside=dirs, read_only=False)` is the door; everything it offers is safe to use from several
threads, and several servers may have the same database open.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from app.labels.accounts import Accounts, Annotator
from app.labels.backing_up import back_up, copies
from app.labels.database import check, connect, prepare, private
from app.labels.events import Event, Target
from app.labels.exporting import export
from app.labels.placing import refuse_published
from app.labels.queues import Queue
from app.labels.schema import LabelSchema, load_schema
from app.labels.standing import Standing
from app.labels.timer import Timer
from app.labels.views import SavedViews, View
from app.settings import LabelSettings
from curate.errors import UsageError

__all__ = ["Annotator", "Event", "LabelStore", "Queue", "Target", "View"]

DATABASE, BACKUPS, EXPORTS = "labels.sqlite", "backups", "exports"


class LabelStore(Standing, Accounts, SavedViews):
    """The labels' database.

    Attributes:
        schema: what may be said.
        read_only: whether every write is refused.
        folder: where backups and exports go.
    """

    def __init__(self, engine: sa.Engine, settings: LabelSettings, schema: LabelSchema, read_only: bool) -> None:
        super().__init__(engine, read_only)
        self.schema = schema
        self.folder = settings.label_dir
        self._keep = settings.keep_backups
        self._timers: list[Timer] = []
        if not read_only:
            self.keep_schema()
            self._timers += [
                Timer(self._when_new(self._back_up), settings.backup_minutes * 60, "the backup of the labels"),
                Timer(self._when_new(self.export), settings.export_minutes * 60, "the export of the labels"),
            ]

    @classmethod
    @contextmanager
    def open(cls, settings: LabelSettings, *, outside: Sequence[Path] = (), read_only: bool = False) -> Iterator[Self]:
        """Open the database that the settings name, made if there is none; closed with the block.

        Args:
            settings: where it is, and what may be said.
            outside: folders that labels must not lie in or over, because they would be published with them.
            read_only: refuse every write; where there is no database, there are no labels.

        Raises:
            UsageError: if it lies in such a folder, is of a newer release, or cannot be opened.
        """
        schema = load_schema(settings.schema)
        url = _url(settings)
        if not read_only:
            refuse_published(settings.label_dir, outside)
            if url.get_backend_name() == "sqlite":
                refuse_published(Path(str(url.database)).parent, outside)
        with ExitStack() as stack:
            if read_only and url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
                place = stack.enter_context(tempfile.TemporaryDirectory(prefix="cacherl-labels-"))
                url = url.set(database=str(Path(place) / DATABASE))
                prepare_file(url)
            store = cls(_engine(url, settings, read_only), settings, schema, read_only)
            stack.callback(store.close)
            yield store

    def backup(self) -> Path:
        """Copy the database into the labels' folder; returns the newest copy, which holds all that there is.

        Raises:
            UsageError: if it cannot be written.
        """
        return self._back_up() or copies(self.folder / BACKUPS)[-1]

    def _back_up(self) -> Path | None:
        return back_up(self, self.folder / BACKUPS, self._keep)

    def _when_new(self, work: Callable[[], object]) -> Callable[[], None]:
        done = 0

        def when_new() -> None:
            nonlocal done
            revision = self.revision()
            if revision != done:
                work()
                done = revision

        return when_new

    def export(self, path: Path | None = None, *, anonymous: bool = False) -> bool:
        """Write the labels as Parquet; see `app.labels.exporting.export`.

        Args:
            path: the folder; by default `exports` in the labels' folder.
            anonymous: numbers for names.

        Returns:
            False if the folder holds the same labels already.

        Raises:
            UsageError: if the folder holds anything else, or cannot be written.
        """
        return export(self, self.schema, path or self.folder / EXPORTS, anonymous=anonymous)

    def close(self) -> None:
        """Stop the timers and let go of the database."""
        for timer in self._timers:
            timer.stop()
        self.engine.dispose()


def _url(settings: LabelSettings) -> sa.URL:
    if settings.database is None:
        return sa.URL.create("sqlite", database=str(settings.label_dir / DATABASE))
    try:
        url = sa.make_url(settings.database)
    except (ArgumentError, ValueError) as error:
        raise UsageError("--database is a URL: postgresql+psycopg://user@host/name") from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError(f"--database {settings.database} names no file; leave it out and use --label-dir")
    return url


def prepare_file(url: sa.URL) -> None:
    """Make a SQLite database where there is none."""
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        private(path)
    engine = connect(url)
    try:
        prepare(engine, str(path))
    finally:
        engine.dispose()


def _engine(url: sa.URL, settings: LabelSettings, read_only: bool) -> sa.Engine:
    place = f"--database {url.render_as_string(hide_password=True)}" if settings.database else str(url.database)
    try:
        if not read_only and url.get_backend_name() == "sqlite":
            prepare_file(url)
    except OSError as error:
        raise UsageError(f"--label-dir {settings.label_dir} cannot be written: {error.strerror}") from error
    engine = connect(url, read_only)
    try:
        check(engine, place) if read_only else prepare(engine, place)
    except BaseException:
        engine.dispose()
        raise
    return engine
