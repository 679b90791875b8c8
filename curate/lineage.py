"""Where a dataset folder came from, back to the raw files: `python -m curate.lineage DIR`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from curate.cli import out, parse, run

_SHORT = 12


@dataclass(frozen=True)
class LineageSettings:
    """Settings of `curate.lineage`.

    Attributes:
        folder: a dataset folder.
        settings: also print the settings of each step.
    """

    folder: tyro.conf.Positional[Path]
    settings: bool = False


def lineage(manifest: Mapping[str, Any], depth: int = 0, *, settings: bool = False) -> Iterator[str]:
    """Lines of the tree: a folder, the command that made it, and below it what it was made from.

    A folder goes by its kind and the start of its manifest's hash: its name on disk may change and says nothing.
    """
    indent = "  " * depth
    sha = manifest.get("manifest_sha256") or manifest.get("sha256") or ""
    if manifest["kind"] == "file":
        facts = [f"{key} {manifest[key]}" for key in ("env", "license", "format") if manifest.get(key)]
        yield f"{indent}{manifest['name']}: file, {manifest['bytes']:,} bytes, {' '.join(facts)}".rstrip(", ")
    else:
        yield f"{indent}{manifest['kind']} {sha[:_SHORT]}: made by {manifest['command']}"
    if sha:
        yield f"{indent}  sha256 {sha}"
    if settings and manifest.get("settings"):
        from curate.canonical import canonical_json

        yield f"{indent}  settings {canonical_json(manifest['settings'])}"
    for parent in manifest.get("inputs", []):
        yield from lineage(parent, depth + 1, settings=settings)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tree."""
    settings = parse(LineageSettings, "python -m curate.lineage", __doc__ or "", argv)

    def command() -> int:
        from curate.folder import DatasetFolder, folder_input

        for line in lineage(folder_input(DatasetFolder.open(settings.folder)), settings=settings.settings):
            out(line)
        return 0

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
