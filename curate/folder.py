"""The dataset folder: Parquet tables, `report.md` / `report.html`, and `manifest.json`, written last.

Every command writes one and reads the one before it. A folder is either whole or refused: the reader compares each
file with the manifest before a row of it is used.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from curate.atomic import aside_name, exclusive, fsync_dir, publish_folder, recover_folder, write_file, writing
from curate.errors import FolderError, UpToDate, UsageError
from curate.manifest import MANIFEST, Manifest, Shard, sha256_file
from curate.replace import lost_input, refusal
from curate.report import Report
from curate.table_writer import MAX_GROUP_ROWS, TableWriter

__all__ = ["DatasetFolder", "FolderWriter", "Manifest", "folder_input", "read_batches", "sha256_file"]

if TYPE_CHECKING:
    import polars as pl


def folder_input(folder: DatasetFolder) -> dict[str, Any]:
    """How a dataset folder stands among the `inputs` of the next manifest: its lineage, carried along whole.

    The hash of its manifest is its name: what a folder is called on disk must not show in what is made from it.
    """
    manifest = folder.manifest
    return {
        "kind": manifest.kind,
        "manifest_sha256": sha256_file(folder.path / MANIFEST),
        "command": manifest.command,
        "settings": manifest.settings,
        "inputs": manifest.inputs,
    }


def read_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """A shard's record batches; none reaches beyond a row group, whose bytes the writer has bounded."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield from file.iter_batches(MAX_GROUP_ROWS, [group], list(columns) if columns else None)


class FolderWriter:
    """Builds OUT in `.OUT.partial` beside it and renames it whole; use as a context manager.

    Leaving the block normally publishes the folder; leaving it by an exception leaves OUT as it was. Resume state of
    the command may stand in `journal` (OUT.journal/), which is removed once OUT is published.

    Args:
        out: the folder to write; must not exist, or be empty, unless `overwrite`.
        manifest: kind, command, settings and inputs; tables, files and counts are filled in here.
        overwrite: replace a folder of the same kind that stands there and holds nothing of anybody else's.
        revises: what OUT holds will stand in the new folder too, so its inputs may come from OUT.
        reads: the files and folders that the command reads, which writing must not take away.
        finish: is given the folder when it is whole but does not have its name yet, e.g. to put an index into it.

    Raises:
        UpToDate: if OUT already holds the result of the same settings and inputs.
        UsageError: if OUT exists and is something else, an input or what one was made from, or cannot be written, or
            another run is writing it.
    """

    def __init__(
        self,
        out: Path,
        manifest: Manifest,
        *,
        overwrite: bool = False,
        revises: bool = False,
        reads: Iterable[Path | None] = (),
        finish: Callable[[DatasetFolder], None] | None = None,
    ) -> None:
        check_parent(out)
        out = out.resolve() if out.is_symlink() else out
        self.out = out
        self.partial = out.with_name(f".{out.name}.partial")
        self.journal = out.with_name(f"{out.name}.journal")
        self._manifest = manifest
        self._overwrite = overwrite
        self._revises = revises
        self._reads = [path for path in reads if path is not None]
        self._finish = finish
        self._tables: list[TableWriter] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._refuse_foreign_journal()
        with self._writing():
            self.journal.mkdir(exist_ok=True)
            self._stack.enter_context(exclusive(self.journal / "lock", str(self.out)))
            try:
                recover_folder(self.out)
                self._refuse_existing()
                if self.partial.exists():
                    shutil.rmtree(self.partial)
                self.partial.mkdir()
            except BaseException as error:
                self._leave(finished=isinstance(error, UpToDate))
                raise
        return self

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self.out, self.partial, self.journal)

    def table(self, name: str, schema: pa.Schema) -> TableWriter:
        """Open a table of the folder; it is closed with the folder."""
        writer = TableWriter(self.partial, name, schema)
        self._tables.append(writer)
        return writer

    def add_file(self, name: str, data: bytes) -> None:
        """Add a small file, e.g. `report.md`, under the manifest's protection."""
        write_file(self.partial / name, data)
        self._manifest.files[name] = hashlib.sha256(data).hexdigest()

    def add_report(self, report: Report) -> None:
        """Add `report.md` and `report.html`."""
        self.add_file("report.md", report.markdown().encode())
        self.add_file("report.html", report.html().encode())

    def count(self, **counts: Any) -> None:
        """Add figures to the manifest, e.g. the funnel."""
        self._manifest.counts.update(counts)

    @property
    def counts(self) -> dict[str, Any]:
        """The figures so far."""
        return self._manifest.counts

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the bytes; with `overwrite` it may be completed until the folder is published."""
        return self._manifest.settings

    def forget(self) -> None:
        """Drop the command's resume state: the run failed for a reason that going on would meet again."""
        for path in self.journal.iterdir():
            if path.name != "lock":
                path.unlink()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        finished = isinstance(error, UpToDate)
        try:
            with self._writing():
                if isinstance(error, OSError):
                    raise error
                if kind is None:
                    self._publish()
                    finished = True
        finally:
            self._leave(finished)

    def _leave(self, finished: bool) -> None:
        """Remove what only a running command needs; the journal stays while there is something to go on from."""
        shutil.rmtree(self.partial, ignore_errors=True)
        left = [path for path in self.journal.iterdir() if path.name != "lock"]
        if finished:  # the lock goes last: without it the rest would look like somebody else's files
            for path in left:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        if finished or not left:
            shutil.rmtree(self.journal, ignore_errors=True)
        self._stack.close()

    def _publish(self) -> None:
        for table in self._tables:
            table.close()
            self._manifest.tables[table.name] = table.shards
        fsync_dir(self.partial)
        write_file(self.partial / MANIFEST, self._manifest.dump())
        if self._finish is not None:
            self._finish(DatasetFolder(self.partial, self._manifest))
        self._refuse_loss()  # again: somebody may have put files there while the command ran
        publish_folder(self.partial, self.out)

    def _refuse_foreign_journal(self) -> None:
        if self.journal.exists() and not (self.journal / "lock").exists() and any(self.journal.iterdir()):
            raise UsageError(
                f"{self.journal} is needed for the run's state and holds other files; choose another --out"
            )
        inside = lost_input(self._reads, [self.partial, self.journal, aside_name(self.out)])
        if inside is not None:
            raise UsageError(f"{inside} lies where the command keeps its unfinished work; move it, or change --out")

    def _refuse_existing(self) -> None:
        stands = Manifest.stands_in(self.out) and not self._overwrite
        if stands and Manifest.load(self.out).identity == self._manifest.identity:
            DatasetFolder.open(self.out)
            raise UpToDate(f"{self.out} is up to date: same settings, same inputs")
        self._refuse_loss()

    def _refuse_loss(self) -> None:
        out = self.out
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return
        if not out.is_dir():
            raise UsageError(f"{out} is a file; --out names a folder to be written")
        if not Manifest.stands_in(out):
            raise UsageError(
                f"{out} exists and is not a dataset folder, which is never overwritten; choose another --out"
            )
        reason = refusal(out, self._manifest, self._reads, revises=self._revises)
        if reason is not None:
            raise UsageError(reason)
        if not self._overwrite:
            raise UsageError(
                f"{out} exists and was made with other settings or inputs; use --overwrite or another --out"
            )


def check_parent(out: Path) -> None:
    """Refuse an output whose parent folder does not exist.

    Raises:
        UsageError: naming the parent to make.
    """
    if out.name in ("", ".."):
        raise UsageError(f"--out {out} names no folder")
    if not out.parent.is_dir():
        raise UsageError(f"the parent of --out {out} does not exist; make {out.parent} first")


@dataclass(frozen=True)
class DatasetFolder:
    """A dataset folder that matches its manifest."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path | str, *, kinds: Sequence[str] = (), unchecked: Collection[str] = ()) -> DatasetFolder:
        """Open a folder and compare every file with the manifest.

        Args:
            path: the folder.
            kinds: the kinds that the caller can use, e.g. `("curated", "augmented")`; empty for any.
            unchecked: tables that the caller compares with the manifest itself, before it uses a row of them.

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
        problems = folder.problems(unchecked)
        if problems:
            raise FolderError(f"{path} does not match its manifest: {problems[0]}. Write the folder again.")
        if kinds and folder.manifest.kind not in kinds:
            raise UsageError(f"{path} is a folder of kind {folder.manifest.kind!r}; this needs {' or '.join(kinds)}")
        return folder

    def problems(self, unchecked: Collection[str] = ()) -> list[str]:
        """What differs from the manifest but for some tables, one sentence a file; empty for a sound folder."""
        tables = [shards for name, shards in self.manifest.tables.items() if name not in unchecked]
        wanted = {shard.path: shard.sha256 for shards in tables for shard in shards}
        wanted.update(self.manifest.files)
        found = []
        for name, sha256 in wanted.items():
            path = self.path / name
            if not path.is_file():
                found.append(f"{name} is missing")
            elif sha256_file(path) != sha256:
                found.append(f"{name} was changed after it was written")
        return found

    def miscounts(self) -> list[str]:
        """Shards that hold another number of rows than the manifest says, or cannot be read; one sentence each."""
        found = []
        for shard in (shard for shards in self.manifest.tables.values() for shard in shards):
            try:
                rows = pq.read_metadata(self.path / shard.path).num_rows
            except (pa.ArrowException, OSError) as error:
                found.append(f"{shard.path} cannot be read as Parquet ({error})")
                continue
            if rows != shard.rows:
                found.append(f"{shard.path} holds {rows:,} rows, the manifest says {shard.rows:,}")
        return found

    def batches(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The table's record batches, one row group at a time."""
        for shard in self._shards(table):
            yield from read_batches(self.path / shard.path, columns)

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
