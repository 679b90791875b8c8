"""One input as a stream of records: JSON, JSONL, Parquet, Arrow, saved or Hub datasets; memory bounded by one record.

A record that is no JSON is yielded as such, to become a counted reject; a file that cannot be read to its end raises
`InputError` after the whole records before the damage were yielded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import orjson

from curate.canonical import MAX_DEPTH, TOO_DEEP, compact_json, deeper_than, parse_json
from curate.errors import InputError
from curate.readers.json_texts import SKIP_REMEDY, json_texts
from curate.readers.paths import kind_of
from curate.readers.raw import RawRecord
from curate.readers.shared_tools import ToolsMemory, parse_known
from curate.readers.streams import DAMAGE, open_stream
from curate.readers.tables import table_records

__all__ = ["SKIP_REMEDY", "RawRecord", "parse_record", "read_records", "record_texts"]

# orjson would round such an integer to a float; a number that long is an id, and every digit counts.
_BIG_INTEGER = re.compile(rb"[\[:,]\s*-?\d{19,}")
_DIGITS = bytes(0x64 if 0x30 <= code <= 0x39 else 0x20 for code in range(256))


def read_records(path: Path) -> Iterator[RawRecord]:
    """The records of one input, in order; JSON kinds are `record_texts` + `parse_record`.

    Raises:
        UsageError: for a path that is no readable kind of input.
        InputError: where the input ends early or is damaged, naming it and the record.
    """
    if kind_of(path) != "json":
        yield from table_records(path)
        return
    for row, raw in enumerate(record_texts(path)):
        yield parse_record(row, raw)


def record_texts(path: Path) -> Iterator[bytes]:
    """The text of each record of a JSON file, unparsed: cheap, so that other processes can do the parsing.

    Raises:
        InputError: where the file ends early or is damaged, naming it and the record.
    """
    row = -1
    try:
        with open_stream(path) as stream:
            for row, raw in enumerate(json_texts(stream, path)):  # noqa: B007 - the messages below say it
                yield raw
    except DAMAGE as error:
        place = f"after record {row}" if row >= 0 else "before its first record ends"
        raise InputError(
            f"{path}: the compressed stream is damaged or cut off {place} ({error})", SKIP_REMEDY
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read after record {row} ({error.strerror or error})") from error


def parse_record(row: int, raw: bytes, memory: ToolsMemory | None = None) -> RawRecord:
    """One record's JSON text as a value, or as a reject with its reason.

    Args:
        row: its place in the file.
        raw: the text.
        memory: of the tools of other records, which makes parsing quicker.
    """
    if b"d" * 19 in raw.translate(_DIGITS) and _BIG_INTEGER.search(raw):  # most records need no regex
        return _second_look(row, raw, "a number beyond 64 bits")
    try:
        value = orjson.loads(raw) if memory is None else parse_known(raw, memory)
    except orjson.JSONDecodeError as error:
        return _second_look(row, raw, str(error))
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and deeper_than(value, MAX_DEPTH):
        return RawRecord(row, problem="nested_too_deep", detail=TOO_DEEP, raw=raw)
    return RawRecord(row, value, raw=raw)


def _second_look(row: int, raw: bytes, error: str) -> RawRecord:
    """What the fast parser refuses or rounds: surrogates, deep nesting, long numbers, or plainly no JSON."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as bad:
        return RawRecord(row, problem="not_utf8", detail=str(bad), raw=raw)
    try:
        value = parse_json(text)
    except ValueError as bad:
        if str(bad) == TOO_DEEP:
            return RawRecord(row, problem="nested_too_deep", detail=TOO_DEEP, raw=raw)
        return RawRecord(row, problem="not_json", detail=error, raw=raw)
    try:
        compact_json(value).encode()
    except UnicodeEncodeError:
        return RawRecord(row, problem="lone_surrogate", detail="half of a UTF-16 pair cannot be stored", raw=raw)
    return RawRecord(row, value, raw=raw)
