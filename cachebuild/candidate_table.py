"""Recorded calls as arrays: every value of a field a number, every text its stems, and where each of them stands."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from cachebuild.calibration import FieldCounts, ToolCalibration
from cachebuild.candidate_kernels import NO_WORDS
from cachebuild.curve import GRID
from cachebuild.similarity import numbers, stems
from curate.canonical import canonical_json
from curate.jit import read_only

if TYPE_CHECKING:
    from cachebuild.index import Candidate

MOST_COLUMNS = 32
"""Fields that stand apart, those of most calls first; the others are one value together, equal or not."""
_MISSING = b""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(32)


@dataclass(frozen=True)
class QueryRow:
    """One query in the numbers of a table: values and states that were never recorded are -1.

    `stems`, `weights` and the `totals` of a column are those of its text, from `bounds[column]` on; `unseen` is the
    weight of stems that no recorded value of the column has.
    """

    codes: NDArray[np.int32]
    state: int
    marks: NDArray[np.uint64]
    stems: NDArray[np.int32]
    weights: NDArray[np.float64]
    bounds: NDArray[np.int64]
    totals: NDArray[np.float64]
    unseen: NDArray[np.float64]


@dataclass(frozen=True)
class CandidateTable:
    """The calls of one tool at one place.

    Attributes:
        names: fields with a column of their own; behind them stands one for all others.
        texts: columns of text fields.
        codes: int32 [calls, columns], the value of each field; numbers do not repeat between columns.
        states: int32 [calls].
        curves: float64 [columns, grid], p by similarity.
        hashes: of each column's values, sorted; value number = `first[column]` + place.
        marks: uint64 [values], hash of the numbers in a text; equal for texts that can be alike.
        starts, stems: the sorted stems of each value.
        totals: their weight together.
        post_starts, posts: the values that have a stem.
    """

    names: list[str]
    texts: list[int]
    fields: Mapping[str, FieldCounts]
    codes: NDArray[np.int32]
    states: NDArray[np.int32]
    curves: NDArray[np.float64]
    hashes: list[NDArray[np.uint64]]
    first: list[int]
    marks: NDArray[np.uint64]
    starts: NDArray[np.int64]
    stems: NDArray[np.int32]
    totals: NDArray[np.float64]
    post_starts: NDArray[np.int64]
    posts: NDArray[np.int32]
    stem_numbers: dict[tuple[int, str], int]
    state_numbers: dict[str, int]

    @classmethod
    def build(cls, calls: Sequence[Candidate], calibration: ToolCalibration) -> CandidateTable:
        """Read the calls once."""
        fields = calibration.fields
        names = sorted(sorted(fields), key=lambda name: -fields[name].share)[:MOST_COLUMNS]
        texts = [column for column, name in enumerate(names) if fields[name].type == "text"]
        hashed = np.empty((len(calls), len(names) + 1), np.uint64)
        words: list[dict[int, str]] = [{} for _ in names]
        state_numbers: dict[str, int] = {}
        states = np.empty(len(calls), np.int32)
        for position, call in enumerate(calls):
            values = call.values()
            hashed[position] = row = _hashes(values, names)
            states[position] = state_numbers.setdefault(call.state_digest, len(state_numbers))
            for column in texts:
                text = values.get(names[column])
                if isinstance(text, str):
                    words[column].setdefault(row[column], text)
        codes, hashes, first = _numbered(hashed)
        curves = [calibration.curves[name] for name in names]
        vocabulary = _Vocabulary()
        for column, kept in enumerate(hashes):
            weights = fields[names[column]].stems if column in texts else None
            found = words[column] if column in texts else {}
            for each in kept.tolist():
                vocabulary.add(column, stems(found[each]) if each in found else (), weights)
        return cls(
            names=names,
            texts=texts,
            fields=fields,
            codes=read_only(codes),
            states=read_only(states),
            curves=read_only(np.array([*curves, (0.0,) * len(GRID)])),
            hashes=hashes,
            first=first,
            **vocabulary.arrays(),
            stem_numbers=vocabulary.numbers,
            state_numbers=state_numbers,
        )

    def row(self, values: Mapping[str, Any], digest: str) -> QueryRow:
        """A query in the numbers of this table."""
        size = len(self.names) + 1
        codes = np.array(
            [_place(self.hashes[n], self.first[n], each) for n, each in enumerate(_hashes(values, self.names))],
            np.int32,
        )
        marks, totals, unseen = np.zeros(size, np.uint64), np.zeros(size), np.zeros(size)
        known: list[tuple[int, float]] = []
        bounds = [0]
        for column in range(size):
            text = values.get(self.names[column]) if column in self.texts else None
            found = stems(text) if isinstance(text, str) else frozenset[str]()
            if found:
                weights = self.fields[self.names[column]].stems
                marks[column], totals[column] = _mark(found), weights.total(found)
                numbered = [(self.stem_numbers.get((column, stem), -1), weights.weight(stem)) for stem in sorted(found)]
                unseen[column] = sum(weight for number, weight in numbered if number < 0)
                known += sorted(pair for pair in numbered if pair[0] >= 0)
            bounds.append(len(known))
        return QueryRow(
            codes,
            self.state_numbers.get(digest, -1),
            marks,
            np.array([number for number, _ in known], np.int32),
            np.array([weight for _, weight in known], np.float64),
            np.array(bounds, np.int64),
            totals,
            unseen,
        )


class _Vocabulary:
    """Numbers the stems of each column, value after value."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, str], int] = {}
        self._stems = array("i")
        self._ends = array("q", [0])
        self._marks = array("Q")
        self._totals = array("d")

    def add(self, column: int, found: Iterable[str], weights: Any) -> None:
        """The next value."""
        words = sorted(found)
        numbered = [self.numbers.setdefault((column, stem), len(self.numbers)) for stem in words]
        self._stems.extend(sorted(numbered))
        self._ends.append(len(self._stems))
        self._marks.append(_mark(words) if words else NO_WORDS)
        self._totals.append(weights.total(words) if words else 0.0)

    def arrays(self) -> dict[str, Any]:
        """What was added, as arrays of a table."""
        starts = np.array(self._ends, np.int64)
        flat = np.array(self._stems, np.int32)
        lengths = np.diff(starts)
        post_starts = np.zeros(len(self.numbers) + 1, np.int64)
        np.cumsum(np.bincount(flat, minlength=len(self.numbers)), out=post_starts[1:])
        holders = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        return {
            "marks": read_only(np.array(self._marks, np.uint64)),
            "starts": read_only(starts),
            "stems": read_only(flat),
            "totals": read_only(np.array(self._totals)),
            "post_starts": read_only(post_starts),
            "posts": read_only(holders[np.argsort(flat, kind="stable")]),
        }


def signatures(codes: NDArray[np.int32], states: NDArray[np.int32], must: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Hash of each row's state and of those of its values that must be equal."""
    found = states.astype(np.uint64)
    for column in np.flatnonzero(must):
        found = (found + codes[:, column].astype(np.uint64) + np.uint64(1)) * _MIX
        found ^= found >> _FOLD
    return found


def groups(table: CandidateTable, signature: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """(start of each value, the calls that hold it), the calls of one value in the order of their signatures."""
    size = len(table.marks)
    starts = np.zeros(size + 1, np.int64)
    np.cumsum(np.bincount(table.codes.ravel(), minlength=size), out=starts[1:])
    by_signature = np.argsort(signature, kind="stable").astype(np.int32)
    holders = [
        by_signature[np.argsort(table.codes[by_signature, column], kind="stable")]
        for column in range(table.codes.shape[1])
    ]
    return read_only(starts), read_only(np.concatenate(holders))


def _hashes(values: Mapping[str, Any], names: Sequence[str]) -> list[int]:
    """Hash of the value of each column, then of all other fields together."""
    rest = {name: value for name, value in values.items() if name not in names}
    texts = [_text(values[name]) if name in values else _MISSING for name in names]
    return [xxhash.xxh3_64_intdigest(text) for text in (*texts, _text(rest) if rest else _MISSING)]


def _text(value: Any) -> bytes:
    """A text of the value that no other has; no other JSON begins with a quotation mark."""
    if isinstance(value, str):
        return b'"' + value.encode("utf-8", "surrogatepass")
    if type(value) is int:
        return b"%d" % value
    return canonical_json(value).encode("utf-8", "surrogatepass")


def _numbered(hashed: NDArray[np.uint64]) -> tuple[NDArray[np.int32], list[NDArray[np.uint64]], list[int]]:
    """(codes, sorted hashes of each column, number of each column's first value)."""
    codes = np.empty(hashed.shape, np.int32)
    hashes, first, size = [], [], 0
    for column in range(hashed.shape[1]):
        kept, inverse = np.unique(hashed[:, column], return_inverse=True)
        codes[:, column] = inverse + size
        hashes.append(kept)
        first.append(size)
        size += len(kept)
    return codes, hashes, first


def _place(hashes: NDArray[np.uint64], first: int, wanted: int) -> int:
    at = int(np.searchsorted(hashes, np.uint64(wanted)))
    return first + at if at < len(hashes) and int(hashes[at]) == wanted else -1


def _mark(found: Iterable[str]) -> int:
    """Hash of the numbers among some stems, never that of texts without words."""
    return xxhash.xxh3_64_intdigest("\0".join(sorted(numbers(found))).encode("utf-8", "surrogatepass")) | 1
