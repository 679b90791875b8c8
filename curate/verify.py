"""Compare dataset folders with their manifests, byte for byte: `python -m curate.verify DIR...`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from curate.cli import out, parse, run


@dataclass(frozen=True)
class VerifySettings:
    """Settings of `curate.verify`.

    Attributes:
        folders: dataset folders.
    """

    folders: tyro.conf.Positional[tuple[Path, ...]]


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0 if every folder is sound, 1 if one is damaged, 2 if one is no dataset folder; files beside are named."""
    settings = parse(VerifySettings, "python -m curate.verify", __doc__ or "", argv)

    def command() -> int:
        from curate.errors import UsageError
        from curate.folder import DatasetFolder, Manifest
        from curate.replace import unlisted

        if not settings.folders:
            raise UsageError("no folder given")
        code = 0
        for path in settings.folders:
            if not path.is_dir():
                raise UsageError(f"{path} is no folder")
            folder = DatasetFolder(path, Manifest.load(path))
            problems = folder.problems() + folder.miscounts()
            for problem in problems:
                out(f"{path}: {problem}")
            code = code or int(bool(problems))
            if not problems:
                rows = ", ".join(f"{name} {folder.manifest.rows(name):,} rows" for name in folder.manifest.tables)
                out(f"{path}: sound ({folder.manifest.kind}; {rows})")
            for name in unlisted(path):
                out(f"{path}: also holds {name}, which its manifest does not list; --overwrite needs it moved away")
        return code

    return run(command)


if __name__ == "__main__":
    raise SystemExit(main())
