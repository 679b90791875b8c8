"""What a file's name says: its kind, and the logical name of its source."""

from __future__ import annotations

from pathlib import Path

from curate.errors import UsageError

SUFFIXES = (".json", ".jsonl", ".ndjson", ".parquet")
_COMPRESSED = (".gz", ".zst")


def kind_of(path: Path) -> str:
    """`json` or `parquet`, by the suffix; JSON lists and JSON lines are told apart by their first byte.

    Raises:
        UsageError: for a missing path, a folder, or a suffix that no reader knows.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name the files in it")
    name = path.name
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    if not name.endswith(SUFFIXES):
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: unknown kind of file; known are {known}, the JSON ones also as .gz or .zst")
    return "parquet" if name.endswith(".parquet") else "json"


def default_source(path: Path) -> str:
    """The logical name of a file: its name without suffixes."""
    name = path.name
    for suffix in (*_COMPRESSED, *SUFFIXES):
        name = name.removesuffix(suffix)
    return name
