"""Where labels may lie: never where a dataset folder would be published with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curate.errors import UsageError
from curate.manifest import MANIFEST, Manifest


def refuse_published(folder: Path, outside: Sequence[Path], flag: str = "--label-dir") -> None:
    """Refuse a folder for labels that lies in, over or is a dataset folder, with which it would be published.

    Raises:
        UsageError: naming both.
    """
    place = folder.resolve()
    for other in (path.resolve() for path in outside):
        if place == other or place in other.parents or other in place.parents:
            how = "is" if place == other else "lies over" if place in other.parents else "lies in"
            raise UsageError(
                f"{flag} {folder} {how} the opened folder {other}, and the labels would be published with it; "
                f"choose {flag} elsewhere"
            )
    for above in (place, *place.parents):
        if (above / MANIFEST).exists() and (above == place or Manifest.stands_in(above)):
            raise UsageError(
                f"{flag} {folder} lies in {above}, which has a {MANIFEST}, and the labels would be "
                f"published with it; choose {flag} elsewhere"
            )
