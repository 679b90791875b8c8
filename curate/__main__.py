"""Raw agent traces in, a clean, deduplicated, split set out: `python -m curate IN... --out DIR`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
        for line in _labelled(counts):
            say(line)
        if counts["bad_files"]:
            say(f"warning: not read to their end: {counts['bad_files']} of the input files; the report names them")
        if not counts["kept"]:
            say("warning: nothing was kept; the table rejects and `python -m curate.show` say why")
        return 0

    return run(command)


def _labelled(counts: Mapping[str, Any]) -> Iterator[str]:
    """Where the labels were found, as far as they were not applied."""
    found = counts.get("labels")
    if found is None:
        return
    yield f"labels: {found['applied']:,} of {found['labelled_targets']:,} labelled trajectories and turns were found"
    if found["stale"]:
        yield f"warning: {found['stale']:,} are stale: their trajectories have other content now; they were not applied"
    if found["not_in_the_input"]:
        yield f"warning: {found['not_in_the_input']:,} are of trajectories that are not in the input"


if __name__ == "__main__":
    raise SystemExit(main())
