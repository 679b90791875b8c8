"""The records of an input, one by one, each with its trajectory or the reason why there is none."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from curate.canonical import compact_json
from curate.errors import InputError, RecordError
from curate.normalise import Input, normalise
from curate.readers.files import SKIP_REMEDY, RawRecord, read_records
from curate.readers.raw import Format
from curate.readers.registry import LOOK_AT, detect, format_named
from curate.trajectory import Trajectory


@dataclass(frozen=True)
class Read:
    """One record.

    Attributes:
        place: file and row, for people.
        row: its trajectory; None if it has none.
        line: the record as it came, as one line of JSON without a line feed.
        error: why there is no trajectory.
    """

    place: str
    row: Trajectory | None = None
    line: bytes = b""
    error: RecordError | None = None


def read(given: Input) -> tuple[str, Iterator[Read]]:
    """The format of an input, empty where it has no records, and its records in order.

    Raises:
        InputError: if it cannot be read to its end, or is of no known format.
    """
    stream = read_records(Path(given.path))
    first = list(itertools.islice(stream, LOOK_AT))
    if not first:
        return "", iter(())
    reader = _format_of(first, given)
    records = itertools.chain(first, stream)
    if reader.assemble is not None:
        records = itertools.chain(reader.assemble(records))
    return reader.name, (_read(record, reader, given) for record in records)


def _format_of(first: list[RawRecord], given: Input) -> Format:
    if given.format:
        return format_named(given.format)
    if all(record.problem is not None for record in first):
        what = f"{given.path} holds no JSON records: {first[0].problem}"
        raise InputError(what, f"name its --format, or {SKIP_REMEDY}")
    return detect(first, given.path)[0]


def _read(record: RawRecord, reader: Format, given: Input) -> Read:
    place = f"{given.file or Path(given.path).name}:{record.row}"
    try:
        if record.problem is not None:
            raise RecordError(record.problem, record.detail)
        if not isinstance(record.value, Mapping):
            raise RecordError("wrong_type", f"the record is {type(record.value).__name__}, not an object")
        row = normalise(reader.convert(record.value), record.value, record.row, given)
    except RecordError as error:
        return Read(place, error=error)
    return Read(place, row, _line(record))


def _line(record: RawRecord) -> bytes:
    """The bytes of a JSON line; what stood on several lines, or in a table, is written anew."""
    raw = (record.raw or b"").strip()
    return raw if raw and b"\n" not in raw and b"\r" not in raw else compact_json(record.value).encode()
