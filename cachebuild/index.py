"""The recorded calls of a cache, found by key and by tool, in a memory-mapped file that is built from the shards.

Everything that look-up asks of the recorded calls goes through `EntryIndex`. What it reads is checked; an index that is
missing, stale or damaged is built again, and shards that do not match the manifest are refused.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any

from cachebuild.answer import Outcome
from cachebuild.hash_file import Damaged, HashFile
from cachebuild.index_place import IndexSource, discard, find, locked, no_room, places, publish, unwritable
from cachebuild.index_records import group_key, halves, unpack_arguments, unpack_keys, unpack_names, unpack_outcomes
from cachebuild.key import Place, calls_key
from curate.errors import FolderError

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

_HALVES = Struct(">QQ").unpack  # of a key's bytes; quicker than `halves`
KEPT_CALLS = 20_000
"""Distinct calls that are kept decoded after they were listed, about 500 bytes each."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One distinct recorded call; `state_digest` is that of the state it was made in."""

    key: str
    arguments: str
    state_digest: str

    def values(self) -> dict[str, Any]:
        """The arguments, parsed."""
        values: dict[str, Any] = json.loads(self.arguments)
        return values


class EntryIndex:
    """Entries by exact key, by normalised key, and distinct calls by (place, tool)."""

    def __init__(self, folder: DatasetFolder, file: HashFile) -> None:
        self._folder = folder
        self._listed: OrderedDict[str, list[Candidate]] = OrderedDict()
        self._take(file)

    @classmethod
    def load(cls, folder: DatasetFolder) -> EntryIndex:
        """Open the index of a cache folder, whose table `entries` nobody needs to have checked.

        Raises:
            FolderError: if there is none and none can be made: a shard is missing or changed, or there is no space.
        """
        return cls(folder, open_index(folder))

    def _take(self, file: HashFile) -> None:
        self._file = file
        self._get = file.get
        self.entries: int = file.info["entries"]

    def _found(self, high: int, low: int) -> bytes | None:
        """The record of a key; a damaged index is replaced and asked again."""
        try:
            return self._get(high, low)
        except Damaged:
            discard(self._file)
            self._take(open_index(self._folder))
            return self._get(high, low)

    @property
    def home(self) -> tuple[Path, str]:
        """(the cache folder, hash of the manifest that the index was made from; empty if it was made from none)."""
        return self._folder.path if self._folder else self._file.path.parent, self._file.info.get("manifest", "")

    def outcomes(self, key: str, exclude: str | None = None) -> tuple[Outcome, ...]:
        """The recorded results of a key, commonest first; those of trajectory `exclude` are not seen."""
        high, low = _HALVES(bytes.fromhex(key))
        try:
            packed = self._get(high, low)
        except Damaged:
            packed = self._found(high, low)
        return () if packed is None else unpack_outcomes(packed, exclude)

    def normalised(self, normalised_key: str) -> list[Candidate]:
        """The distinct calls that share a normalised key."""
        return self._calls(normalised_key)

    def distinct(self, place: Place, tool: str) -> list[Candidate]:
        """The distinct calls of a tool at a place, in any state, in the order they were recorded."""
        key = calls_key(place, tool)
        if key not in self._listed:
            self._listed[key] = self._calls(key)
            while len(self._listed) > 1 and sum(map(len, self._listed.values())) > KEPT_CALLS:
                self._listed.popitem(last=False)
        self._listed.move_to_end(key)
        return self._listed[key]

    def keys(self, place: Place, tool: str) -> bytes:
        """The keys of the same, packed."""
        return self._found(*halves(calls_key(place, tool))) or b""

    def trajectories(self, task_group: str) -> frozenset[str]:
        """The trajectories of a task group that the cache holds calls of."""
        packed = self._found(*halves(group_key(task_group)))
        return frozenset() if packed is None else frozenset(unpack_names(packed))

    def _calls(self, key: str) -> list[Candidate]:
        packed = self._found(*halves(key))
        return [] if packed is None else [self.call(*listed) for listed in unpack_keys(packed)]

    def call(self, high: int, low: int) -> Candidate:
        """A distinct call, by the halves of its key.

        Raises:
            FolderError: if the index has none of this key.
        """
        packed = self._found(high, low)
        if packed is None:
            raise FolderError(f"{self._file.path} lists a call that it does not hold; remove it, it is built again")
        return Candidate(f"{high:016x}{low:016x}", *unpack_arguments(packed))


def open_index(folder: DatasetFolder) -> HashFile:
    """The index of a cache folder; built if there is none of its manifest and shards.

    Raises:
        FolderError: as `EntryIndex.load`.
    """
    source = IndexSource.of(folder)
    found = find(folder.path, source)
    refused: OSError | None = None
    for path in places(folder.path, source) if found is None else ():
        try:
            with locked(path, folder.path) as handle:
                found = find(folder.path, source)  # another process may have built it while this one waited
                if found is None:
                    _check(folder)
                    _build(folder, source, handle, path)
                    publish(handle, path)
            return found or HashFile(path)
        except OSError as error:
            if not no_room(error):
                raise
            refused = refused or error
    if found is None:
        raise unwritable(folder.path, refused)
    return found


def prepare_index(folder: DatasetFolder) -> None:
    """Build the index of a cache folder that was just written and has not got its name yet; without space, do not.

    Readers then find the index from the moment at which they find the folder.
    """
    source = IndexSource.of(folder)
    path = places(folder.path, source)[0]
    try:
        with locked(path, folder.path) as handle:
            _build(folder, source, handle, path)
            publish(handle, path)
    except OSError as error:
        if not no_room(error):
            raise


def _check(folder: DatasetFolder) -> None:
    problems = folder.problems()
    if problems:
        raise FolderError(f"{folder.path} does not match its manifest: {problems[0]}. Write the folder again.")


def _build(folder: DatasetFolder, source: IndexSource, handle: Any, path: Path) -> None:
    from cachebuild.index_build import folder_entries, write_index

    write_index(folder_entries(folder), handle, path.with_name(f".{path.name}.spill"), source.info())
    if not source.stands(folder):
        raise FolderError(f"{folder.path} was changed while its index was built; open it again")
