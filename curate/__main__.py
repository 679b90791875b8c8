"""Raw agent traces in, a clean, deduplicated, split set out: `python -m curate IN... --out DIR`."""

from __future__ import annotations

from collections.abc import Sequence

from curate.cli import out, parse, run, say
from curate.settings import CurateSettings


def main(argv: Sequence[str] | None = None) -> int:
    """Curate, then print the funnel and where the reports are."""
    settings = parse(CurateSettings, "python -m curate", __doc__ or "", argv)

    def command() -> int:
        from curate.curation_report import funnel_rows
        from curate.pipeline import curate
        from curate.report import text_table

        folder = curate(settings)
        counts = folder.manifest.counts
        out(text_table(["step", "reason", "rejected", "left"], funnel_rows(counts)))
        out(f"\n{folder.path}: {counts['kept']:,} trajectories; {folder.path / 'report.html'}")
        if counts["bad_files"]:
            say(f"warning: not read to their end: {counts['bad_files']} of the input files; the report names them")
        if not counts["kept"]:
            say("warning: nothing was kept; the table rejects and `python -m curate.show` say why")
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
