"""A dataset folder in, a tool-result cache out: `python -m cachebuild DIR --out CACHE`."""

from __future__ import annotations

from collections.abc import Sequence

from cachebuild.settings import CompileSettings
from curate.cli import out, parse, run, say


def main(argv: Sequence[str] | None = None) -> int:
    """Compile the cache, then print what it holds and where the reports are."""
    settings = parse(CompileSettings, "python -m cachebuild", __doc__ or "", argv)

    def command() -> int:
        from cachebuild.add import add_folder
        from cachebuild.compile import compile_cache
        from cachebuild.report import tool_rows
        from curate.report import text_table

        folder = add_folder(settings) if settings.add else compile_cache(settings)
        counts = folder.manifest.counts
        out(text_table(*tool_rows(folder.rows("tools"))))
        for reason, count in counts["left_out"].items():
            out(f"left out, {reason.replace('_', ' ')}: {count:,} calls")
        if settings.add:
            added = counts["added"][-1]
            out(f"\nadded: {added['entries']:,} recorded calls of {added['trajectories']:,} trajectories")
        out(
            f"\n{folder.path}: {counts['entries']:,} recorded calls, {counts['keys']:,} distinct, "
            f"of {counts['trajectories']:,} trajectories; {folder.path / 'report.html'}"
        )
        if not counts["entries"]:
            say("warning: the cache is empty; --splits all takes every split, and the report says what was left out")
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
