"""An index of n-grams of words: which of many texts share wording with a given one, checked word by word."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import xxhash

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    U64: TypeAlias = npt.NDArray[np.uint64]
    U32: TypeAlias = npt.NDArray[np.uint32]
    I64: TypeAlias = npt.NDArray[np.int64]

Words: TypeAlias = list[str]
Place: TypeAlias = tuple[int, int]
"""(number of a text, number of the word in it)."""


@dataclass(frozen=True)
class Owner:
    """Whose texts are indexed: they count as one, and n-grams are counted once for owners of one `kin` and `key`.

    Attributes:
        texts: as normalised words.
        kin: owners of one kin are compared when n-grams of too many owners are left out.
        key: owners of one key count as one there.
    """

    texts: Sequence[Words]
    kin: int
    key: int


class NgramIndex:
    """Hashes of n-grams, and where in the owners' texts they stand. It can be pickled.

    Attributes:
        sizes: distinct n-grams of each owner that count.
        ignored: distinct n-grams left out, by kin.
    """

    def __init__(self, n: int, owners: Iterable[Owner], max_owners: int | None = None) -> None:
        """Index the owners' texts.

        Args:
            n: words of an n-gram.
            owners: numbered in the order given.
            max_owners: n-grams that more owners of one kin hold are left out for that kin; None leaves out none.
        """
        self.n = n
        self._anchor = max(1, n // 2)
        self._texts: list[str] = []
        self._anchors: set[int] = set()
        self._hashes: U64
        self._starts: I64
        self._owners: U32
        self._places: U32
        self.sizes: I64
        self.ignored: Mapping[int, int]
        self._build(owners, max_owners)

    def __len__(self) -> int:
        return len(self._hashes)

    def _build(self, owners: Iterable[Owner], max_owners: int | None) -> None:
        import numpy as np
        import polars as pl

        hashes, numbers, places, groups = array("Q"), array("I"), array("I"), array("Q")
        for number, owner in enumerate(owners):
            before = len(hashes)
            self._texts.append(self._add(owner.texts, hashes, places))
            added = len(hashes) - before
            numbers.extend([number] * added)
            groups.extend([owner.kin << 32 | owner.key] * added)
        found = pl.DataFrame(
            {
                "hash": np.frombuffer(hashes, np.uint64),
                "owner": np.frombuffer(numbers, np.uint32),
                "place": np.frombuffer(places, np.uint32),
                "group": np.frombuffer(groups, np.uint64),
            }
        ).with_columns(kin=pl.col("group") // 2**32)
        found = found.unique(["hash", "owner"], keep="first", maintain_order=True)
        found, self.ignored = _without_templates(found, max_owners)
        found = found.sort("hash", "owner")
        counts = found["hash"].rle().struct.unnest()
        self._hashes = counts["value"].to_numpy()
        self._starts = np.concatenate([[0], np.cumsum(counts["len"].to_numpy(), dtype=np.int64)])
        self._owners, self._places = found["owner"].to_numpy(), found["place"].to_numpy()
        self.sizes = np.bincount(self._owners, minlength=len(self._texts))

    def _add(self, texts: Sequence[Words], hashes: array[int], places: array[int]) -> str:
        """Take in one owner's texts; returns those that hold an n-gram as one, a text a line."""
        held = [words for words in texts if len(words) >= self.n]
        start = 0
        for words in held:
            *begun, start = itertools.accumulate((len(word) + 1 for word in words), initial=start)
            last = len(words) - self.n + 1
            places.extend(begun[:last])
            hashes.extend(_hash(words, first, self.n) for first in range(last))
            anchors = len(words) - self._anchor + 1
            self._anchors.update(_hash(words, first, self._anchor) for first in range(anchors))
        return "\n".join(map(" ".join, held))

    def shared(self, texts: Sequence[Words], needed: I64) -> Iterator[tuple[int, list[Place]]]:
        """Owners that share n-grams with the texts, the largest share of their own first.

        Args:
            texts: as normalised words.
            needed: how many n-grams each owner must share to be named.

        Yields:
            (number of the owner, places of the shared n-grams in `texts`, one each). The n-grams are compared
            as words, so that equal hashes of unequal words count for nothing.
        """
        near = self._near(texts)
        if near:
            yield from self._checked(texts, self._windows(texts, near), needed)

    def _near(self, texts: Sequence[Words]) -> list[Place]:
        """Places where a shared n-gram may stand.

        Every few words a shorter k-gram is looked up: of n - k + 1 successive ones an n-gram holds them all, so it
        holds one of those that are looked at.
        """
        size, anchors, digest = self._anchor, self._anchors, xxhash.xxh3_64_intdigest
        return [
            (number, start)
            for number, words in enumerate(texts)
            if len(words) >= self.n
            for start in range(0, len(words) - size + 1, self.n - size + 1)
            if digest(" ".join(words[start : start + size]).encode()) in anchors
        ]

    def _windows(self, texts: Sequence[Words], near: Sequence[Place]) -> dict[int, Place]:
        """Hash -> first place of the n-grams around the places given."""
        windows: dict[int, Place] = {}
        for number, start in near:
            words = texts[number]
            for first in range(max(0, start - self.n + self._anchor), min(start, len(words) - self.n) + 1):
                windows.setdefault(_hash(words, first, self.n), (number, first))
        return windows

    def _checked(
        self, texts: Sequence[Words], windows: Mapping[int, Place], needed: I64
    ) -> Iterator[tuple[int, list[Place]]]:
        import numpy as np

        keys = np.fromiter(windows, np.uint64, len(windows))
        rows = np.searchsorted(self._hashes, keys)
        met = np.flatnonzero(self._hashes[np.minimum(rows, len(self._hashes) - 1)] == keys) if len(self) else rows[:0]
        starts, ends = self._starts[rows[met]], self._starts[rows[met] + 1]
        at = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends, strict=True)] or [rows[:0]])
        window = np.repeat(met, ends - starts)
        owners, counts = np.unique(self._owners[at], return_counts=True)
        enough = counts >= needed[owners]
        owners, shares = owners[enough], (counts / np.maximum(self.sizes[owners], 1))[enough]
        ordered = list(windows.values())
        for owner in owners[np.lexsort((owners, -shares))].tolist():
            mine = np.flatnonzero(self._owners[at] == owner)
            pairs = zip(window[mine].tolist(), self._places[at[mine]].tolist(), strict=True)
            places = [ordered[w] for w, place in pairs if self._stands_at(texts, ordered[w], owner, place)]
            if len(places) >= needed[owner]:
                yield owner, places

    def _stands_at(self, texts: Sequence[Words], place: Place, owner: int, start: int) -> bool:
        """Whether the n-gram of `texts` at a place stands at a character of the owner's text."""
        number, first = place
        gram = " ".join(texts[number][first : first + self.n])
        text, end = self._texts[owner], start + len(gram)
        return text.startswith(gram, start) and text[end : end + 1] in ("", " ", "\n")


def _hash(words: Words, first: int, size: int) -> int:
    return xxhash.xxh3_64_intdigest(" ".join(words[first : first + size]).encode())


def _without_templates(found: pl.DataFrame, max_owners: int | None) -> tuple[pl.DataFrame, dict[int, int]]:
    """The n-grams without those that too many owners of one kin hold, and how many these are for each kin."""
    import polars as pl

    if max_owners is None:
        return found, {}
    template = pl.col("group").n_unique().over("kin", "hash") > max_owners
    found = found.with_columns(template=template)
    ignored = found.filter("template").group_by("kin").agg(pl.col("hash").n_unique()).sort("kin")
    return found.filter(~pl.col("template")), dict(ignored.iter_rows())
