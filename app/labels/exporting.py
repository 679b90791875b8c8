"""Labels as Parquet: labels.parquet (what stands), events.parquet (all of it) and schema.yaml, written whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.labels.backing_up import in_turn
from app.labels.placing import refuse_published
from curate.atomic import fsync_dir, fsync_file, publish_folder, recover_folder, write_file, writing
from curate.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from app.labels.schema import LabelSchema
    from app.labels.standing import Standing

LABELS, EVENTS, SCHEMA = "labels.parquet", "events.parquet", "schema.yaml"
METADATA = "cacherl.labels"
"""Key of the Parquet metadata that makes a file one of ours."""


def export(store: Standing, schema: LabelSchema, out: Path, *, anonymous: bool = False) -> bool:
    """Write the labels to a folder, which appears whole; an earlier export there is replaced.

    Args:
        store: the labels.
        schema: what may be said now.
        out: the folder.
        anonymous: `annotator-1` and so on for names, in the order of their first event.

    Returns:
        False if OUT holds the same labels already; nothing was written.

    Raises:
        UsageError: if OUT holds anything else, lies in a dataset folder, or cannot be written.
    """
    out = out.absolute()
    refuse_published(out, [], "--out")
    partial = out.with_name(f".{out.name}.partial")
    lock = out.with_name(f".{out.name}.lock")
    with writing(out, partial, lock, flag="another folder"):
        out.parent.mkdir(parents=True, exist_ok=True)
        with in_turn(lock):
            recover_folder(out)
            _refuse_foreign(out)
            return _write(store, schema, out, partial, anonymous)


def _write(store: Standing, schema: LabelSchema, out: Path, partial: Path, anonymous: bool) -> bool:
    events, labels = store.both()
    if anonymous:
        events, labels = _anonymous(events, labels)
    told = _metadata(schema, store.schemas(), events)
    if _metadata_in(out / LABELS) == told:
        return False
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name, frame in ((LABELS, labels), (EVENTS, events)):
        _parquet(frame, partial / name, told)
    write_file(partial / SCHEMA, _schema_text(schema))
    fsync_dir(partial)
    publish_folder(partial, out)
    return True


def _parquet(frame: pl.DataFrame, path: Path, told: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = frame.to_arrow(compat_level=_plain())
    table = table.cast(pa.schema([_field(field) for field in table.schema], metadata={METADATA: told}))
    pq.write_table(table, path, compression="zstd", row_group_size=1_000)
    fsync_file(path)


def _plain() -> Any:
    import polars as pl

    return pl.CompatLevel.oldest()


def _field(field: Any) -> Any:
    """Plain strings and lists, not the large ones of Polars."""
    import pyarrow as pa

    kinds = {pa.large_string(): pa.string(), pa.large_list(pa.large_string()): pa.list_(pa.string())}
    return pa.field(field.name, kinds.get(field.type, field.type))


def _metadata(schema: LabelSchema, known: dict[str, Any], events: pl.DataFrame) -> str:
    """What the labels are; the same for the same events, whenever it is written."""
    digest = hashlib.sha256()
    for row in events.iter_rows():
        digest.update(json.dumps(row, default=str, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    used = {version: known[version] for version in sorted(set(events["schema_version"])) if version in known}
    body = {
        "format": 1,
        "schema_version": schema.version,
        "schema": schema.body(),
        "schemas": used,
        "events": events.height,
    }
    return json.dumps({**body, "events_sha256": digest.hexdigest()}, ensure_ascii=False, sort_keys=True)


def _metadata_in(path: Path) -> str | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    told = found.get(METADATA.encode())
    return None if told is None else told.decode()


def _anonymous(events: pl.DataFrame, labels: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    names = events["annotator"].unique(maintain_order=True).to_list()
    renamed = {name: f"annotator-{number}" for number, name in enumerate(names, 1)}
    import polars as pl

    column = pl.col("annotator").replace_strict(renamed, return_dtype=pl.String)
    return (events.with_columns(column), labels.with_columns(column)) if names else (events, labels)


def _refuse_foreign(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    ours = {LABELS, EVENTS, SCHEMA}
    if not out.is_dir() or {path.name for path in out.iterdir()} - ours or _metadata_in(out / LABELS) is None:
        raise UsageError(f"{out} exists and is not an export of labels, which alone is replaced; choose another folder")


def _schema_text(schema: LabelSchema) -> bytes:
    import yaml

    text = yaml.safe_dump(schema.body(), sort_keys=False, allow_unicode=True, width=120)
    return f"# Version {schema.version}\n{text}".encode()
