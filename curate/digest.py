"""Raw records become rows: each is read, normalised, judged and counted once, a chunk at a time, by any worker.

A chunk's result is an Arrow file of `CHUNK` rows: the trajectory or the reject, its facts, and what the search for
duplicates needs. Nothing here depends on other chunks, so chunks can be digested in any order and place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa

from curate.dedup import exact_key
from curate.env import DEFAULT_RULES, EnvRules
from curate.errors import RecordError
from curate.facts import FACTS, facts_of
from curate.filters import Context, FilterSettings, first_failure
from curate.normalise import Input, normalise
from curate.readers.files import RawRecord, parse_record
from curate.readers.raw import Format
from curate.readers.registry import format_named
from curate.schema import REJECT
from curate.tool_schemas import EnvTools, gather
from curate.trajectory import Trajectory

DIGEST_VERSION = "2"
_NOTHING: dict[str, Any] = dict.fromkeys(REJECT.names)

CHUNK = pa.schema(
    [
        *(column.with_nullable(True) for column in REJECT),
        pa.field("judged", pa.bool_()),  # false: its tools must be inferred before the filters can say anything
        pa.field("exact_key", pa.string()),
        pa.field("facts", FACTS),
    ]
)


@dataclass(frozen=True)
class Chunk:
    """Some records of one input, as JSON texts or as values, and where their rows shall stand."""

    given: Input
    format: str
    first_row: int
    texts: tuple[bytes, ...]
    records: tuple[RawRecord, ...]
    path: str

    def parsed(self) -> Iterator[RawRecord]:
        """The records."""
        yield from self.records
        for row, text in enumerate(self.texts, self.first_row):
            yield parse_record(row, text)


@dataclass(frozen=True)
class Digest:
    """The task: one chunk of records into one Arrow file; holds all settings that its rows depend on."""

    filter: FilterSettings = field(default_factory=FilterSettings)
    rules: Mapping[str, EnvRules] = field(default_factory=dict)

    def __call__(self, chunk: Chunk) -> str:
        """Digest a chunk.

        Returns:
            The path of the file, which appears whole.
        """
        reader = format_named(chunk.format)
        rows = [self._row(record, reader, chunk.given) for record in chunk.parsed()]
        write_chunk(rows, Path(chunk.path))
        return chunk.path

    def _row(self, record: RawRecord, reader: Format, given: Input) -> dict[str, Any]:
        try:
            if record.problem is not None:
                raise RecordError(record.problem, record.detail)
            if not isinstance(record.value, Mapping):
                raise RecordError("wrong_type", f"the record is {type(record.value).__name__}, not an object")
            row = normalise(reader.convert(record.value), record.value, record.row, given)
        except RecordError as error:
            return _unread(record, error, given)
        return {**_NOTHING, **row, **self._judged(row), "exact_key": exact_key(row), "facts": self._facts(row)}

    def _facts(self, row: Trajectory) -> dict[str, Any]:
        return facts_of(row, self.rules.get(row["env_id"], DEFAULT_RULES))

    def _judged(self, row: Trajectory) -> dict[str, Any]:
        if row["tools_inferred"]:
            return {"judged": False}
        return {"judged": True, **verdict(first_failure(row, Context(self.filter, self.rules)))}


def verdict(failure: tuple[str, str] | None) -> dict[str, str]:
    """The columns of a reject by a filter; none for a row that is kept."""
    if failure is None:
        return {}
    return {"reject_step": "filter", "reject_reason": failure[0], "reject_detail": failure[1]}


def _unread(record: RawRecord, error: RecordError, given: Input) -> dict[str, Any]:
    """The row of a record of which no trajectory could be made."""
    return {
        **_NOTHING,
        "source": given.source,
        "source_row": record.row,
        "license": given.license,
        "env_id": given.env or given.source,
        "judged": True,
        "reject_step": "read",
        "reject_reason": error.reason,
        "reject_detail": error.detail[:300].encode(errors="replace").decode(),
        "raw": record.raw if record.raw is not None else _dump(record.value),
    }


def _dump(value: Any) -> bytes:
    """The bytes kept of a record that was parsed but not understood."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return repr(value).encode(errors="replace")


def write_chunk(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write a chunk's rows durably, whole or not at all."""
    table = pa.Table.from_pylist(list(rows), schema=CHUNK)
    partial = path.with_suffix(f".{os.getpid()}")
    with partial.open("wb") as file:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_file(file, CHUNK, options=options) as writer:
            writer.write_table(table)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def read_chunk(path: Path | str, columns: Iterable[str] | None = None) -> pa.Table:
    """A chunk's table, of all columns or some."""
    wanted = None if columns is None else [CHUNK.get_field_index(name) for name in columns]
    options = pa.ipc.IpcReadOptions(included_fields=wanted)
    with pa.memory_map(str(path)) as file, pa.ipc.open_file(file, options=options) as reader:
        return reader.read_all()


@dataclass(frozen=True)
class Evidence:
    """The task: what the calls of a chunk's rows without recorded tools say of those tools."""

    def __call__(self, path: str) -> EnvTools:
        """The evidence of one chunk."""
        return gather(_unjudged(path)[1])


@dataclass(frozen=True)
class Judge:
    """The task: the filters on a chunk's rows whose tools had to be inferred from all chunks first."""

    context: Context

    def __call__(self, path: str) -> list[tuple[int, dict[str, str]]]:
        """(position in the chunk, reject columns) of the rows that are turned away."""
        found = (
            (place, verdict(first_failure(row, self.context))) for place, row in zip(*_unjudged(path), strict=True)
        )
        return [(place, columns) for place, columns in found if columns]


def _unjudged(path: str) -> tuple[list[int], list[Trajectory]]:
    judged = read_chunk(path, ["judged"]).column("judged").to_pylist()
    places = [place for place, done in enumerate(judged) if not done]
    if not places:
        return [], []
    table = read_chunk(path, Trajectory.__annotations__).take(pa.array(places))
    return places, cast(list[Trajectory], table.to_pylist())
