"""Raw records become rows: each is read, normalised, judged and counted once, a chunk at a time, by any worker.

A chunk's result is an Arrow file of `CHUNK` rows: the trajectory or the reject, its facts, and what the search for
duplicates needs. Nothing here depends on other chunks, so chunks can be digested in any order and place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa

from curate.collector import collector_at_rest
from curate.decontaminate import Benchmarks
from curate.dedup import exact_key
from curate.dedup_text import View as TextView
from curate.dedup_text import dedup_text
from curate.errors import RecordError
from curate.facts import FACTS, facts_of
from curate.filters import NEEDS_EVIDENCE, PREDICATES, Context, View, first_failure, judged, view_of
from curate.minhash import signatures
from curate.normalise import Input, normalise
from curate.readers.files import RawRecord, parse_record
from curate.readers.raw import Format
from curate.readers.registry import format_named
from curate.readers.shared_tools import ToolsMemory
from curate.schema import REJECT
from curate.signature_store import to_arrow
from curate.tokens import TokenCounter, TokenCounts, TokenSettings, count_tokens, outside_bounds
from curate.tool_schemas import EnvTools, gather
from curate.trajectory import Trajectory

DIGEST_VERSION = "3"
TOKEN_BOUNDS = "token_bounds"
"""Reason of a row that is too short or too long, counted in tokens; it comes behind the filters' predicates."""
_NOTHING: dict[str, Any] = dict.fromkeys(REJECT.names)

_HIT = pa.struct(
    [
        *((name, pa.string()) for name in ("benchmark", "task_id", "side", "text")),
        *(("ngrams", pa.int64()), ("share", pa.float64()), ("ngram", pa.int64())),
    ]
)
CHUNK = pa.schema(
    [
        *(column.with_nullable(True) for column in REJECT),
        pa.field("judged", pa.bool_()),  # false: whether its arguments are valid can be said when all calls are known
        pa.field("hit", _HIT),  # the evaluation task that it holds
        pa.field("exact_key", pa.string()),
        pa.field("facts", FACTS),
        pa.field("text", pa.large_string()),  # by which it is a near-duplicate
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
        memory = ToolsMemory()
        for row, text in enumerate(self.texts, self.first_row):
            yield parse_record(row, text, memory)


@dataclass(frozen=True)
class Digest:
    """The task: one chunk of records into one Arrow file; holds all that its rows depend on.

    Attributes:
        key: equal for equal settings, in every process.
        context: thresholds and rules of the filters.
        tokens: bounds of length.
        counter: counts the tokens.
        benchmarks: what must not be trained on.
        view: what near-duplicates are told by; None where they are not looked for.
        permutations: values of a signature.
    """

    key: str
    context: Context = field(default_factory=Context)
    tokens: TokenSettings = field(default_factory=TokenSettings)
    counter: TokenCounter = field(default_factory=lambda: TokenCounter(None))
    benchmarks: Benchmarks | None = None
    view: TextView | None = None
    permutations: int = 90

    def __call__(self, chunk: Chunk) -> str:
        """Digest a chunk.

        Returns:
            The path of the file, which appears whole.
        """
        with collector_at_rest():
            return self._digest(chunk)

    def _digest(self, chunk: Chunk) -> str:
        reader = format_named(chunk.format)
        read = [_read(record, reader, chunk.given) for record in chunk.parsed()]
        rows = [row for row, _ in read if row is not None]
        digested = map(self._digested, rows, count_tokens(rows, self.counter))
        whole = [next(digested) if row is not None else reject for row, reject in read]
        table = pa.Table.from_pylist(whole, schema=CHUNK)
        write_chunk(self._signed(table), Path(chunk.path))
        return chunk.path

    def _digested(self, row: Trajectory, tokens: TokenCounts) -> dict[str, Any]:
        view = view_of(row, self.context.rules)
        return {
            **_NOTHING,
            **row,
            **self._verdict(view, tokens),
            "judged": not row["tools_inferred"],
            "exact_key": exact_key(row),
            "facts": facts_of(view, tokens),
            "text": None if self.view is None else dedup_text(row, self.view),
        }

    def _verdict(self, view: View, tokens: TokenCounts) -> dict[str, Any]:
        """The columns of a reject; none for a row that stays so far."""
        failure = judged(view, self.context, NEEDS_EVIDENCE if view.row["tools_inferred"] else ())
        if failure is not None:
            return reject_columns("filter", *failure)
        outside = outside_bounds(tokens, self.counter, self.tokens)
        if outside is not None:
            return reject_columns("filter", TOKEN_BOUNDS, outside)
        hit = self.benchmarks.overlap(view.row) if self.benchmarks is not None else None
        if hit is None:
            return {}
        return {**reject_columns("decontaminate", "contaminated", hit.detail), "hit": asdict(hit)}

    def _signed(self, table: pa.Table) -> pa.Table:
        if self.view is None:
            return table
        found = signatures(table.column("text").combine_chunks(), self.permutations, threads=1)
        return table.append_column("signature", to_arrow(found))


def reject_columns(step: str, reason: str, detail: str) -> dict[str, str]:
    """The columns of a row that a step turns away."""
    return {"reject_step": step, "reject_reason": reason, "reject_detail": detail}


def _read(record: RawRecord, reader: Format, given: Input) -> tuple[Trajectory | None, dict[str, Any]]:
    """The record's trajectory, or what is kept of a record of which none could be made."""
    try:
        if record.problem is not None:
            raise RecordError(record.problem, record.detail)
        if not isinstance(record.value, Mapping):
            raise RecordError("wrong_type", f"the record is {type(record.value).__name__}, not an object")
        return normalise(reader.convert(record.value), record.value, record.row, given), {}
    except RecordError as error:
        return None, _unread(record, error, given)


def _unread(record: RawRecord, error: RecordError, given: Input) -> dict[str, Any]:
    """The row of a record of which no trajectory could be made."""
    return {
        **_NOTHING,
        "source": given.source,
        "source_row": record.row,
        "license": given.license,
        "env_id": given.env or given.source,
        **reject_columns("read", error.reason, error.detail[:300].encode(errors="replace").decode()),
        "judged": True,
        "raw": record.raw if record.raw is not None else _dump(record.value),
    }


def _dump(value: Any) -> bytes:
    """The bytes kept of a record that was parsed but not understood."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return repr(value).encode(errors="replace")


def write_chunk(table: pa.Table, path: Path) -> None:
    """Write a chunk's rows durably, whole or not at all."""
    partial = path.with_suffix(f".{os.getpid()}")
    with partial.open("wb") as file:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_file(file, table.schema, options=options) as writer:
            writer.write_table(table)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def read_chunk(path: Path | str, columns: Iterable[str] | None = None) -> pa.Table:
    """A chunk's table, of all columns or some."""
    with pa.memory_map(str(path)) as file:
        if columns is None:
            return pa.ipc.open_file(file).read_all()
        schema = pa.ipc.open_file(file).schema
        wanted = [schema.get_field_index(name) for name in columns]
        return pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=wanted)).read_all()


@dataclass(frozen=True)
class Evidence:
    """The task: what the calls of a chunk's rows without recorded tools say of those tools."""

    def __call__(self, path: str) -> EnvTools:
        """The evidence of one chunk."""
        return gather(_unjudged(path)[1])


@dataclass(frozen=True)
class Judge:
    """The task: the predicates that need the evidence of all chunks, on a chunk's rows that wait for them."""

    context: Context

    def __call__(self, path: str) -> list[tuple[int, dict[str, str]]]:
        """(position in the chunk, reject columns) of the rows that are turned away."""
        order = {reason: place for place, reason in enumerate(PREDICATES)}
        found = []
        for place, row, reason in zip(*_unjudged(path), strict=True):
            failure = first_failure(row, self.context, PREDICATES.keys() - NEEDS_EVIDENCE)
            if failure is not None and order[failure[0]] < order.get(reason or "", len(order)):
                found.append((place, reject_columns("filter", *failure)))
        return found


def _unjudged(path: str) -> tuple[list[int], list[Trajectory], list[str | None]]:
    """Positions, rows and provisional reject reasons of the rows that wait for the evidence of all chunks."""
    judged = read_chunk(path, ["judged"]).column("judged").to_pylist()
    places = [place for place, done in enumerate(judged) if not done]
    if not places:
        return [], [], []
    table = read_chunk(path, [*Trajectory.__annotations__, "reject_reason"]).take(pa.array(places))
    reasons = table.column("reject_reason").to_pylist()
    return places, cast(list[Trajectory], table.drop_columns("reject_reason").to_pylist()), reasons
