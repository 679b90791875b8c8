"""What an input is, whatever it is called: the hash that manifests and resumed runs know it by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from curate.manifest import sha256_file
from curate.readers.paths import is_hub


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 in hex, and bytes on disk (0 for what lies on the Hub)."""

    sha256: str
    bytes: int


def fingerprint(path: Path) -> Fingerprint:
    """The fingerprint of a file, of a folder (names and contents of its files), or of a Hub name.

    A Hub name without a revision that is a commit hash may name other rows tomorrow.
    """
    if is_hub(path):
        return Fingerprint(hashlib.sha256(str(path).encode()).hexdigest(), 0)
    if path.is_file():
        return Fingerprint(sha256_file(path), path.stat().st_size)
    files = sorted(item for item in path.rglob("*") if item.is_file())
    lines = [f"{sha256_file(item)}  {item.relative_to(path)}\n" for item in files]
    return Fingerprint(hashlib.sha256("".join(lines).encode()).hexdigest(), sum(item.stat().st_size for item in files))
