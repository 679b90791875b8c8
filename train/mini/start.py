"""An untrained model with the vocabulary of mini desk recordings: `python -m train.mini.start DATA --out DIR`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from curate.cli import out, parse, run


@dataclass(frozen=True)
class StartSettings:
    """Settings of `python -m train.mini.start`.

    Attributes:
        data: a curated or augmented folder of mini desk recordings.
        out: the folder of the model.
        seed: of its weights.
    """

    data: Positional[Path]
    out: Path
    seed: int = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Write the model and say how large it is."""
    settings = parse(StartSettings, "python -m train.mini.start", __doc__ or "", argv)

    def command() -> int:
        from curate.folder import DatasetFolder
        from train.mini.model import save

        rows = DatasetFolder.open(settings.data).rows("trajectories")
        size = save(rows, settings.out, settings.seed)  # type: ignore[arg-type]
        out(f"{settings.out}: {size:,} parameters")
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
