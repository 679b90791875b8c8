"""What `python -m app` is told: the folders to open, where labels go, and how it is served."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from curate.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class LabelSettings:
    """Where labels are kept, and what may be said."""

    label_dir: Path = Path("labels")
    """Folder of labels.sqlite, its backups and exports; never a dataset folder, which would be published with them."""
    database: str | None = None
    """URL of a PostgreSQL database instead, e.g. postgresql+psycopg://user@host/name; backups go to --label-dir."""
    schema: Path | None = None
    """YAML file with verdicts, failure tags and their keys; without one a schema for tool-calling agents."""
    backup_minutes: float = 10.0
    """Minutes between backups of the database while labels come in; 0 for none."""
    export_minutes: float = 30.0
    """Minutes between exports of the labels as Parquet while labels come in; 0 for none."""
    keep_backups: int = 12
    """How many backups stay."""


@dataclass(frozen=True)
class ServerSettings:
    """How the pages are served."""

    host: str = "127.0.0.1"
    """Address to listen on; beyond loopback only with --auth."""
    port: int = 8501
    """Port to listen on."""
    read_only: bool = False
    """Nobody signs in and nothing is written."""
    sign_up: bool = True
    """Whether a new annotator may make an account on the page; off, `python -m app.accounts` makes them."""
    auth: bool = False
    """Only who has signed in sees anything."""
    quiet: bool = False
    """Do not say where the pages are."""


@dataclass(frozen=True)
class AppSettings:
    """What is opened, labelled and served."""

    dirs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Dataset folders, models with their metrics, cache audits."""
    labels: LabelSettings = field(default_factory=LabelSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    index_dir: Path | None = None
    """Where the indexes of opened folders are kept; default: cacherl/app under the user's cache folder."""
    config: Path | None = None
    """YAML file with these settings."""

    def check(self) -> None:
        """Refuse what cannot be served.

        Raises:
            UsageError: naming the flag and the remedy.
        """
        if not self.dirs:
            raise UsageError("name at least one dataset folder: python -m app DIR...")
        if not 0 < self.server.port < 65_536:
            raise UsageError(f"--port {self.server.port} is no port (1 to 65535)")
        if self.server.host not in LOOPBACK and not self.server.auth:
            raise UsageError(
                f"--host {self.server.host} shows the traces to everyone who reaches this machine; add --auth, "
                "which lets in only who has signed in"
            )
        if self.server.auth and self.server.read_only:
            raise UsageError("--auth needs accounts, which --read-only has not; drop one of them")
        if self.labels.database and not re.match(r"(sqlite|postgresql)(\+\w+)?://", self.labels.database):
            raise UsageError("--database is a URL: postgresql+psycopg://user@host/name")
        for name in ("backup_minutes", "export_minutes"):
            if getattr(self.labels, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} {getattr(self.labels, name)} is below 0")
        if self.labels.keep_backups < 1:
            raise UsageError(f"--keep-backups {self.labels.keep_backups} keeps none (at least 1)")
