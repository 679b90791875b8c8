"""When two trajectories are near-duplicates: the flags, apart from what they need, so that `--help` is quick."""

from __future__ import annotations

from dataclasses import dataclass

from curate.dedup_text import View
from curate.errors import UsageError


@dataclass(frozen=True)
class NearDupSettings:
    """When a row is a near-duplicate of a better one.

    Attributes:
        threshold: share of common 5-word shingles (Jaccard) from which a row is a near-duplicate; in (0, 1].
        view: what is compared: whole (all that is said, called and answered), calls, or user (what the user says).
        permutations: values of a signature; more find pairs near the threshold more surely, and take longer.
    """

    threshold: float = 0.8
    view: View = "whole"
    permutations: int = 90

    def check(self) -> None:
        """Refuse values that cannot be right.

        Raises:
            UsageError: if one is out of range.
        """
        if not 0 < self.threshold <= 1:
            raise UsageError(f"threshold is {self.threshold}; it must be above 0 and at most 1")
        if not 1 <= self.permutations <= 1024:
            raise UsageError(f"permutations is {self.permutations}; it must be from 1 to 1024")
