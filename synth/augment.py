"""A teacher adds the why to each assistant turn: `python -m synth.augment CURATED --out DIR --teacher offline`.

Reads a curated dataset folder and writes an augmented one: the same rows with reasoning_content on every assistant
turn, and in `thinking` where each thought came from. Calls and results stay byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from curate.cli import out, parse, run
from synth.turn_rule import Bounds, Recorded


@dataclass(frozen=True)
class AugmentSettings:
    """Settings of one run.

    Attributes:
        folder: the curated dataset folder to read.
        out: the dataset folder to write.
        teacher: who writes the thoughts; offline needs no model and no key.
        recorded: what becomes of thinking that the source recorded. A dropped one is not replaced, and its turn is not
            trained on.
        bounds: length of written thoughts.
        overwrite: replace OUT.
        config: YAML file of these settings; flags override it.
    """

    folder: tyro.conf.Positional[Path]
    out: Path
    teacher: Literal["offline"] = "offline"
    recorded: Recorded = "keep"
    bounds: Bounds = field(default_factory=Bounds)
    overwrite: bool = False
    config: Path | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Augment, then print the turns by kind and origin and where the reports are."""
    settings = parse(AugmentSettings, "python -m synth.augment", __doc__ or "", argv)

    def command() -> int:
        from curate.report import text_table
        from synth.augment_report import turn_rows
        from synth.pipeline import augment

        folder = augment(settings)
        counts = folder.manifest.counts
        headers, rows = turn_rows(counts["turns"])
        out(text_table(headers, rows))
        out(f"\n{folder.path}: {counts['trajectories']:,} trajectories; {folder.path / 'report.html'}")
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
