"""What `--overwrite` may take away: a dataset folder that holds nothing else, and that this run does not come from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from curate.manifest import MANIFEST, Manifest, is_index, listed_files, sha256_file

_ELSEWHERE = "choose another --out"


def refusal(out: Path, manifest: Manifest, reads: Iterable[Path] = (), *, revises: bool = False) -> str | None:
    """Why a run must not replace the dataset folder `out`; None if it may.

    Args:
        out: a folder with a manifest of ours.
        manifest: of the run.
        reads: the files and folders that the run reads.
        revises: whether what `out` holds will stand in the new folder too.
    """
    return _lost_source(out, manifest, reads, revises) or _other_kind(out, manifest.kind) or _strays(out)


def _lost_source(out: Path, manifest: Manifest, reads: Iterable[Path], revises: bool) -> str | None:
    inside = lost_input(reads, [out])
    if inside is not None and inside.resolve() != out.resolve():
        return f"{inside} is read by this run and would be lost with {out}; {_ELSEWHERE}"
    sha256 = sha256_file(out / MANIFEST)
    if inside is not None or any(given.get("manifest_sha256") == sha256 for given in manifest.inputs):
        return f"{out} is an input of this run and would be lost; {_ELSEWHERE}"
    if not revises and sha256 in _ancestors(manifest.inputs):
        return f"{out} is what the inputs of this run were made from and would be lost; {_ELSEWHERE}"
    return None


def lost_input(reads: Iterable[Path], folders: Iterable[Path]) -> Path | None:
    """The first of the paths that is one of the folders, or lies in one."""
    folders = [folder.resolve() for folder in folders]
    return next((path for path in reads if any(path.resolve().is_relative_to(folder) for folder in folders)), None)


def _other_kind(out: Path, kind: str) -> str | None:
    found = Manifest.kind_in(out)
    if found == kind:
        return None
    return f"{out} is a folder of kind {found!r}, which one of kind {kind!r} never replaces; {_ELSEWHERE}"


def _strays(out: Path) -> str | None:
    strays = unlisted(out)
    if not strays:
        return None
    more = f" and {len(strays) - 1:,} more" if len(strays) > 1 else ""
    return (
        f"{out} holds {strays[0]}{more}, which its manifest does not list and which would be lost with it; "
        f"move that away, or {_ELSEWHERE}"
    )


def unlisted(folder: Path) -> list[str]:
    """What a dataset folder holds beside its manifest, the files listed there and an index; a folder is one entry."""
    return list(_unlisted(folder, {MANIFEST} | listed_files(folder)))


def _unlisted(folder: Path, listed: set[str], below: str = "") -> Iterator[str]:
    for name in sorted(os.listdir(folder / below)):
        path = f"{below}{name}"
        if (path in listed and (folder / path).is_file()) or is_index(path):
            continue
        leads_on = any(PurePosixPath(path) in PurePosixPath(name).parents for name in listed)
        if leads_on and (folder / path).is_dir() and not (folder / path).is_symlink():
            yield from _unlisted(folder, listed, f"{path}/")
        else:
            yield path


def _ancestors(inputs: Iterable[Mapping[str, Any]]) -> set[str]:
    """Hashes of the manifests of all folders in a lineage."""
    found: set[str] = set()
    for given in inputs:
        found |= {given.get("manifest_sha256") or ""} | _ancestors(given.get("inputs") or ())
    return found - {""}
