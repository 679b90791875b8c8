"""Train, validation and test by task group: no task stands on both sides, and adding files moves nobody."""

from __future__ import annotations

from dataclasses import dataclass

from curate.canonical import hash128
from curate.errors import UsageError


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the task groups; the seed chooses which group goes where."""

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0

    def check(self) -> None:
        """Refuse shares that are none.

        Raises:
            UsageError: unless all are >= 0 and they add up to 1.
        """
        shares = (self.train, self.validation, self.test)
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
            raise UsageError(f"the shares of the split must be >= 0 and add up to 1, not {shares}")


def split_of(task_group: str, settings: SplitSettings) -> str:
    """The split of a task group: a hash of (seed, group) against the shares, so it depends on nothing else."""
    place = int(hash128(str(settings.seed), task_group)[:16], 16) / 2**64
    if place < settings.train:
        return "train"
    return "validation" if place < settings.train + settings.validation else "test"
