"""The formats we read, and the choice among them by a file's first records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from curate.errors import InputError, UsageError
from curate.readers.openai_chat import OpenAIChat
from curate.readers.raw import Format
from curate.readers.sharegpt import ShareGPT
from curate.readers.tau_bench import TauBench

if TYPE_CHECKING:
    from curate.readers.files import RawRecord

_READERS: tuple[Format, ...] = (OpenAIChat(), TauBench(), ShareGPT())
FORMATS: dict[str, Format] = {reader.name: reader for reader in _READERS}
LOOK_AT = 20
"""Records looked at to choose a format."""


def format_named(name: str) -> Format:
    """The reader of that name.

    Raises:
        UsageError: listing the known names.
    """
    if name not in FORMATS:
        raise UsageError(f"no format {name!r}; known are {', '.join(FORMATS)}")
    return FORMATS[name]


def detect(records: Sequence[RawRecord], place: str) -> tuple[Format, float]:
    """The format of a file from its first records, and how sure the choice is (mean over the records, 0 to 1).

    Raises:
        InputError: if no format knows any of them, with the keys that were seen.
    """
    values = [record.value for record in records if record.problem is None]
    known = [value for value in values if isinstance(value, Mapping)]
    scores = {name: sum(reader.matches(value) for value in known) for name, reader in FORMATS.items()}
    best = max(scores, key=lambda name: scores[name])
    if not known or scores[best] == 0:
        raise InputError(
            f"{place} is of no known format: {_seen(values)}. Known formats are {', '.join(FORMATS)}; "
            "name one with --format if the first records are not typical"
        )
    return FORMATS[best], scores[best] / len(known)


def _seen(values: Iterable[object]) -> str:
    for value in values:
        if isinstance(value, Mapping):
            return f"its first record has the keys {', '.join(map(str, list(value)[:12])) or '(none)'}"
        return f"its first record is {type(value).__name__}, not an object"
    return "it has no readable record"
