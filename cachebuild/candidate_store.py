"""Where the search of a tool's recorded calls comes from: few calls stay in memory, many stand in a file of their own.

The file is made at the first look-up that needs it, by one process while others wait, and mapped by all of them. It
stands beside the index, is as disposable, and is made again where it is missing, damaged or of another version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from cachebuild.array_file import ArrayFile, write_arrays
from cachebuild.candidate_arrays import Table
from cachebuild.candidate_table import build_table, column_names, is_sound
from cachebuild.candidates import CandidateSearch, rule_of
from cachebuild.hash_file import Damaged
from cachebuild.index_place import IndexSource, give_name, is_trusted, locked, places
from cachebuild.index_records import unpack_keys
from cachebuild.key import Place, calls_key, repr_short
from curate.canonical import canonical_json, hash128
from curate.manifest import search_name
from curate.progress import track

if TYPE_CHECKING:
    from cachebuild.calibration import ToolCalibration
    from cachebuild.index import Candidate, EntryIndex
    from cachebuild.lookup import LookupSettings

TABLE_VERSION = 1
"""Changes when the arrays mean something else, or a text is read in another way."""
MOST_IN_MEMORY = 4_000
"""Calls that are read anew by each process, in some 50 ms, and held there: about 1 KB each."""
_KEY_BYTES = 16


class ListedCalls(Sequence["Candidate"]):
    """Recorded calls that are read from the index when they are looked at; keys: uint64 [calls, 2]."""

    def __init__(self, index: EntryIndex, keys: NDArray[np.uint64]) -> None:
        self._index = index
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, at: int) -> Candidate: ...
    @overload
    def __getitem__(self, at: slice) -> list[Candidate]: ...
    def __getitem__(self, at: int | slice) -> Candidate | list[Candidate]:
        """A call, or several."""
        if isinstance(at, slice):
            return [self._index.call(*halves) for halves in self._keys[at].tolist()]
        return self._index.call(*self._keys[at].tolist())


@dataclass(frozen=True)
class _Wanted:
    """The calls of a tool at a place, and the fields of them that must be equal."""

    index: EntryIndex
    place: Place
    tool: str
    calibration: ToolCalibration
    must: NDArray[np.bool_]

    def info(self) -> dict[str, Any]:
        """What the file says of itself; calls and calibration are those of the manifest in its name."""
        names = column_names(self.calibration)
        return {
            "calls": calls_key(self.place, self.tool),
            "names": [hash128(name) for name in names],
            "must": self.must.tolist(),
            "version": TABLE_VERSION,
        }

    def paths(self) -> list[Path]:
        """Where the file may stand, best first; nowhere if the index was made from no manifest."""
        folder, manifest = self.index.home
        if not manifest:
            return []
        shape = {name: value for name, value in self.info().items() if name != "version"}
        name = search_name(manifest, hash128(canonical_json(shape)))
        return [path.with_name(name) for path in places(folder, IndexSource(manifest, []))]

    def found(self) -> ArrayFile | None:
        """The file, if one stands somewhere and is sound."""
        folder, info = self.index.home[0], self.info()
        for path in self.paths():
            with suppress(OSError, Damaged):
                if is_trusted(path, folder):
                    file = ArrayFile(path)
                    if file.info == info and is_sound(file.arrays):
                        return file
        return None


def open_search(
    index: EntryIndex, place: Place, tool: str, calibration: ToolCalibration, settings: LookupSettings
) -> CandidateSearch:
    """The search over a tool's distinct calls at a place; a file is written for it if they are many."""
    shape = (calibration, settings.fuzzy_at, settings.unknown_state_p)
    wanted = _Wanted(index, place, tool, calibration, rule_of(*shape).must)
    file = wanted.found()
    if file is None:
        packed = index.keys(place, tool)
        if len(packed) <= MOST_IN_MEMORY * _KEY_BYTES:
            return CandidateSearch(index.distinct(place, tool), *shape, settings.max_candidates)
        arrays = _stored(wanted, packed)
    else:
        arrays = file.arrays
    calls = ListedCalls(index, arrays["keys"])
    table = Table(**{name: arrays[name] for name in Table._fields})
    return CandidateSearch(calls, *shape, settings.max_candidates, table)


def _stored(wanted: _Wanted, packed: bytes) -> dict[str, NDArray[Any]]:
    """The arrays, from a file that is made if no other process makes it; from memory if there is no place for one."""
    arrays: dict[str, NDArray[Any]] = {}
    for path in wanted.paths():
        with suppress(OSError):  # no space, no right, or the folder is gone; the calls can still be searched
            with locked(path, wanted.index.home[0]) as handle:
                file = wanted.found()  # another process may have built it while this one waited
                if file is not None:
                    return file.arrays
                arrays = arrays or _arrays(wanted, packed)
                write_arrays(handle, arrays, wanted.info())
                give_name(handle, path)
            return ArrayFile(path).arrays
    return arrays or _arrays(wanted, packed)


def _arrays(wanted: _Wanted, packed: bytes) -> dict[str, NDArray[Any]]:
    keys = np.frombuffer(packed, "<u8").astype(np.uint64).reshape(-1, 2)
    table = build_table(_tracked(wanted, packed, len(keys)), len(keys), wanted.calibration, wanted.must)
    return {"keys": keys, **table._asdict()}


def _tracked(wanted: _Wanted, packed: bytes, count: int) -> Iterator[Candidate]:
    calls = (wanted.index.call(*halves) for halves in unpack_keys(packed))
    label = f"candidate search of {repr_short(wanted.tool, 60)}, once for this cache"
    return track(calls, label, total=count, unit="call")
