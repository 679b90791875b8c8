"""What an input's name says: its kind, and the logical name of its source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from curate.errors import UsageError

SUFFIXES = (".json", ".jsonl", ".ndjson", ".traj", ".parquet", ".arrow")
_COMPRESSED = (".gz", ".zst")
_TABLES = {".parquet": "parquet", ".arrow": "arrow"}
_HUB = re.compile(
    r"hub:(?P<repository>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[\w./-]+))?(?::(?P<config>[\w.-]*))?(?::(?P<split>[\w.-]+))?"
)


@dataclass(frozen=True)
class HubName:
    """A dataset on the Hub: `hub:ORG/NAME[@REVISION][:CONFIG][:SPLIT]`; what is not named is None."""

    repository: str
    revision: str | None
    config: str | None
    split: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read such a name.

        Raises:
            UsageError: if it is none.
        """
        found = _HUB.fullmatch(text)
        if found is None:
            raise UsageError(f"{text} names no Hub dataset; write hub:ORG/NAME[@REVISION][:CONFIG][:SPLIT]")
        return cls(found["repository"], found["revision"], found["config"] or None, found["split"])

    @property
    def source(self) -> str:
        """The logical name: that of the dataset, with configuration and split where they are given."""
        return "-".join(part for part in (self.repository.split("/")[1], self.config, self.split) if part)


def is_hub(path: Path | str) -> bool:
    """Whether the name is of a Hub dataset, not of a file."""
    return str(path).startswith("hub:")


def is_saved(path: Path) -> bool:
    """Whether a folder is one dataset that `datasets` saved; a saved DatasetDict holds one such folder a split."""
    return (path / "state.json").is_file() and (path / "dataset_info.json").is_file()


def has_known_suffix(name: str) -> bool:
    """Whether a file's name ends like one that we read."""
    return _bare(name).endswith(SUFFIXES)


def kind_of(path: Path) -> str:
    """`json`, `parquet`, `arrow`, `saved` or `hub`; JSON lists and JSON lines are told apart by their first byte.

    Raises:
        UsageError: for a missing path, a folder, or a suffix that no reader knows.
    """
    if is_hub(path):
        HubName.parse(str(path))
        return "hub"
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if path.is_dir():
        if is_saved(path):
            return "saved"
        raise UsageError(f"{path} is a folder, where one file is needed; name the files in it")
    if not has_known_suffix(path.name):
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: unknown kind of file; known are {known}, the JSON ones also as .gz or .zst")
    return _TABLES.get(Path(_bare(path.name)).suffix, "json")


def default_source(path: Path) -> str:
    """The logical name of an input: a file's name without suffixes, a Hub dataset's own."""
    if is_hub(path):
        return HubName.parse(str(path)).source
    name = path.name
    for suffix in (*_COMPRESSED, *SUFFIXES):
        name = name.removesuffix(suffix)
    return name


def _bare(name: str) -> str:
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    return name
