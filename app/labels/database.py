"""The connection to the labels' database: SQLite in the labels folder, or PostgreSQL by URL; one writer at a time."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from app.labels.tables import GUARDS, VERSION, VIEWS, meta, metadata
from curate.errors import UsageError

BUSY_SECONDS = 30
"""How long a writer waits for another one."""
_OPENING_LOCK = 7_223_661_201  # any number; servers that open one PostgreSQL database together take it in turn


class Database:
    """A database of labels, safe to use from several threads and processes.

    Args:
        engine: what `connect` gave.
        read_only: refuse every write.
    """

    def __init__(self, engine: sa.Engine, read_only: bool = False) -> None:
        self.engine = engine
        self.read_only = read_only
        one_state = engine.dialect.name == "postgresql"  # SQLite's readers see one state as they are
        self._readers = engine.execution_options(isolation_level="REPEATABLE READ") if one_state else engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection on which all reads see the same state."""
        with self._readers.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, counts: bool = True) -> Iterator[sa.Connection]:
        """A transaction, alone among writers, durable when the block is left.

        Args:
            counts: whether it changes what a backup should hold; sessions and failed sign-ins do not.

        Raises:
            UsageError: in read-only mode, or where the database cannot be written.
        """
        if self.read_only:
            raise UsageError("the labels are open for reading only; start without --read-only to write")
        step = 1 if counts else 0
        try:
            with self.engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection, connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")
                # On PostgreSQL this row's lock is what makes writers wait for each other.
                connection.execute(sa.update(meta).where(meta.c.key == "changes").values(value=meta.c.value + step))
                yield connection
        except DBAPIError as error:
            raise UsageError(f"the labels' database cannot be written: {_reason(error)}") from error

    def revision(self) -> int:
        """A number that grows with everything written but sessions; equal numbers mean equal answers."""
        with self.reading() as connection:
            return int(connection.execute(sa.select(meta.c.value).where(meta.c.key == "changes")).scalar_one())


def connect(url: sa.URL, read_only: bool = False) -> sa.Engine:
    """An engine for a database that stands, or will be made by `prepare`.

    Raises:
        UsageError: for a database of another make, or whose driver is not installed.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite(Path(str(url.database)), read_only)
    if url.get_backend_name() != "postgresql":
        raise UsageError(f"--database {_shown(url)} is neither SQLite nor PostgreSQL")
    try:
        url = url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url
        options = {} if url.drivername != "postgresql+psycopg" else {"connect_args": {"connect_timeout": 10}}
        return sa.create_engine(url, pool_pre_ping=True, **options)
    except (ImportError, NoSuchModuleError) as error:
        raise UsageError(f"--database {_shown(url)} needs a driver: pip install 'psycopg[binary]'") from error


def _sqlite(path: Path, read_only: bool) -> sa.Engine:
    address = f"file:{quote(str(path.absolute()))}?mode={'ro' if read_only else 'rwc'}"
    if read_only and not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists():
        address += "&immutable=1"  # where no index of the log can be written beside it

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(address, timeout=BUSY_SECONDS, check_same_thread=False, uri=True)

    engine = sa.create_engine("sqlite://", creator=opened, poolclass=sa.QueuePool, pool_size=20)

    @sa.event.listens_for(engine, "connect")
    def settle(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # the transactions are ours to begin
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def prepare(engine: sa.Engine, place: str) -> None:
    """Make the tables of a new database; check the version of one that stands.

    Raises:
        UsageError: if the database is of a newer version, is something else, or cannot be reached.
    """
    try:
        if engine.dialect.name == "sqlite":
            _into_wal(engine)
        with engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_OPENING_LOCK})")
            if not _version_known(connection, place):
                _make(connection)
    except SQLAlchemyError as error:
        raise UsageError(f"{place} cannot be opened: {_reason(error)}") from error


def check(engine: sa.Engine, place: str) -> None:
    """Check a database that is only read.

    Raises:
        UsageError: as `prepare`; also if there are no tables of labels in it.
    """
    try:
        with engine.connect() as connection:
            if not _version_known(connection, place):
                raise UsageError(f"{place} holds no labels yet; open it for writing first")
    except SQLAlchemyError as error:
        raise UsageError(f"{place} cannot be opened: {_reason(error)}") from error


def _into_wal(engine: sa.Engine) -> None:
    """Write-ahead logging, which is kept in the file; the change wants the file alone and does not wait by itself.

    A file system that cannot share memory keeps the older kind of log: as durable, but readers wait for writers.
    """
    for attempt in range(100):
        with engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            try:
                if raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    raw.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or attempt == 99:
                    raise UsageError(f"the labels' database cannot be opened: {error}") from error
        time.sleep(0.05)


def _version_known(connection: sa.Connection, place: str) -> bool:
    """Whether the tables stand, in a version that this code reads."""
    if not sa.inspect(connection).has_table(meta.name):
        return False
    version = connection.execute(sa.select(meta.c.value).where(meta.c.key == "version")).scalar()
    if version is None or version > VERSION:
        raise UsageError(
            f"{place} was written by a newer release (its tables are version {version}, this release knows "
            f"{VERSION}); update this one, or choose another --label-dir"
        )
    return True


def _make(connection: sa.Connection) -> None:
    metadata.create_all(connection)
    for name, query in VIEWS[connection.dialect.name].items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")
    for guard in GUARDS[connection.dialect.name]:
        connection.exec_driver_sql(guard)
    connection.execute(sa.insert(meta), [{"key": "version", "value": VERSION}, {"key": "changes", "value": 0}])


def _reason(error: SQLAlchemyError) -> str:
    """The driver's first line, which holds neither the statement nor its parameters."""
    cause = getattr(error, "orig", None) or error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]


def _shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=True)


def private(path: Path) -> None:
    """Keep others of this machine out of a file with password hashes."""
    os.chmod(path, 0o600)
