"""Copies of the labels' database: one file each, whole or not at all, made while labels come in.

SQLite's are databases, PostgreSQL's its rows as JSON lines; `python -m app.restore` brings either back.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.labels.database import Database, private
from app.labels.tables import VERSION, meta, metadata, schemas, sessions
from curate.atomic import fsync_dir, fsync_file, writing
from curate.errors import UsageError

_NAME = re.compile(r"labels-(\d{8}T\d{12}Z)-(\d+)\.(?:sqlite|jsonl\.gz)\Z")
_LEFT_OUT = (meta.name, sessions.name)


def back_up(database: Database, folder: Path, keep: int) -> Path | None:
    """Copy the database into a folder, and remove the oldest copies beyond `keep`.

    Args:
        database: what is copied; readers and writers go on meanwhile.
        folder: where copies are kept; made if it is not there.
        keep: how many stay.

    Returns:
        The new copy; None if the newest one holds all that there is.

    Raises:
        UsageError: if it cannot be written.
    """
    with writing(folder, flag="a --label-dir"):
        folder.mkdir(parents=True, exist_ok=True)
        with in_turn(folder / ".lock"):
            for left in folder.glob(".labels-*.partial*"):
                left.unlink()
            revision = database.revision()
            stand = copies(folder)
            if stand and _revision(stand[-1]) == revision:
                return None
            made = _copy(database, folder)
            for old in copies(folder)[:-keep]:
                old.unlink()
            fsync_dir(folder)
            return made


@contextmanager
def in_turn(lock: Path) -> Iterator[None]:
    """Hold the lock file, after whoever holds it now; it is gone when nobody does."""
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if lock.exists() and os.path.samestat(os.fstat(handle), lock.stat()):
            break
        os.close(handle)  # whoever held it took its name away
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def copies(folder: Path) -> list[Path]:
    """The copies in a folder, the oldest first."""
    return sorted(path for path in folder.glob("labels-*") if _NAME.match(path.name))


def _revision(path: Path) -> int:
    found = _NAME.match(path.name)
    return int(found.group(2)) if found else -1


def _copy(database: Database, folder: Path) -> Path:
    kind = "sqlite" if database.engine.dialect.name == "sqlite" else "jsonl.gz"
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    partial = folder / f".labels-{at}.partial"
    partial.touch(mode=0o600)
    private(partial)
    revision = _sqlite_copy(database, partial) if kind == "sqlite" else _rows_copy(database, partial)
    fsync_file(partial)
    return partial.rename(folder / f"labels-{at}-{revision}.{kind}")


def _sqlite_copy(database: Database, partial: Path) -> int:
    with database.engine.connect() as connection, closing(sqlite3.connect(partial)) as copy:
        source: Any = connection.connection.dbapi_connection
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        if copy.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise UsageError("the labels' database is damaged: its copy fails SQLite's check; keep the older backups")
        return int(copy.execute("SELECT value FROM label_meta WHERE key = 'changes'").fetchone()[0])


def _rows_copy(database: Database, partial: Path) -> int:
    with database.reading() as connection, gzip.GzipFile(partial, "wb", mtime=0) as file:
        revision = int(connection.execute(sa.select(meta.c.value).where(meta.c.key == "changes")).scalar_one())
        file.write(_line({"labels": VERSION, "revision": revision}))
        for table in metadata.sorted_tables:
            if table.name in _LEFT_OUT:
                continue
            for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings():
                file.write(_line({"table": table.name, "row": dict(row)}))
        file.write(_line({"end": True}))
    return revision


def _line(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


def restore(database: Database, path: Path) -> int:
    """Read a copy of rows into an empty database; all of it or nothing.

    Returns:
        How many rows came back.

    Raises:
        UsageError: if the database is not empty, or the copy is cut or of a newer version.
    """
    tables = metadata.tables
    with database.writing() as connection:
        for table in metadata.sorted_tables:
            if table.name in (*_LEFT_OUT, schemas.name):
                continue
            if connection.execute(sa.select(table).limit(1)).first() is not None:
                raise UsageError(f"{table.name} is not empty; a copy is read into a new database alone")
        connection.execute(sa.delete(schemas))  # the one that made the tables; the copy has its own
        count = 0
        for body in _lines(path):
            connection.execute(sa.insert(tables[body["table"]]).values(**body["row"]))
            count += 1
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT setval(pg_get_serial_sequence('label_events', 'seq'), (SELECT max(seq) FROM label_events)) "
                "WHERE EXISTS (SELECT 1 FROM label_events)"
            )
    return count


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            head = json.loads(file.readline())
            if head["labels"] > VERSION:
                raise UsageError(f"{path} was written by a newer release; update this one")
            for line in file:
                body = json.loads(line)
                if "end" in body:
                    return
                yield body
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no whole copy of labels: {error}") from error
    raise UsageError(f"{path} is cut; take another copy")
