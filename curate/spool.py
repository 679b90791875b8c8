"""Raw files are read once, into chunks beside OUT while a run lasts; later passes and resumed runs read those."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from curate import __version__
from curate.atomic import write_file
from curate.canonical import hash128
from curate.digest import DIGEST_VERSION, Chunk, Digest
from curate.engine import Engine
from curate.errors import InputError
from curate.normalise import Input
from curate.readers.files import SKIP_REMEDY, RawRecord, parse_record, read_records, record_texts
from curate.readers.paths import kind_of
from curate.readers.raw import Format
from curate.readers.registry import LOOK_AT, detect, format_named

CHUNK_RECORDS = 256
CHUNK_BYTES = 8 * 2**20


@dataclass
class Spooled:
    """One input, read: its chunks, and how the reading went."""

    given: Input
    format: str = ""
    sure: float = 1.0
    records: int = 0
    damage: str | None = None  # why the file was not read to its end; None if it was
    chunks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Spooler:
    """Reads inputs into chunk files in a journal folder, or finds them there from an interrupted run."""

    journal: Path
    digest: Digest
    engine: Engine
    skip_bad_files: bool

    def spool(self, inputs: list[Input], hashes: list[str]) -> list[Spooled]:
        """Read all inputs.

        Raises:
            InputError: if a file is damaged and bad files are not skipped, or of no known format.
        """
        names = [self._name(given, sha256) for given, sha256 in zip(inputs, hashes, strict=True)]
        spools = [self._found(given, name) or Spooled(given) for given, name in zip(inputs, names, strict=True)]
        missing = [(spooled, name) for spooled, name in zip(spools, names, strict=True) if not spooled.chunks]
        todo = (chunk for spooled, name in missing for chunk in self._chunks(spooled, name))
        for _ in self.engine.map(self.digest, (chunk for chunk in todo if not Path(chunk.path).exists())):
            pass
        for spooled, name in missing:
            self._done(name, spooled)
        return spools

    def _name(self, given: Input, sha256: str) -> str:
        described = {key: value for key, value in asdict(given).items() if key != "path"}
        parts = (
            __version__,
            DIGEST_VERSION,
            sha256,
            orjson.dumps(described),
            self.digest.key,
            str(self.skip_bad_files),
        )
        return hash128(*parts)

    def _found(self, given: Input, name: str) -> Spooled | None:
        done = self.journal / f"{name}.json"
        if not done.exists():
            return None
        facts = orjson.loads(done.read_bytes())
        chunks = [str(self.journal / chunk) for chunk in facts.pop("chunks")]
        if not all(Path(chunk).exists() for chunk in chunks):  # a run was killed while it cleaned up
            return None
        return Spooled(given, chunks=chunks, **facts)

    def _done(self, name: str, spooled: Spooled) -> None:
        facts = {key: getattr(spooled, key) for key in ("format", "sure", "records", "damage")}
        chunks = [Path(path).name for path in spooled.chunks]
        write_file(self.journal / f"{name}.json", orjson.dumps({**facts, "chunks": chunks}))

    def _chunks(self, spooled: Spooled, name: str) -> Iterator[Chunk]:
        """The jobs of one input; `spooled` is filled in as its file is read."""
        for items in _batches(self._before_damage(spooled)):
            path = str(self.journal / f"{name}-{len(spooled.chunks):06d}.arrow")
            texts = tuple(item for item in items if isinstance(item, bytes))
            records = tuple(item for item in items if isinstance(item, RawRecord))
            spooled.chunks.append(path)
            yield Chunk(spooled.given, spooled.format, spooled.records, texts, records, path)
            spooled.records += len(items)

    def _before_damage(self, spooled: Spooled) -> Iterator[bytes | RawRecord]:
        """The records before the file's damage, which is noted if bad files are skipped and raised if not."""
        try:
            yield from _items(spooled)
        except InputError as error:
            if not self.skip_bad_files:
                raise
            # A path would differ from machine to machine, and this text ends up in the data.
            path = spooled.given.path
            spooled.damage = error.fact.replace(path, Path(path).name)


def _items(spooled: Spooled) -> Iterator[bytes | RawRecord]:
    """The records of a file: as texts where the chunk's worker can parse them, else as values."""
    path = Path(spooled.given.path)
    stream: Iterator[bytes | RawRecord] = record_texts(path) if kind_of(path) == "json" else read_records(path)
    first, damage = _first(stream)
    looked_at = [_parsed(row, item) for row, item in enumerate(first)]
    if first:
        reader = _choose(spooled, looked_at)
        if reader.assemble is not None:
            rest = (_parsed(row, item) for row, item in enumerate(stream, len(first)))
            yield from reader.assemble(itertools.chain(looked_at, rest))
            return
    yield from first
    if damage is not None:
        raise damage
    yield from stream


def _choose(spooled: Spooled, looked_at: list[RawRecord]) -> Format:
    """The format of a file by its first records, noted in `spooled`.

    Raises:
        InputError: if none of them can be read, or no format knows them.
    """
    given = spooled.given
    if given.format:
        reader = format_named(given.format)
    elif all(record.problem is not None for record in looked_at):
        what = f"it starts with {(looked_at[0].raw or b'')[:20]!r} ({looked_at[0].problem})"
        raise InputError(f"{given.path} holds no JSON records: {what}", f"name its --format, or {SKIP_REMEDY}")
    else:
        reader, spooled.sure = detect(looked_at, given.path)
    spooled.format = reader.name
    return reader


def _first(stream: Iterator[bytes | RawRecord]) -> tuple[list[bytes | RawRecord], InputError | None]:
    """The first items of a stream, and the damage that ended it before there were enough."""
    items: list[bytes | RawRecord] = []
    try:
        for item in itertools.islice(stream, LOOK_AT):
            items.append(item)
    except InputError as error:
        return items, error
    return items, None


def _parsed(row: int, item: bytes | RawRecord) -> RawRecord:
    return parse_record(row, item) if isinstance(item, bytes) else item


def _batches(items: Iterable[bytes | RawRecord]) -> Iterator[list[bytes | RawRecord]]:
    """Chunks of at most `CHUNK_RECORDS` records and about `CHUNK_BYTES`, whatever the number of workers."""
    batch: list[bytes | RawRecord] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item) if isinstance(item, bytes) else len(item.raw or b"")
        if len(batch) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
