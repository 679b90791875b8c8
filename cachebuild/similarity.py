"""How alike two texts of one argument field are: Jaccard similarity of their stems, rare stems weighing more.

Weights are inverse document frequencies (Sparck Jones, "A statistical interpretation of term specificity", 1972) over
the values that were recorded for the field.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import fsum, log1p

MOST_STEMS = 10_000
"""Stems of a field whose frequency is kept, the commonest first; all others count as seen once."""
_SHORTEST = 4
"""Shorter words are left as they are."""

_TOKEN = re.compile(r"\w+")


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
    """Weighted Jaccard similarity of two texts' stems, 0 to 1.

    0 if the stems that hold digits are not the same (another number is another thing), or if either text has no word.
    """
    first, second = stems(one), stems(two)
    if not first or not second or numbers(first) != numbers(second):
        return 0.0
    if first == second:
        return 1.0
    return weights.total(first & second) / weights.total(first | second)


@lru_cache(maxsize=4_096)
def stems(text: str) -> frozenset[str]:
    """The stems of a text's words, case folded."""
    return frozenset(map(stem, _TOKEN.findall(text.casefold())))


def numbers(found: Iterable[str]) -> frozenset[str]:
    """The stems that hold a digit."""
    return frozenset(stem for stem in found if any(character.isdigit() for character in stem))


def stem(word: str) -> str:
    """The word without its plural s: the S-stemmer (Harman, "How effective is suffixing?", JASIS 42, 1991)."""
    if len(word) < _SHORTEST or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]
