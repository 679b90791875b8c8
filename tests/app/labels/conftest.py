"""Databases of labels to test on: SQLite in a folder, and a real PostgreSQL server that is started for the session."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra: pip install -e '.[app]'")

from app.labels import passwords
from app.labels.events import Event, Target, new_event_id
from app.labels.store import LabelStore
from app.settings import LabelSettings

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []


@dataclass(frozen=True)
class Place:
    """A database: its folder and, for PostgreSQL, its URL."""

    folder: Path
    url: str | None = None

    def settings(self, **more) -> LabelSettings:
        chosen = {"backup_minutes": 0, "export_minutes": 0} | more
        return LabelSettings(self.folder, self.url, **chosen)

    def open(self, read_only: bool = False, **more) -> AbstractContextManager[LabelStore]:
        return LabelStore.open(self.settings(**more), outside=[], read_only=read_only)


class Server:
    """A PostgreSQL server on a free loopback port, in a folder that is removed after."""

    def __init__(self, folder: Path) -> None:
        self.data, self.binaries = folder / "data", BINARIES[-1]
        self.as_other = {"user": "postgres"} if os.getuid() == 0 else {}
        if self.as_other:
            shutil.chown(folder, "postgres")
        with socket.socket() as line:
            line.bind(("127.0.0.1", 0))
            self.port = line.getsockname()[1]
        self.call("initdb", "-D", str(self.data), "-U", "labels", "--auth=trust", "-E", "UTF8", "--locale=C", "-N")
        self.count = 0
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        log = str(self.data.with_name("log"))
        self.call("pg_ctl", "-D", str(self.data), "-w", "-l", log, "-o", options, "start")

    def call(self, name: str, *arguments: str) -> None:
        command = [str(self.binaries / name), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=120, **self.as_other)

    def new_database(self) -> str:
        self.count += 1
        name = f"labels{self.count}"
        self.call("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "labels", name)
        return f"postgresql+psycopg://labels@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self.call("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server; tests that need it are skipped where Debian's package or the driver is not installed."""
    if not BINARIES:
        pytest.skip("no PostgreSQL server under /usr/lib/postgresql; apt-get install postgresql")
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL; pip install 'psycopg[binary]'")
    folder = Path(tempfile.mkdtemp(prefix="labels-pg-"))
    folder.chmod(0o755)
    started = Server(folder)
    try:
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch):
    """Hashes that cost nothing; what they are made of is tested on its own."""
    monkeypatch.setattr(passwords, "COST", passwords.Cost(2**4, 1, 1))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path) -> Place:
    """An empty database of either make."""
    folder = tmp_path / "labels"
    return Place(folder, request.getfixturevalue("server").new_database() if request.param == "postgresql" else None)


@pytest.fixture
def store(place) -> Iterator[LabelStore]:
    """An open store on it."""
    with place.open() as opened:
        yield opened


@pytest.fixture
def say(store):
    """Records a label: `say("ann", target, "good")`; returns the event."""

    def record(annotator: str, target: Target, verdict: str | None = "good", **more) -> Event:
        version = more.pop("schema_version", store.schema.version)
        event = Event(new_event_id(), annotator, target, verdict, schema_version=version, **more)
        assert store.record(event)
        return event

    return record
