"""Labels as Parquet, for `python -m curate --labels`: `python -m app.export --label-dir labels --out labels-out`.

Writes labels.parquet (what stands: one row an annotator and target), events.parquet (all that was ever recorded) and
schema.yaml. The same labels give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from curate.cli import out, parse, run
from curate.errors import UpToDate, UsageError


@dataclass(frozen=True)
class ExportSettings:
    """What is written, and where."""

    out: Path
    """Folder to write; an earlier export there is replaced, anything else refused."""
    label_dir: Path = Path("labels")
    """Folder of labels.sqlite."""
    database: str | None = None
    """URL of the database where it is not in --label-dir."""
    schema: Path | None = None
    """YAML file with the verdicts and tags, as the reader was given it."""
    anonymous: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Write annotator-1 and so on for the annotators' names; notes are written as they are."""
    config: Path | None = None
    """YAML file with these settings."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the export; returns the exit code."""
    settings = parse(ExportSettings, "python -m app.export", __doc__ or "", argv)
    return run(lambda: _export(settings))


def _export(settings: ExportSettings) -> int:
    from app.labels.store import DATABASE, LabelStore
    from app.settings import LabelSettings

    if settings.database is None and not (settings.label_dir / DATABASE).exists():
        raise UsageError(f"there is no {DATABASE} in --label-dir {settings.label_dir}; name the folder that holds it")
    labels = LabelSettings(settings.label_dir, settings.database, settings.schema)
    with LabelStore.open(labels, read_only=True) as store:
        if not store.export(settings.out, anonymous=settings.anonymous):
            raise UpToDate(f"{settings.out} is up to date: nothing was labelled since")
        found = store.latest()
        told = f"{found.height:,} labels by {found['annotator'].n_unique():,} annotators"
    out(f"wrote {told} to {settings.out}; use them: python -m curate --labels {settings.out} ...")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
