"""Bring a backup of the labels back: `python -m app.restore labels/backups/labels-....sqlite --label-dir labels`.

Goes into a labels folder or a database that holds nothing yet: stop the server and move the old one away first. A
`.jsonl.gz`, which is how PostgreSQL is backed up, can be brought back into either.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from curate.cli import out, parse, run
from curate.errors import UsageError


@dataclass(frozen=True)
class RestoreSettings:
    """What is brought back, and where to."""

    backup: tyro.conf.Positional[Path]
    """A file of the labels' backups folder."""
    label_dir: Path = Path("labels")
    """Folder for labels.sqlite."""
    database: str | None = None
    """URL of an empty PostgreSQL database instead."""


def main(argv: Sequence[str] | None = None) -> int:
    """Bring it back; returns the exit code."""
    settings = parse(RestoreSettings, "python -m app.restore", __doc__ or "", argv)
    return run(lambda: _restore(settings))


def _restore(settings: RestoreSettings) -> int:
    from app.labels.backing_up import restore
    from app.labels.store import LabelStore
    from app.settings import LabelSettings

    if not settings.backup.is_file():
        raise UsageError(f"there is no backup {settings.backup}")
    labels = LabelSettings(settings.label_dir, settings.database, backup_minutes=0, export_minutes=0)
    whole = settings.backup.suffix == ".sqlite"
    if whole:
        _put_in_place(settings)
    with LabelStore.open(labels) as store:
        if not whole:
            restore(store, settings.backup)
        told = f"{store.events().height:,} events of labels and {len(store.annotators()):,} accounts"
    out(f"{told} are back")
    return 0


def _put_in_place(settings: RestoreSettings) -> None:
    from app.labels.placing import refuse_published
    from app.labels.store import DATABASE
    from curate.atomic import fsync_dir, fsync_file, writing

    if settings.database is not None:
        raise UsageError(f"{settings.backup.name} is a SQLite database; bring it back with --label-dir alone")
    refuse_published(settings.label_dir, [])
    place = settings.label_dir / DATABASE
    stand = sorted(settings.label_dir.glob(f"{DATABASE}*"))  # its log too, which would be read into the copy
    if stand:
        raise UsageError(f"{stand[0]} stands already; stop the server and move {place}* away first")
    with writing(settings.label_dir, flag="a --label-dir"):
        settings.label_dir.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f".{DATABASE}.partial")
        partial.touch(mode=0o600)
        shutil.copyfile(settings.backup, partial)
        fsync_file(partial)
        partial.rename(place)
        fsync_dir(settings.label_dir)


if __name__ == "__main__":
    raise SystemExit(main())
