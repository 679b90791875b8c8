"""How alike two texts of one argument field are: Jaccard similarity of their stems, rare stems weighing more.

Weights are inverse document frequencies (Sparck Jones, "A statistical interpretation of term specificity", 1972) over
the values that were recorded for the field.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import fsum, log1p

MOST_STEMS = 10_000
"""Stems of a field whose frequency is kept, the commonest first; all others count as seen once."""
MOST_ALIKE = 0.95
"""Similarity of the same stems in another order, at most: "Rome to Paris" is not "Paris to Rome"."""
_SHORTEST = 4
"""Shorter words are left as they are."""

_TOKEN = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class StemWeights:
    """Weight of a stem in the values of one field: log(1 + values / values that have it).

    Attributes:
        values: how many were recorded.
        counts: stem -> values that have it, for stems in at least two.
    """

    values: int = 1
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str]) -> StemWeights:
        """Count the stems of a field's values."""
        counts: Counter[str] = Counter()
        values = 0
        for text in texts:
            values += 1
            counts.update(stems(text))
        common = sorted(((stem, n) for stem, n in counts.items() if n > 1), key=lambda item: (-item[1], item[0]))
        return cls(max(values, 1), dict(common[:MOST_STEMS]))

    def weight(self, stem: str) -> float:
        """Above 0 for every stem; a stem never seen weighs as one seen once."""
        return log1p(self.values / self.counts.get(stem, 1))

    def total(self, found: Iterable[str]) -> float:
        """Weight of some stems together, whatever their order."""
        return fsum(map(self.weight, found))


EVEN = StemWeights()
"""All stems weigh the same."""


def text_similarity(one: str, two: str, weights: StemWeights = EVEN) -> float:
    """Weighted Jaccard similarity of two texts' stems, 0 to 1; 1 only for the same stems in the same order.

    0 if their numbers are not the same (another number is another thing), or if either text has no word.
    """
    first, second = words(one), words(two)
    if not first or not second or numbers(first) != numbers(second):
        return 0.0
    if first == second:
        return 1.0
    alike, differ = stems(one) & stems(two), stems(one) ^ stems(two)
    common = weights.total(alike)
    return min(common / (common + weights.total(differ)), MOST_ALIKE)


@lru_cache(maxsize=4_096)
def words(text: str) -> tuple[str, ...]:
    """The stems of a text's words, case folded, in their order."""
    return tuple(map(stem, _TOKEN.findall(text.casefold())))


def stems(text: str) -> frozenset[str]:
    """The different stems of a text."""
    return frozenset(words(text))


def numbers(found: Sequence[str]) -> tuple[str, ...]:
    """The words that hold a digit, each with the word behind it, in their order.

    So "3667 GZ" is not "GZ 3667", and "2 adults, 1 child" not "2 children, 1 adult".
    """
    followed = zip(found, (*found[1:], ""), strict=True)
    return tuple(part for word, after in followed if _DIGIT.search(word) for part in (word, after))


def stem(word: str) -> str:
    """The word without its plural s: the S-stemmer (Harman, "How effective is suffixing?", JASIS 42, 1991)."""
    if len(word) < _SHORTEST or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]
