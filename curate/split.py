"""Train, validation and test by task group: no task stands on both sides, and adding files moves nobody."""

from __future__ import annotations

from dataclasses import dataclass

from curate.canonical import hash128
from curate.errors import UsageError


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the task groups.

    Attributes:
        train_share: of the groups, 0 to 1.
        validation_share: of the groups, 0 to 1.
        test_share: of the groups, 0 to 1.
        split_seed: chooses which group goes where.
    """

    train_share: float = 0.8
    validation_share: float = 0.1
    test_share: float = 0.1
    split_seed: int = 0

    def check(self) -> None:
        """Refuse shares that are none.

        Raises:
            UsageError: unless all are >= 0 and they add up to 1.
        """
        shares = (self.train_share, self.validation_share, self.test_share)
        if not (min(shares) >= 0 and abs(sum(shares) - 1) <= 1e-9):  # so that NaN is refused too
            raise UsageError(f"the shares of the split must be >= 0 and add up to 1, not {shares}")


def split_of(task_group: str, settings: SplitSettings) -> str:
    """The split of a task group: a hash of (seed, group) against the shares, so it depends on nothing else."""
    place = int(hash128(str(settings.split_seed), task_group)[:16], 16) / 2**64
    if place < settings.train_share:
        return "train"
    return "validation" if place < settings.train_share + settings.validation_share else "test"
