"""Recorded calls as arrays: every value of a field a number, every text its stems, and where each of them stands.

Values, stems and states are known by 64-bit hashes, so that the arrays are all there is and can stand in a file.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from cachebuild.calibration import ToolCalibration, value_text
from cachebuild.candidate_arrays import NO_WORDS, TEXT, Table
from cachebuild.candidate_kernels import signatures
from cachebuild.similarity import StemWeights, numbers, words
from curate.jit import read_only

if TYPE_CHECKING:
    from cachebuild.index import Candidate

MOST_COLUMNS = 32
"""Fields that stand apart, those of most calls first; the others are one value together, equal or not."""
_MISSING = b""


def column_names(calibration: ToolCalibration) -> list[str]:
    """Fields with a column of their own; behind them stands one for all others."""
    fields = calibration.fields
    return sorted(sorted(fields), key=lambda name: -fields[name].share)[:MOST_COLUMNS]


def text_columns(names: Sequence[str], calibration: ToolCalibration) -> list[int]:
    """Columns of text fields."""
    return [column for column, name in enumerate(names) if calibration.fields[name].type == "text"]


def value_hashes(values: Mapping[str, Any], names: Sequence[str]) -> list[int]:
    """Hash of the value of each column, then of all other fields together."""
    rest = {name: value for name, value in values.items() if name not in names}
    texts = [_text(values[name]) if name in values else _MISSING for name in names]
    return [xxhash.xxh3_64_intdigest(text) for text in (*texts, _text(rest) if rest else _MISSING)]


def text_hash(text: str, seed: int = 0) -> int:
    """Of a stem (seed: its column), a state's digest, or the stems of a text."""
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"), seed)


def mark_of(found: Sequence[str]) -> int:
    """Hash of the numbers among some words, never that of texts without words."""
    return text_hash("\0".join(numbers(found))) | 1 if found else NO_WORDS


def order_of(found: Sequence[str]) -> int:
    """Hash of the words in their order."""
    return text_hash("\0".join(found))


def _text(value: Any) -> bytes:
    return value_text(value).encode("utf-8", "surrogatepass")


class _Texts:
    """The different texts of one column: their stems, marks and weights, in the order they were seen."""

    def __init__(self, column: int, weights: StemWeights) -> None:
        self._column = column
        self._weights = weights
        self._seen: set[int] = set()
        self.hashes = array("Q")
        self.marks = array("Q")
        self.orders = array("Q")
        self.totals = array("d")
        self.lengths = array("q")
        self.stems = array("Q")

    def add(self, hashed: int, text: str) -> None:
        """Take in a value."""
        if hashed in self._seen:
            return
        self._seen.add(hashed)
        found = words(text)
        stems = set(found)
        self.hashes.append(hashed)
        self.marks.append(mark_of(found))
        self.orders.append(order_of(found))
        self.totals.append(self._weights.total(stems))
        self.lengths.append(len(stems))
        self.stems.extend(text_hash(stem, self._column) for stem in stems)


def build_table(calls: Iterable[Candidate], count: int, calibration: ToolCalibration, must: NDArray[np.bool_]) -> Table:
    """Read the calls once.

    Args:
        calls: in the order of their positions.
        count: how many.
        calibration: of the tool.
        must: bool [columns], the fields that must be equal.
    """
    names = column_names(calibration)
    texts = {n: _Texts(n, calibration.fields[names[n]].stems) for n in text_columns(names, calibration)}
    hashed, digests = np.empty((count, len(names) + 1), np.uint64), np.empty(count, np.uint64)
    for position, call in enumerate(calls):
        values = call.values()
        row = value_hashes(values, names)
        hashed[position] = row
        digests[position] = text_hash(call.state_digest)
        for column, known in texts.items():
            value = values.get(names[column])
            if isinstance(value, str):
                known.add(row[column], value)
    codes, hashes, column_starts = _numbered(hashed)
    state_hashes, states = np.unique(digests, return_inverse=True)
    states = states.astype(np.int32)
    signature = signatures(codes, states, must)
    by_signature = np.argsort(signature, kind="stable").astype(np.int32)
    holder_starts, holders = _holders(codes, len(hashes), by_signature)
    arrays: dict[str, NDArray[Any]] = {
        "codes": codes,
        "states": states,
        "state_hashes": state_hashes,
        "hashes": hashes,
        "column_starts": column_starts,
        "signatures": signature,
        "group_signatures": signature[by_signature],
        "group_order": by_signature,
        "holder_starts": holder_starts,
        "holders": holders,
        **_stemmed(texts, hashes, column_starts),
    }
    return Table(**{name: read_only(found) for name, found in arrays.items()})


def _numbered(hashed: NDArray[np.uint64]) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.int64]]:
    """(codes, sorted hashes of each column, number of each column's first value and of the one behind the last)."""
    codes = np.empty(hashed.shape, np.int32)
    hashes, starts = [], [0]
    for column in range(hashed.shape[1]):
        kept, inverse = np.unique(hashed[:, column], return_inverse=True)
        codes[:, column] = inverse + starts[-1]
        hashes.append(kept)
        starts.append(starts[-1] + len(kept))
    return codes, np.concatenate(hashes), np.array(starts, np.int64)


def _holders(
    codes: NDArray[np.int32], size: int, by_signature: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """(start of each value, the calls that hold it), the calls of one value in the order of their signatures."""
    starts = _starts(np.bincount(codes.ravel(), minlength=size))
    holders = [by_signature[np.argsort(codes[by_signature, column], kind="stable")] for column in range(codes.shape[1])]
    return starts, np.concatenate(holders)


def _stemmed(
    texts: Mapping[int, _Texts], hashes: NDArray[np.uint64], column_starts: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """The arrays of values and stems."""
    size = len(hashes)
    found = np.zeros(size + 1, TEXT)
    lengths = np.zeros(size, np.int64)
    owners, stems = [np.empty(0, np.int32)], [np.empty(0, np.uint64)]
    for column, known in texts.items():
        first, last = column_starts[column], column_starts[column + 1]
        at = first + np.searchsorted(hashes[first:last], np.array(known.hashes, np.uint64))
        found["mark"][at], found["order"][at], found["total"][at] = known.marks, known.orders, known.totals
        lengths[at] = known.lengths
        owners.append(np.repeat(at, known.lengths).astype(np.int32))
        stems.append(np.array(known.stems, np.uint64))
    owner = np.concatenate(owners)
    stem_hashes, inverse = np.unique(np.concatenate(stems), return_inverse=True)
    stem = inverse.astype(np.int32)
    found["start"] = _starts(lengths)
    return {
        "texts": found,
        "stems": stem[np.lexsort((stem, owner))],
        "stem_hashes": stem_hashes,
        "post_starts": _starts(np.bincount(stem, minlength=len(stem_hashes))),
        "posts": owner[np.lexsort((owner, found["total"][owner], stem))],
    }


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each stretch begins, and the end of the last."""
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def is_sound(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether no number in a table's arrays leads out of another: the compiled loops do not look."""
    table = Table(**{name: arrays[name] for name in Table._fields})
    calls, values, stems = len(table.codes), len(table.hashes), len(table.stem_hashes)
    texts: NDArray[Any] = table.texts["start"]
    lengths = [
        len(table.states) == len(table.signatures) == len(table.group_signatures) == len(table.group_order) == calls,
        len(texts) == values + 1 == len(table.holder_starts) and len(table.post_starts) == stems + 1,
        len(table.column_starts) == table.codes.shape[1] + 1 and len(arrays["keys"]) == calls,
    ]
    return (
        all(lengths)
        and _below(table.codes, values)
        and _below(table.posts, values)
        and _below(table.stems, stems)
        and _below(table.group_order, calls)
        and _below(table.holders, calls)
        and _rising(table.column_starts, values)
        and _rising(texts, len(table.stems))
        and _rising(table.post_starts, len(table.posts))
        and _rising(table.holder_starts, len(table.holders))
    )


def _below(numbers: NDArray[Any], limit: int) -> bool:
    return not len(numbers) or bool(numbers.min() >= 0 and numbers.max() < limit)


def _rising(starts: NDArray[Any], end: int) -> bool:
    return bool(starts[0] == 0 and starts[-1] == end and (starts[1:] >= starts[:-1]).all())
