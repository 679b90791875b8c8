"""A teacher adds the why to each assistant turn: `python -m synth.augment CURATED --out DIR --teacher openai:MODEL`.

Reads a curated dataset folder and writes an augmented one: the same rows with reasoning_content on every assistant
turn, and in `thinking` where each thought came from. Calls and results stay byte for byte. What a model teacher says is
kept in a journal (OUT.thoughts, or --journal), paid for once: a run that was stopped or killed goes on from there.
Begin with --dry-run (what would it cost?) and --limit 200 (a pilot that writes thoughts side by side); the full run
goes on from the pilot's journal. --teacher offline needs no model and no key.
"""

from __future__ import annotations

from collections.abc import Sequence

from curate.cli import out, parse, run
from synth.settings import AugmentSettings

__all__ = ["AugmentSettings", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Augment, then print the turns by kind and origin and where the reports are."""
    settings = parse(AugmentSettings, "python -m synth.augment", __doc__ or "", argv)
    return run(lambda: _command(settings))


def _command(settings: AugmentSettings) -> int:
    settings.check()
    trying = settings.batches.cancel_batches or settings.money.dry_run or settings.money.limit is not None
    return _try(settings) if trying else _augment(settings)


def _augment(settings: AugmentSettings) -> int:
    from curate.report import text_table
    from synth.augment_report import turn_rows
    from synth.pipeline import augment

    folder = augment(settings)
    counts = folder.manifest.counts
    out(text_table(*turn_rows(counts["turns"])))
    if counts["checks"]["judged"]:
        failed = counts["checks"]["failed"]
        most = ", ".join(f"{code} {count:,}" for code, count in sorted(failed.items(), key=lambda kv: (-kv[1], kv[0])))
        out(f"\nthoughts judged: {counts['checks']['judged']:,}; failed: {most or 'none'}")
    if counts["asked"]:
        tokens = counts["tokens"]
        out(f"answers: {tokens['in']:,} tokens in, {tokens['out']:,} out, ${counts['usd']:,.4f}")
    out(f"\n{folder.path}: {counts['trajectories']:,} trajectories; {folder.path / 'report.html'}")
    return 0


def _try(settings: AugmentSettings) -> int:
    """What comes before or instead of a whole run."""
    from synth.asking.trial import cancel_batches, dry_run, pilot

    does = cancel_batches if settings.batches.cancel_batches else dry_run if settings.money.dry_run else pilot
    for line in does(settings):
        out(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
