"""What changed between two evaluations of the same tasks: `python -m train.compare BEFORE AFTER`.

Differences are paired by task, with a 95 % bootstrap interval over tasks. Several pairs, e.g. one a training seed, are
pooled: `BEFORE1 AFTER1 BEFORE2 AFTER2 ...`; the mean counts each pair alike, and pairs of the same tasks share draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from curate.cli import out, parse, run
from curate.errors import UsageError


@dataclass(frozen=True)
class CompareSettings:
    """Settings of `python -m train.compare`.

    Attributes:
        folders: evaluations, two a pair: before, after.
        out: folder for the differences and a report with a plot; without it they are only printed.
        seed: of the intervals.
        overwrite: replace an existing comparison.
    """

    folders: Positional[tuple[Path, ...]]
    out: Path | None = None
    seed: int = 0
    overwrite: bool = False

    @property
    def pairs(self) -> list[tuple[Path, Path]]:
        """The folders two by two."""
        return list(zip(self.folders[::2], self.folders[1::2], strict=True))

    def check(self) -> None:
        """Refuse settings that cannot be right.

        Raises:
            UsageError: naming the flag, or saying how many folders there are.
        """
        if self.seed < 0:
            raise UsageError(f"--seed must not be negative, not {self.seed}")
        if not self.folders or len(self.folders) % 2:
            raise UsageError(f"evaluations are compared in pairs, before and after; folders given: {len(self.folders)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Compare and print the differences."""
    settings = parse(CompareSettings, "python -m train.compare", __doc__ or "", argv)

    def command() -> int:
        from curate.report import text_table
        from train.comparison import compare, write

        settings.check()
        found = compare(settings.pairs, settings.seed)
        for _, table in found.tables():
            out(text_table(*table) + "\n")
        if settings.out is not None:
            write(found, settings.pairs, settings.out, settings.seed, overwrite=settings.overwrite)
            out(f"{settings.out}: {settings.out / 'report.html'}")
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
