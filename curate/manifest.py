"""The manifest of a dataset folder: what it holds, the hash of each file, the settings and inputs it was made from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate import __version__
from curate.canonical import canonical_json
from curate.errors import FolderError
from curate.schema import FORMAT_VERSION

MANIFEST = "manifest.json"
_NAME = r"index-[0-9a-f]{32}(-[0-9a-f]{32})?\.mmap"
_INDEX = re.compile(rf"{_NAME}|\.{_NAME}\.(partial|spill)")


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a table; `path` is relative to the folder, `bytes` its size on disk."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a folder holds and where it came from; `identity` is equal for equal toolkit, settings and inputs."""

    kind: str
    command: str
    settings: dict[str, Any]
    inputs: list[dict[str, Any]]
    tables: dict[str, list[Shard]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION
    toolkit_version: str = __version__

    @property
    def identity(self) -> str:
        """SHA-256 over toolkit, command, settings and inputs: same identity, same bytes."""
        parts = [self.format_version, self.toolkit_version, self.kind, self.command, self.settings, self.inputs]
        return hashlib.sha256(canonical_json(parts).encode()).hexdigest()

    def dump(self) -> bytes:
        """The manifest as it stands on disk."""
        body = {
            "format": "cacherl",
            "format_version": self.format_version,
            "toolkit_version": self.toolkit_version,
            "kind": self.kind,
            "command": self.command,
            "identity": self.identity,
            "settings": self.settings,
            "inputs": self.inputs,
            "counts": self.counts,
            "tables": {name: [vars(shard) for shard in shards] for name, shards in self.tables.items()},
            "files": self.files,
        }
        return (json.dumps(body, indent=2, ensure_ascii=False) + "\n").encode()

    @staticmethod
    def stands_in(folder: Path) -> bool:
        """Whether the folder has a manifest of ours, of whatever version."""
        return bool(_any_version(folder))

    @staticmethod
    def kind_in(folder: Path) -> str:
        """The kind that a manifest of whatever version gives its folder."""
        return str(_any_version(folder).get("kind"))

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read a folder's manifest.

        Raises:
            FolderError: if it is missing, no manifest of ours, or of another format version.
        """
        try:
            body = json.loads((folder / MANIFEST).read_bytes())
        except FileNotFoundError as error:
            raise FolderError(
                f"{folder} has no {MANIFEST}: it is no dataset folder, or its writing was cut off. "
                "Run the command that writes it again; it goes on where it stopped."
            ) from error
        except (ValueError, OSError) as error:
            raise FolderError(f"{folder / MANIFEST} cannot be read ({error}). Write the folder again.") from error
        if not isinstance(body, dict) or body.get("format") != "cacherl":
            raise FolderError(f"{folder / MANIFEST} is not a manifest of this toolkit.")
        if body.get("format_version") != FORMAT_VERSION:
            raise FolderError(
                f"{folder} has format version {body.get('format_version')!r}, this version reads {FORMAT_VERSION}. "
                "Write the folder again with this version, or install the version that wrote it."
            )
        try:
            tables = {name: [Shard(**shard) for shard in shards] for name, shards in body["tables"].items()}
            keys = ("kind", "command", "settings", "inputs", "files", "counts", "toolkit_version")
            return cls(tables=tables, **{key: body[key] for key in keys})
        except (KeyError, TypeError, AttributeError) as error:
            raise FolderError(f"{folder / MANIFEST} is damaged ({error}). Write the folder again.") from error

    def inherited(self, name: str) -> dict[str, Any]:
        """A mapping among the settings, e.g. `env_rules`: this folder's own, or else that of its inputs' making."""
        return _inherited(name, self.settings, self.inputs)

    def rows(self, table: str) -> int:
        """Number of rows of a table; 0 if the folder has none of that name."""
        return sum(shard.rows for shard in self.tables.get(table, []))


def listed_files(folder: Path) -> set[str]:
    """Paths in the folder that its manifest lists, as far as a manifest of another version can be understood."""
    body = _any_version(folder)
    tables, files = body.get("tables"), body.get("files")
    found = {str(name) for name in files} if isinstance(files, dict) else set()
    for shards in tables.values() if isinstance(tables, dict) else ():
        if isinstance(shards, list):
            found |= {str(shard.get("path")) for shard in shards if isinstance(shard, dict)}
    return found


def index_name(manifest_sha256: str) -> str:
    """The name of the index that is made from a folder with this manifest; disposable, so no manifest lists it."""
    return f"index-{manifest_sha256[:32]}.mmap"


def search_name(manifest_sha256: str, digest: str) -> str:
    """The name of what is made from that index for one search; as disposable, and gone with it."""
    return index_name(manifest_sha256).replace(".mmap", f"-{digest[:32]}.mmap")


def is_index(name: str) -> bool:
    """Whether a file or folder of this name is such an index, or made from one, or one that is being written."""
    return _INDEX.fullmatch(name) is not None


def _any_version(folder: Path) -> dict[str, Any]:
    """The manifest as it stands on disk; empty where there is none of ours."""
    try:
        body = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) and body.get("format") == "cacherl" else {}


def _inherited(name: str, settings: Mapping[str, Any], inputs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    own = settings.get(name)
    if isinstance(own, Mapping):
        return dict(own)
    found: dict[str, Any] = {}
    for source in inputs:
        found |= _inherited(name, source.get("settings") or {}, source.get("inputs") or ())
    return found


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
