"""The flags of `python -m curate.intake`; imports nothing heavy, so `--help` is quick."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from curate.dedup_text import View
from curate.errors import UsageError
from curate.settings import InputSettings

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Settings:
    """Tell of each trajectory whether one like it was accepted before, by any process, and write the new ones.

    The index lives on a Redis server, so several commands may feed it at once, and a command that was stopped goes on
    when it is run again: each accepted record is written once. The server keeps the texts of what was accepted.

    Attributes:
        inputs: as `python -m curate` takes them: files, folders, patterns, hub:ORG/NAME; of any known format.
        index: the Redis server, redis://[USER:PASSWORD@]HOST:PORT/DB; default what CACHERL_INDEX says, where a
            password is seen by no one who lists processes.
        out: accepted records as they came, one a line: a .jsonl file to append to, or a folder with a file a format.
        name: of the index; several may share a server.
        threshold: share of common 5-word shingles (Jaccard) from which a trajectory is a duplicate; in (0, 1].
        view: what is compared: whole (all that is said, called and answered), calls, or user (what the user says).
        permutations: values of a signature; more find pairs near the threshold more surely, and take longer.
        input: names, worlds, licences and formats of the inputs.
        quiet: say the counts alone, not a line a record.
        config: YAML file of these settings; flags override it.
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]]
    out: Path
    index: str = ""
    name: str = "intake"
    threshold: float = 0.8
    view: View = "whole"
    permutations: int = 90
    input: InputSettings = field(default_factory=InputSettings)
    quiet: bool = False
    config: Path | None = None


def check_name(name: str) -> None:
    """Refuse a name that could be taken for part of a key.

    Raises:
        UsageError: if it is empty, long, or holds anything but letters, digits, `-`, `_` and `.`.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:100]!r} is no name of an index; use up to 100 letters, digits, '-', '_' and '.'")
