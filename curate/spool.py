"""Records read and normalised once, kept beside OUT while a run lasts; later passes and resumed runs read them here."""

from __future__ import annotations

import base64
import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import orjson
import zstandard

from curate import __version__
from curate.atomic import write_file
from curate.canonical import hash128
from curate.errors import InputError, RecordError
from curate.normalise import Input, normalise
from curate.readers.files import SKIP_REMEDY, RawRecord, read_records
from curate.readers.raw import Format
from curate.readers.registry import LOOK_AT, detect, format_named
from curate.trajectory import Reject, Trajectory

SPOOL_VERSION = "1"


@dataclass(frozen=True)
class Spooled:
    """One input, read: where its rows and read rejects stand, and how the reading went."""

    path: Path
    format: str
    records: int
    damage: str | None  # why the file was not read to its end; None if it was


def spool(given: Input, sha256: str, journal: Path, *, skip_bad_files: bool) -> Spooled:
    """Read one input into the journal, or find it there from an interrupted run.

    Raises:
        InputError: if the file is damaged and bad files are not skipped, or of no known format.
    """
    described = {key: value for key, value in asdict(given).items() if key != "path"}
    name = hash128(__version__, SPOOL_VERSION, sha256, orjson.dumps(described), str(skip_bad_files))
    done, path = journal / f"{name}.json", journal / f"{name}.jsonl.zst"
    if done.exists():
        return Spooled(path=path, **orjson.loads(done.read_bytes()))
    result = _read(given, path, skip_bad_files)
    facts = {key: value for key, value in asdict(result).items() if key != "path"}
    write_file(done, orjson.dumps(facts))
    return result


def _read(given: Input, path: Path, skip_bad_files: bool) -> Spooled:
    records, chosen = 0, ""
    damage: list[str] = []
    stream = _until_damage(given, damage, skip_bad_files)
    with path.open("wb") as file:
        with zstandard.ZstdCompressor(level=1).stream_writer(file, closefd=False) as writer:
            first = list(itertools.islice(stream, LOOK_AT))
            if first:
                reader = format_named(given.format) if given.format else detect(first, given.path)[0]
                chosen = reader.name
                for record in itertools.chain(first, stream):
                    writer.write(_line(record, reader, given))
                    records += 1
        os.fsync(file.fileno())
    return Spooled(path, chosen, records, damage[0] if damage else None)


def _until_damage(given: Input, damage: list[str], skip: bool) -> Iterator[RawRecord]:
    """The records before the file's damage, which is noted if bad files are skipped and raised if not."""
    try:
        yield from _with_a_record(read_records(Path(given.path)), given)
    except InputError as error:
        if not skip:
            raise
        # A path would differ from machine to machine, and this text ends up in the data.
        damage.append(error.fact.replace(str(given.path), Path(given.path).name))


def _with_a_record(stream: Iterator[RawRecord], given: Input) -> Iterator[RawRecord]:
    """The records of a file; one whose first records are all unreadable holds none, unless its format was named."""
    unread: list[RawRecord] = []
    while not given.format and len(unread) < LOOK_AT and (record := next(stream, None)) is not None:
        unread.append(record)
        if record.problem is None:
            break
    else:
        if unread:
            what = f"it starts with {(unread[0].raw or b'')[:20]!r} ({unread[0].problem})"
            raise InputError(f"{given.path} holds no JSON records: {what}", f"name its --format, or {SKIP_REMEDY}")
    yield from itertools.chain(unread, stream)


def _line(record: RawRecord, reader: Format, given: Input) -> bytes:
    """One line of the spool: a trajectory, or what is known of a record that could not become one."""
    try:
        if record.problem is not None:
            raise RecordError(record.problem, record.detail)
        if not isinstance(record.value, Mapping):
            raise RecordError("wrong_type", f"the record is {type(record.value).__name__}, not an object")
        raw = reader.convert(record.value)
        return orjson.dumps({"row": normalise(raw, record.value, record.row, given)}) + b"\n"
    except RecordError as error:
        kept = record.raw if record.raw is not None else _dump(record.value)
        body = {
            "source_row": record.row,
            "reason": error.reason,
            "detail": error.detail[:300].encode(errors="replace").decode(),
            "raw": base64.b64encode(kept).decode(),
        }
        return orjson.dumps({"reject": body}) + b"\n"


def _dump(value: Any) -> bytes:
    """The bytes kept of a record that was parsed but not understood."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return repr(value).encode(errors="replace")


def read_spool(spooled: Spooled, given: Input) -> Iterator[tuple[Trajectory | None, Reject | None]]:
    """The spool's lines: (row, None) or (None, reject of step `read`)."""
    with spooled.path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        pending = b""
        while chunk := reader.read(1 << 22):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                body = orjson.loads(line)
                if "row" in body:
                    yield cast(Trajectory, body["row"]), None
                else:
                    yield None, _read_reject(body["reject"], given)


def _read_reject(body: dict[str, Any], given: Input) -> Reject:
    empty: dict[str, Any] = dict.fromkeys(Reject.__annotations__ | Trajectory.__annotations__)
    facts = {
        "source": given.source,
        "source_row": body["source_row"],
        "license": given.license,
        "env_id": given.env or given.source,
        "reject_step": "read",
        "reject_reason": body["reason"],
        "reject_detail": body["detail"],
        "raw": base64.b64decode(body["raw"]),
    }
    return cast(Reject, empty | facts)
