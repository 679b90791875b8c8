"""Rollouts to look at and to learn from: `python -m train.sample DATA --cache CACHE --model PATH --out DIR`.

Prompts are the user turns of DATA whose recorded reply calls a tool. Each is tried --samples times against the cache,
by a model in this process or, with --base-url URL --served-model NAME, behind any OpenAI-compatible server. OUT holds
every rollout as a trajectory with its reward, tier and evidence, and a report. A stopped run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence

from curate.cli import out, parse, run
from train.alike import HINT, MANY
from train.sample_settings import SampleSettings


def main(argv: Sequence[str] | None = None) -> int:
    """Sample and say what came of it."""
    settings = parse(SampleSettings, "python -m train.sample", __doc__ or "", argv)

    def command() -> int:
        from train.sampling import sample

        settings.check()
        figures = sample(settings)
        best = figures["best_of"]
        out(
            f"{settings.out}: {figures['rollouts']:,} rollouts of {figures['prompts']:,} prompts; mean reward "
            f"{figures['reward']:.3f}, best of {max(best)} {best[max(best)]:.3f}; "
            f"{figures['without_variance']:.1%} of the prompts are paid the same each time"
        )
        if figures["endings"].get("crashed"):
            out(f"{figures['endings']['crashed']:.1%} of the rollouts crashed: {figures['first_error']}")
        if settings.draw.temperature and figures["word_for_word"] > MANY:
            out(
                f"{figures['word_for_word']:.1%} of the prompts have rollouts that are the same, word for word: a "
                f"server may not sample ({HINT})"
            )
        out(f"{settings.out / 'report.html'}")
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
