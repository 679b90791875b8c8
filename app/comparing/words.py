"""Two texts word by word: what stays, what went, what came; bounded, and it says where it stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from rapidfuzz.distance import LCSseq

Kind: TypeAlias = Literal["same", "removed", "added"]
Side: TypeAlias = Literal["before", "after"]

MAX_CHARS = 4_000_000
"""Characters of a text that are looked at."""
MAX_WORDS = 20_000
"""Words of each text that are compared behind what both begin with; time and memory grow with the product of both."""
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_LETTERS = re.compile(r"\w+")


class Piece(NamedTuple):
    """A stretch of text that both have, or only the one before or the one after."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class WordDiff:
    """Two texts compared.

    Attributes:
        pieces: in reading order; what went stands before what came in its place.
        stopped: (characters before, characters after) up to which was compared; None if all was.
    """

    pieces: tuple[Piece, ...]
    stopped: tuple[int, int] | None = None

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return self.stopped is not None or any(piece.kind != "same" for piece in self.pieces)

    def side(self, side: Side) -> tuple[Piece, ...]:
        """The pieces of one of the texts."""
        other = "added" if side == "before" else "removed"
        return tuple(piece for piece in self.pieces if piece.kind != other)

    @property
    def words(self) -> tuple[int, int]:
        """(words that went, words that came), spaces and signs aside."""
        gone, come = (
            sum(len(_LETTERS.findall(piece.text)) for piece in self.pieces if piece.kind == kind)
            for kind in ("removed", "added")
        )
        return gone, come


def split(text: str) -> list[str]:
    """Words, spaces and signs; joined they are the text."""
    return _WORD.findall(text)


def word_diff(before: str, after: str, *, max_words: int = MAX_WORDS) -> WordDiff:
    """Compare two texts word by word, along their longest common subsequence.

    Args:
        before: one text.
        after: the other.
        max_words: of each text that are compared, what both begin and end with aside.
    """
    if before == after:
        return WordDiff((Piece("same", before),) if before else ())
    old, new = split(before[:MAX_CHARS]), split(after[:MAX_CHARS])
    cut = len(before) > MAX_CHARS or len(after) > MAX_CHARS
    head = _alike(old, new)
    tail = 0 if cut else _alike(old[head:][::-1], new[head:][::-1])
    middle = old[head : len(old) - tail], new[head : len(new) - tail]
    long = any(len(words) > max_words for words in middle)
    compared = middle[0][:max_words], middle[1][:max_words]
    found = [Piece("same", "".join(old[:head])), *_compared(*compared)]
    if not cut and not long:
        return WordDiff(tuple(_joined([*found, Piece("same", "".join(old[len(old) - tail :]))])))
    reached = [sum(map(len, words)) for words in (old[:head], *compared)]
    return WordDiff(tuple(_joined(found)), (reached[0] + reached[1], reached[0] + reached[2]))


def _alike(one: Sequence[str], two: Sequence[str]) -> int:
    """How many words both begin with."""
    for at, (left, right) in enumerate(zip(one, two, strict=False)):
        if left != right:
            return at
    return min(len(one), len(two))


def _compared(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    numbers: dict[str, int] = {}  # equal words have equal numbers, so no hash can take two words for one
    one, two = ([numbers.setdefault(word, len(numbers)) for word in words] for words in (old, new))
    for step in LCSseq.opcodes(one, two):
        gone, come = old[step.src_start : step.src_end], new[step.dest_start : step.dest_end]
        if step.tag == "equal":
            yield Piece("same", "".join(gone))
            continue
        yield Piece("removed", "".join(gone))
        yield Piece("added", "".join(come))


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Changes with nothing but spaces or signs between them made one, since a reader takes them for one."""
    gone, come = "", ""
    given = [piece for piece in pieces if piece.text]
    for at, piece in enumerate(given):
        if piece.kind == "removed":
            gone += piece.text
        elif piece.kind == "added":
            come += piece.text
        elif gone and come and at + 1 < len(given) and not re.search(r"\w", piece.text):
            gone, come = gone + piece.text, come + piece.text
        else:
            yield from _change(gone, come)
            gone, come = "", ""
            yield piece
    yield from _change(gone, come)


def _change(gone: str, come: str) -> Iterator[Piece]:
    if gone:
        yield Piece("removed", gone)
    if come:
        yield Piece("added", come)
