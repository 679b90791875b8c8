"""The dataset folder: Parquet tables, `report.md` / `report.html`, and `manifest.json`, written last.

Every command writes one and reads the one before it. A folder is either whole or refused: the reader compares each
file with the manifest before a row of it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from curate.atomic import exclusive, fsync_dir, publish_folder, recover_folder, write_file
from curate.canonical import canonical_json
from curate.errors import FolderError, UpToDate, UsageError
from curate.schema import FORMAT_VERSION

if TYPE_CHECKING:
    import polars as pl

MANIFEST = "manifest.json"
MAX_GROUP_ROWS = 1_000
MAX_GROUP_BYTES = 32 * 2**20
MAX_SHARD_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a table; `path` is relative to the folder, `bytes` its size on disk."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a folder holds and where it came from; `identity` is equal exactly for equal settings and inputs."""

    kind: str
    command: str
    settings: dict[str, Any]
    inputs: list[dict[str, Any]]
    tables: dict[str, list[Shard]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def identity(self) -> str:
        """SHA-256 over command, settings and inputs: same identity, same bytes."""
        parts = [self.format_version, self.kind, self.command, self.settings, self.inputs]
        return hashlib.sha256(canonical_json(parts).encode()).hexdigest()

    def dump(self) -> bytes:
        """The manifest as it stands on disk."""
        body = {
            "format": "cacherl",
            "format_version": self.format_version,
            "kind": self.kind,
            "command": self.command,
            "identity": self.identity,
            "settings": self.settings,
            "inputs": self.inputs,
            "counts": self.counts,
            "tables": {name: [vars(shard) for shard in shards] for name, shards in self.tables.items()},
            "files": self.files,
        }
        return (json.dumps(body, indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read a folder's manifest.

        Raises:
            FolderError: if it is missing, no manifest of ours, or of another format version.
        """
        try:
            body = json.loads((folder / MANIFEST).read_bytes())
        except FileNotFoundError as error:
            raise FolderError(
                f"{folder} has no {MANIFEST}: it is no dataset folder, or its writing was cut off. "
                "Run the command that writes it again; it goes on where it stopped."
            ) from error
        except (ValueError, OSError) as error:
            raise FolderError(f"{folder / MANIFEST} cannot be read ({error}). Write the folder again.") from error
        if not isinstance(body, dict) or body.get("format") != "cacherl":
            raise FolderError(f"{folder / MANIFEST} is not a manifest of this toolkit.")
        if body.get("format_version") != FORMAT_VERSION:
            raise FolderError(
                f"{folder} has format version {body.get('format_version')!r}, this version reads {FORMAT_VERSION}. "
                "Write the folder again with this version, or install the version that wrote it."
            )
        try:
            tables = {name: [Shard(**shard) for shard in shards] for name, shards in body["tables"].items()}
            keys = ("kind", "command", "settings", "inputs", "files", "counts")
            return cls(tables=tables, **{key: body[key] for key in keys})
        except (KeyError, TypeError, AttributeError) as error:
            raise FolderError(f"{folder / MANIFEST} is damaged ({error}). Write the folder again.") from error

    def rows(self, table: str) -> int:
        """Number of rows of a table; 0 if the folder has none of that name."""
        return sum(shard.rows for shard in self.tables.get(table, []))


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def folder_input(folder: DatasetFolder) -> dict[str, Any]:
    """How a dataset folder stands among the `inputs` of the next manifest: its lineage, carried along whole."""
    manifest = folder.manifest
    return {
        "name": folder.path.resolve().name,
        "kind": manifest.kind,
        "manifest_sha256": sha256_file(folder.path / MANIFEST),
        "command": manifest.command,
        "settings": manifest.settings,
        "inputs": manifest.inputs,
    }


class TableWriter:
    """Writes rows of one schema into numbered shards, in row groups of <= 1,000 rows and <= 32 MB."""

    def __init__(self, root: Path, name: str, schema: pa.Schema) -> None:
        self.name = name
        self.schema = schema
        self.shards: list[Shard] = []
        self._root = root
        self._pending: list[Mapping[str, Any]] = []
        self._pending_bytes = 0
        self._writer: pq.ParquetWriter | None = None
        self._written = 0
        self._rows = 0

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows; they are grouped here, so callers may pass as many or as few as they have."""
        for row in rows:
            size = _size(row)
            if self._pending and (len(self._pending) >= MAX_GROUP_ROWS or self._pending_bytes + size > MAX_GROUP_BYTES):
                self._flush()
            self._pending.append(row)
            self._pending_bytes += size

    def close(self) -> None:
        """Write what is pending; an empty table still gets one shard, so that its schema is known."""
        if self._pending or not self.shards:
            self._flush()
        self._roll()

    def _flush(self) -> None:
        if self._writer is not None and self._written + self._pending_bytes > MAX_SHARD_BYTES:
            self._roll()
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, self.schema, compression="zstd", write_page_index=True, store_schema=True
            )
        if self._pending:
            table = pa.Table.from_pylist(self._pending, schema=self.schema)
            self._writer.write_table(table, row_group_size=MAX_GROUP_ROWS)
        self._rows += len(self._pending)
        self._written += self._pending_bytes
        self._pending, self._pending_bytes = [], 0

    def _roll(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        path = self._path
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        self.shards.append(Shard(str(path.relative_to(self._root)), self._rows, path.stat().st_size, sha256_file(path)))
        self._writer, self._written, self._rows = None, 0, 0

    @property
    def _path(self) -> Path:
        return self._root / f"{self.name}-{len(self.shards):05d}.parquet"


def _size(value: Any) -> int:
    """Bytes of text and blobs below `value`, near enough to bound a row group."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    if isinstance(value, Sequence):
        return sum(map(_size, value))
    return 8


class FolderWriter:
    """Builds OUT in `.OUT.partial` beside it and renames it whole; use as a context manager.

    Leaving the block normally publishes the folder; leaving it by an exception leaves OUT as it was. Resume state of
    the command may stand in `journal` (OUT.journal/), which is removed once OUT is published.

    Args:
        out: the folder to write; must not exist, or be empty, unless `overwrite`.
        manifest: kind, command, settings and inputs; tables, files and counts are filled in here.
        overwrite: replace a folder that stands there.

    Raises:
        UpToDate: if OUT already holds the result of the same settings and inputs.
        UsageError: if OUT exists and is something else, or another run is writing it.
    """

    def __init__(self, out: Path, manifest: Manifest, *, overwrite: bool = False) -> None:
        self.out = out
        self.partial = out.with_name(f".{out.name}.partial")
        self.journal = out.with_name(f"{out.name}.journal")
        self._manifest = manifest
        self._overwrite = overwrite
        self._tables: list[TableWriter] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        check_parent(self.out)
        recover_folder(self.out)
        self._refuse_existing()
        self.journal.mkdir(exist_ok=True)
        self._stack.enter_context(exclusive(self.journal / "lock", str(self.out)))
        try:
            if self.partial.exists():
                shutil.rmtree(self.partial)
            self.partial.mkdir()
        except BaseException:
            self._stack.close()
            raise
        return self

    def table(self, name: str, schema: pa.Schema) -> TableWriter:
        """Open a table of the folder; it is closed with the folder."""
        writer = TableWriter(self.partial, name, schema)
        self._tables.append(writer)
        return writer

    def add_file(self, name: str, data: bytes) -> None:
        """Add a small file, e.g. `report.md`, under the manifest's protection."""
        write_file(self.partial / name, data)
        self._manifest.files[name] = hashlib.sha256(data).hexdigest()

    def count(self, **counts: Any) -> None:
        """Add figures to the manifest, e.g. the funnel."""
        self._manifest.counts.update(counts)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._publish()
            else:
                shutil.rmtree(self.partial, ignore_errors=True)
                if not any(path.name != "lock" for path in self.journal.iterdir()):
                    shutil.rmtree(self.journal, ignore_errors=True)
        finally:
            self._stack.close()

    def _publish(self) -> None:
        for table in self._tables:
            table.close()
            self._manifest.tables[table.name] = table.shards
        fsync_dir(self.partial)
        write_file(self.partial / MANIFEST, self._manifest.dump())
        publish_folder(self.partial, self.out)
        shutil.rmtree(self.journal, ignore_errors=True)

    def _refuse_existing(self) -> None:
        out = self.out
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return
        if not out.is_dir():
            raise UsageError(f"{out} is a file; --out names a folder to be written")
        if self._overwrite:
            if not (out / MANIFEST).exists():
                raise UsageError(
                    f"{out} is not a dataset folder; --overwrite would delete other files. Choose another --out"
                )
            return
        if (out / MANIFEST).exists() and Manifest.load(out).identity == self._manifest.identity:
            DatasetFolder.open(out)
            raise UpToDate(f"{out} is up to date: same settings, same inputs")
        raise UsageError(f"{out} exists and was made with other settings or inputs; use --overwrite or another --out")


def check_parent(out: Path) -> None:
    """Refuse an output whose parent folder does not exist.

    Raises:
        UsageError: naming the parent to make.
    """
    if not out.name:
        raise UsageError(f"--out {out} names no folder")
    if not out.parent.is_dir():
        raise UsageError(f"the parent of --out {out} does not exist; make {out.parent} first")


@dataclass(frozen=True)
class DatasetFolder:
    """A dataset folder that matches its manifest."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path | str, *, kinds: Sequence[str] = ()) -> DatasetFolder:
        """Open a folder and compare every file with the manifest.

        Args:
            path: the folder.
            kinds: the kinds that the caller can use, e.g. `("curated", "augmented")`; empty for any.

        Raises:
            UsageError: if there is no such folder, or it is of another kind.
            FolderError: if the manifest or a file is missing or was changed.
        """
        path = Path(path)
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        if not path.is_dir():
            raise UsageError(f"{path} is a file; a dataset folder (with {MANIFEST}) is wanted here")
        folder = cls(path, Manifest.load(path))
        problems = folder.problems()
        if problems:
            raise FolderError(f"{path} does not match its manifest: {problems[0]}. Write the folder again.")
        if kinds and folder.manifest.kind not in kinds:
            raise UsageError(f"{path} is a folder of kind {folder.manifest.kind!r}; this needs {' or '.join(kinds)}")
        return folder

    def problems(self) -> list[str]:
        """Everything that differs from the manifest, one sentence a file; empty for a sound folder."""
        wanted = {shard.path: shard.sha256 for shards in self.manifest.tables.values() for shard in shards}
        wanted.update(self.manifest.files)
        found = []
        for name, sha256 in wanted.items():
            path = self.path / name
            if not path.is_file():
                found.append(f"{name} is missing")
            elif sha256_file(path) != sha256:
                found.append(f"{name} was changed after it was written")
        return found

    def batches(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The table's record batches, one row group at a time."""
        for shard in self._shards(table):
            with pq.ParquetFile(self.path / shard.path) as file:
                yield from file.iter_batches(batch_size=MAX_GROUP_ROWS, columns=list(columns) if columns else None)

    def rows(self, table: str, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """The table's rows as plain dicts, in the order they were written."""
        for batch in self.batches(table, columns):
            yield from batch.to_pylist()

    def scan(self, table: str) -> pl.LazyFrame:
        """The table as a Polars LazyFrame."""
        import polars

        return polars.scan_parquet([self.path / shard.path for shard in self._shards(table)])

    def _shards(self, table: str) -> list[Shard]:
        try:
            return self.manifest.tables[table]
        except KeyError as error:
            known = ", ".join(self.manifest.tables)
            raise UsageError(f"{self.path} has no table {table!r}; it has {known}") from error
