"""The command `python -m curate.sandbox`: record episodes of the desk into one JSONL file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from curate.cli import out, parse, run


@dataclass(frozen=True)
class Settings:
    """Record scripted agents at work in the desk, a small live world: one OpenAI-chat trajectory a line."""

    out: Path
    """File to write: .jsonl or .jsonl.gz."""
    episodes: int = 1000
    """How many episodes."""
    seed: int = 0
    """Same settings, same bytes."""
    preset: Literal["full", "mini"] = "full"
    """full: a shop's service desk with dialogues; mini: five tools, closed vocabulary, one-message requests."""
    tasks_per_state: int = 50
    """Tasks that share a start state."""
    trials: int = 3
    """Attempts at each task."""
    skills: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Agents that play: expert, skilled, average, hasty, clumsy; all if none is named."""
    first_state: int = 0
    """Number of the first start state; choose another for held-out tasks."""
    overwrite: bool = False
    """Replace a file that exists."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments; None takes those of the process.

    Returns:
        The exit code: 0, 2 for a setting or a path that cannot be right, 130 when interrupted.
    """
    settings = parse(Settings, "python -m curate.sandbox", Settings.__doc__ or "", argv)

    def command() -> int:
        from curate.sandbox.export import export

        summary = export(
            settings.out,
            settings.episodes,
            settings.seed,
            settings.preset,
            tasks_per_state=settings.tasks_per_state,
            trials=settings.trials,
            skills=settings.skills,
            first_state=settings.first_state,
            overwrite=settings.overwrite,
        )
        out(summary.text().rstrip("\n"))
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
