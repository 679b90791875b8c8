"""One input as the user names it becomes the files it stands for: a folder, a glob pattern, a saved DatasetDict."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.errors import InputError, UsageError
from curate.readers.paths import SUFFIXES, default_source, has_known_suffix, is_hub, is_saved, kind_of

_DATASET_DICT = "dataset_dict.json"
_OUR_MANIFEST = "manifest.json"
_LEFT_OVER = (".partial", ".journal")


@dataclass(frozen=True)
class Found:
    """One file (or saved dataset, or Hub dataset) of an input; `file` is its name inside a folder or pattern."""

    path: Path
    file: str | None = None


def expand(path: Path) -> tuple[str, list[Found]]:
    """The logical name of an input and its files, sorted by their names inside it.

    A folder is searched to the bottom for files of known suffixes; hidden ones are passed over, and so are folders that
    a command is writing and dataset folders of this toolkit. A pattern is taken as one unless a file has that name.

    Raises:
        UsageError: for a missing path, a folder or pattern without a readable file, or a dataset folder of ours.
    """
    if is_hub(path) or path.is_file() or is_saved(path):
        kind_of(path)
        return default_source(path), [Found(path)]
    if path.is_dir():
        if _is_ours(path):
            raise UsageError(
                f"{path} is a dataset folder of this toolkit, and curate reads raw recordings; "
                "name the files it was made from (`python -m curate.lineage` lists them)"
            )
        found = list(_dataset_dict(path) if (path / _DATASET_DICT).is_file() else _below(path))
        root = path
    elif glob.has_magic(str(path)):
        root = _fixed_part(path)
        found = list(_matches(path, root))
    else:
        raise UsageError(f"{path} does not exist")
    if not found:
        what = "folder holds" if path.is_dir() else "pattern matches"
        raise UsageError(f"{path}: the {what} no file of a known kind ({', '.join(SUFFIXES)}; also .gz, .zst)")
    return root.resolve().name or "root", sorted(found, key=lambda item: item.file or "")


def _is_ours(path: Path) -> bool:
    """Whether a folder is a dataset folder of ours; `curate.manifest` knows too, but importing it loads Arrow."""
    try:
        body = json.loads((path / _OUR_MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(body, dict) and body.get("format") == "cacherl"


def _below(root: Path) -> Iterator[Found]:
    for place, folders, files in os.walk(root):
        here = Path(place)
        keep = [name for name in folders if not name.startswith(".") and not name.endswith(_LEFT_OVER)]
        saved = [name for name in keep if is_saved(here / name)]
        folders[:] = [name for name in keep if name not in saved and not _is_ours(here / name)]
        names = [name for name in files if has_known_suffix(name) and not name.startswith(".")]
        if (here / _DATASET_DICT).is_file():
            names.remove(_DATASET_DICT)
        yield from (Found(here / name, (here / name).relative_to(root).as_posix()) for name in [*saved, *names])


def _dataset_dict(root: Path) -> Iterator[Found]:
    """The splits of a saved DatasetDict, each a saved dataset of its own."""
    return (Found(item, item.name) for item in root.iterdir() if is_saved(item))


def _fixed_part(pattern: Path) -> Path:
    """The last folder of a pattern before its first wildcard."""
    fixed = Path(pattern.anchor)
    for part in pattern.parts[bool(pattern.anchor) :]:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def _matches(pattern: Path, root: Path) -> Iterator[Found]:
    for name in glob.iglob(str(pattern), recursive=True):
        path = Path(name)
        inner = path.relative_to(root)
        left_over = any(part.endswith(_LEFT_OVER) for part in inner.parts)
        if path.is_file() and has_known_suffix(path.name) and not left_over:
            yield Found(path, inner.as_posix())


def saved_shards(path: Path) -> list[Path]:
    """The Arrow files of a saved dataset, in order.

    Raises:
        InputError: if its state.json does not name files beside it.
    """
    try:
        names = [entry["filename"] for entry in json.loads((path / "state.json").read_bytes())["_data_files"]]
        shards = [path / name for name in names if Path(name).name == name]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path / 'state.json'} names no data files ({error})", "save the dataset again") from error
    missing = sorted(set(names) - {shard.name for shard in shards if shard.is_file()})
    if missing:
        raise InputError(f"{path}: {missing[0]} is named by state.json and is not there", "save the dataset again")
    return shards


def fingerprint(path: Path) -> tuple[str, int]:
    """What an input holds, as SHA-256 in hex, and its bytes (0 for Hub datasets, known by their commit alone).

    Raises:
        InputError: if the Hub does not say what the dataset's revision is.
    """
    if is_hub(path):
        from curate.readers.hub import hub_commit

        return hashlib.sha256(f"{path}@{hub_commit(str(path))}".encode()).hexdigest(), 0
    digest, size = hashlib.sha256(), 0
    files = saved_shards(path) if is_saved(path) else [path]
    for file in files:
        with file.open("rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()
        if len(files) == 1:
            return content, file.stat().st_size
        digest.update(content.encode())
        size += file.stat().st_size
    return digest.hexdigest(), size
