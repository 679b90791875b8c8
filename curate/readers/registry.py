"""The formats we read, and the choice among them by a file's first records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from curate.errors import InputError, UsageError
from curate.readers.anthropic import Anthropic
from curate.readers.openai_chat import OpenAIChat
from curate.readers.otel import OTel
from curate.readers.raw import Format, RawRecord
from curate.readers.sharegpt import ShareGPT
from curate.readers.sts import STS
from curate.readers.swe_agent import SWEAgent
from curate.readers.tau2_bench import Tau2Bench
from curate.readers.tau_bench import TauBench
from curate.readers.toolathlon import Toolathlon
from curate.readers.toucan import Toucan, ToucanSFT
from curate.readers.xlam import XLAM

_READERS: tuple[Format, ...] = (
    OpenAIChat(),
    TauBench(),
    ShareGPT(),
    Anthropic(),
    Toucan(),
    ToucanSFT(),
    XLAM(),
    Tau2Bench(),
    Toolathlon(),
    SWEAgent(),
    STS(),
    OTel(),
)
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
    ranked = ranking(records)
    if not ranked:
        values = [record.value for record in records if record.problem is None]
        raise InputError(
            f"{place} is of no known format: {_seen(values)}. Known formats are {', '.join(FORMATS)}; "
            "name one with --format if the first records are not typical"
        )
    name, sureness = ranked[0]
    return FORMATS[name], sureness


def ranking(records: Sequence[RawRecord]) -> list[tuple[str, float]]:
    """The formats that know some of the records, surest first: name and mean sureness over the readable objects."""
    known = [record.value for record in records if record.problem is None and isinstance(record.value, Mapping)]
    scores = {name: sum(reader.matches(value) for value in known) for name, reader in FORMATS.items()}
    ranked = sorted(scores, key=lambda name: -scores[name])  # stable: equals in the order of the registry
    return [(name, scores[name] / len(known)) for name in ranked if scores[name] > 0]


def describe_detection(records: Sequence[RawRecord]) -> str:
    """Which format a file's first records are of, for people: `openai_chat (sure .90; next anthropic .30)`."""
    ranked = ranking(records)
    if not ranked:
        return "no known format"
    (name, sureness), *others = ranked
    runner_up = f"; next {others[0][0]} {_share(others[0][1])}" if others else ""
    return f"{name} (sure {_share(sureness)}{runner_up})"


def _share(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _seen(values: Iterable[object]) -> str:
    for value in values:
        if isinstance(value, Mapping):
            return f"its first record has the keys {', '.join(map(str, list(value)[:12])) or '(none)'}"
        return f"its first record is {type(value).__name__}, not an object"
    return "it has no readable record"
