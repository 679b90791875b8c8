"""Attempts that say the same, word for word: the sign of a server that does not sample."""

from __future__ import annotations

from collections.abc import Collection, Sequence

MANY = 0.9
"""Share of what was tried above which it is no chance."""
HINT = "transformers serve does if the model's generation_config.json says do_sample"


def alike_share(tried: Collection[Sequence[str]]) -> float:
    """Share of what was tried several times of which all attempts say the same; 0 if nothing was.

    Args:
        tried: hashes of what was said, of each attempt at one thing.
    """
    several = [hashes for hashes in tried if len(hashes) > 1]
    return sum(len(set(hashes)) == 1 for hashes in several) / max(1, len(several))
