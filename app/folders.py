"""What the reader can open: dataset folders of every kind, and models with their metrics and rollouts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.errors import FolderError, UsageError
from curate.manifest import MANIFEST, Manifest

MODEL_FILES = ("training.json", "metrics.parquet")
"""What a training run leaves in the folder of its model."""
ROLLOUTS = "rollouts"
"""Of a model trained by reinforcement: the dataset folder of what it did."""
TABLES = ("trajectories", "rejects")
"""The tables that hold traces."""


@dataclass(frozen=True)
class OpenFolder:
    """A folder under its short name, which no other open folder has; a model has no manifest."""

    name: str
    path: Path
    manifest: Manifest | None
    kind: str

    @property
    def tables(self) -> tuple[str, ...]:
        """Its tables of traces."""
        return tuple(name for name in TABLES if self.manifest is not None and name in self.manifest.tables)


def open_folders(dirs: Sequence[Path]) -> tuple[OpenFolder, ...]:
    """Look at the folders and name them; a folder given twice is opened once.

    Raises:
        UsageError: if a path is no folder, or one that no command of ours wrote.
        FolderError: if a manifest or training.json is damaged or of another version.
    """
    found: dict[Path, tuple[Manifest | None, str]] = {}
    for given in dirs:
        if not given.is_dir():
            raise UsageError(f"{given} {'is a file' if given.exists() else 'does not exist'}; name a dataset folder")
        for path in _with_rollouts(given.resolve()):
            found.setdefault(path, _look_at(path, given))
    names = short_names(found)
    return tuple(OpenFolder(name, path, *found[path]) for path, name in names.items())


def short_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Each path with as few of its last parts as tell it from the others; a model's rollouts keep the model's name."""
    parts = {path: 2 if _is_model(path.parent) else 1 for path in paths}
    while True:
        names = {path: "/".join(path.parts[-count:]).lstrip("/") or "root" for path, count in parts.items()}
        counted = Counter(names.values())
        longer = {path for path, name in names.items() if counted[name] > 1 and parts[path] < len(path.parts)}
        if not longer:
            return names
        parts = {path: count + (path in longer) for path, count in parts.items()}


def _with_rollouts(path: Path) -> list[Path]:
    inner = path / ROLLOUTS
    return [path, inner.resolve()] if _is_model(path) and Manifest.stands_in(inner) else [path]


def _is_model(path: Path) -> bool:
    return not Manifest.stands_in(path) and any((path / name).is_file() for name in MODEL_FILES)


def _look_at(path: Path, given: Path) -> tuple[Manifest | None, str]:
    if (path / MANIFEST).is_file():
        manifest = Manifest.load(path)
        _need_inside(path, manifest)
        return manifest, manifest.kind
    if not _is_model(path):
        raise UsageError(
            f"{given} has neither a {MANIFEST} nor a training run's {' or '.join(MODEL_FILES)}; "
            "name a folder that a command of this toolkit wrote"
        )
    _need_training(path / MODEL_FILES[0])
    return None, "model"


def _need_inside(path: Path, manifest: Manifest) -> None:
    """A folder may come from anywhere: what it names must not lead out of it."""
    shards = (shard.path for shards in manifest.tables.values() for shard in shards)
    for name in (*shards, *manifest.files):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise FolderError(f"{path / MANIFEST} names {name!r}, which lies outside its folder; it is not opened")


def _need_training(path: Path) -> None:
    try:
        if path.is_file() and not isinstance(json.loads(path.read_bytes()), dict):
            raise ValueError("it holds no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise FolderError(f"{path} cannot be read ({error}); train the model again") from error
