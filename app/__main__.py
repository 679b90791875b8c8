"""The trace reader: browse, read, label and compare what dataset folders hold, in a browser.

`python -m app DIR...` opens folders that other commands wrote and serves pages on loopback. Labels go to a database of
their own, ./labels by default, never into an opened folder.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.settings import AppSettings
from curate.cli import parse, run


def main(argv: Sequence[str] | None = None) -> int:
    """Open the folders, then serve until stopped."""
    settings = parse(AppSettings, "python -m app", __doc__ or "", argv)

    def command() -> int:
        settings.check()
        from app.serving import serve

        return serve(settings)

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
