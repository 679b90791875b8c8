"""How near a served result comes to the one that was asked for, 0 to 1: 1 if equal, else what they share beyond chance.

Results of one tool share field names and common values whatever was asked; that share, `chance`, counts as nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from curate.canonical import hash128

MOST_RESULTS = 64
"""Results that `chance_of` compares with each other: 2,016 pairs."""
MOST_CHARACTERS = 8_192
"""How much of each of them; long results of one tool are alike in form."""

_TOKEN = re.compile(r"\w+")


def fidelity(asked: str, served: str, chance: float = 0.0) -> float:
    """How much of the result asked for is in the one that was served.

    The corrected index is (J - chance) / (1 - chance), at least 0, as Cohen's kappa corrects agreement (Cohen, "A
    coefficient of agreement for nominal scales", 1960); J is the Jaccard similarity of the token multisets. The
    same tokens in another order count in full.

    Args:
        asked: the result of a live or recorded call.
        served: the result that stands for it.
        chance: what two results of the tool share by accident, 0 to 1 (`chance_of`).

    Returns:
        1 if they are equal; 0 if they share no more than chance.
    """
    if asked == served:
        return 1.0
    return beyond_chance(shared(tokens(asked), tokens(served)), chance)


def chance_of(results: Iterable[str]) -> float:
    """What two different results of one tool share by accident: the mean J of their pairs.

    Equal results count once. Of many, those whose hashes are least are compared: a draw that neither their order nor
    the run decides.

    Returns:
        0 to 1; 0 if fewer than two differ.
    """
    drawn = sorted(set(results), key=hash128)[:MOST_RESULTS]
    counted = [tokens(result[:MOST_CHARACTERS]) for result in drawn]
    shares = [shared(one, two) for one, two in combinations(counted, 2)]
    return sum(shares) / len(shares) if shares else 0.0


def tokens(text: str) -> frozenset[str]:
    """The words and numbers of a text, a repeated one once for each time; case matters, punctuation does not."""
    counted = Counter(_TOKEN.findall(text))
    found = set(counted)
    if len(found) < counted.total():
        found.update(f"{token} {time}" for token, count in counted.items() for time in range(1, count))
    return frozenset(found)


def shared(one: frozenset[str], two: frozenset[str]) -> float:
    """Jaccard similarity of the tokens of two texts, as multisets; 0 if both are empty."""
    common = len(one & two)
    total = len(one) + len(two) - common
    return common / total if total else 0.0


def beyond_chance(share: float, chance: float) -> float:
    """A share corrected for chance, never below 0; 0 where chance explains everything."""
    if chance >= 1.0:
        return 0.0
    return max(0.0, (share - chance) / (1.0 - chance))
