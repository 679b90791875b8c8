"""What annotators may say: verdicts and failure tags with their keys, read from YAML; labels carry its hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from curate.errors import UsageError

DEFAULT = Path(__file__).parent / "schema.yaml"
TAKEN_KEYS = ("C", "R")
"""Keys that Streamlit keeps for itself."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_KEY = re.compile(r"[A-Z0-9]\Z")
_FIELDS = ("name", "title", "key", "help")


@dataclass(frozen=True)
class Choice:
    """One thing that may be said.

    Attributes:
        name: what stands in the labels.
        title: what the page shows.
        key: the key that says it; empty for none.
        help: when to say it.
    """

    name: str
    title: str
    key: str = ""
    help: str = ""


@dataclass(frozen=True)
class LabelSchema:
    """All that may be said.

    Attributes:
        version: hash of the choices, so that a label tells which schema it was given under.
        verdicts: of which a label has one at most.
        tags: of which it has any number.
    """

    version: str
    verdicts: tuple[Choice, ...]
    tags: tuple[Choice, ...]

    def verdict_names(self) -> tuple[str, ...]:
        """Names of the verdicts, in their order."""
        return tuple(choice.name for choice in self.verdicts)

    def tag_names(self) -> tuple[str, ...]:
        """Names of the tags, in their order."""
        return tuple(choice.name for choice in self.tags)

    def body(self) -> dict[str, list[dict[str, str]]]:
        """The choices as a YAML or JSON file holds them."""
        return {"verdicts": [asdict(choice) for choice in self.verdicts], "tags": [asdict(tag) for tag in self.tags]}


class _Once(yaml.SafeLoader):
    """YAML's safe loader, for which a field that stands twice in one entry is a fault and not the last one's value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if key.value in names[:number]:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} stands twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def load_schema(path: Path | None = None) -> LabelSchema:
    """Read a schema; without a path the one for tool-calling agents.

    Raises:
        UsageError: if the file cannot be read, names an unknown field, or uses a name or a key twice.
    """
    path = path or DEFAULT
    try:
        body = yaml.load(path.read_bytes(), Loader=_Once)
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise UsageError(f"--schema {path} cannot be read: {' '.join(str(error).split())}") from error
    return schema_of(body, f"--schema {path}")


def schema_of(body: Any, place: str) -> LabelSchema:
    """A schema from its parsed file.

    Args:
        body: a mapping with `verdicts` and, if there are any, `tags`.
        place: where it comes from, for the error.

    Raises:
        UsageError: naming the entry and what is wrong with it.
    """
    if not isinstance(body, Mapping):
        raise UsageError(f"{place} must hold verdicts and tags, not {type(body).__name__}")
    unknown = sorted(str(key) for key in body if key not in ("verdicts", "tags"))
    if unknown:
        raise UsageError(f"{place}: unknown field {unknown[0]!r}; known are verdicts, tags")
    verdicts = _choices(body.get("verdicts"), f"{place}: verdicts")
    tags = _choices(body.get("tags"), f"{place}: tags")
    if len(verdicts) < 2:
        raise UsageError(f"{place} names {len(verdicts)} verdicts; at least 2 are needed to tell anything apart")
    _refuse_doubles(verdicts + tags, place)
    return LabelSchema(_version(verdicts, tags), verdicts, tags)


def _choices(entries: Any, place: str) -> tuple[Choice, ...]:
    if entries is None:
        return ()
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise UsageError(f"{place} must be a list, not {type(entries).__name__}")
    return tuple(_choice(entry, f"{place}, entry {number}") for number, entry in enumerate(entries, 1))


def _choice(entry: Any, place: str) -> Choice:
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, Mapping):
        raise UsageError(f"{place} must be a mapping with a name, not {type(entry).__name__}")
    unknown = sorted(str(key) for key in entry if key not in _FIELDS)
    if unknown:
        raise UsageError(f"{place}: unknown field {unknown[0]!r}; known are {', '.join(_FIELDS)}")
    texts = {name: " ".join(str(entry.get(name) if entry.get(name) is not None else "").split()) for name in _FIELDS}
    if not _NAME.match(texts["name"]):
        raise UsageError(f"{place}: name {texts['name']!r} must be lower-case letters, digits and _, a letter first")
    title = texts["title"] or texts["name"].replace("_", " ").capitalize()
    return Choice(texts["name"], title, _key(texts["key"], place), texts["help"])


def _key(key: str, place: str) -> str:
    key = key.upper()
    if key and not _KEY.match(key):
        raise UsageError(f"{place}: key {key!r} must be one letter or digit")
    if key in TAKEN_KEYS:
        raise UsageError(f"{place}: key {key!r} belongs to the pages themselves; choose another")
    return key


def _refuse_doubles(choices: Sequence[Choice], place: str) -> None:
    for what, values in (("name", [c.name for c in choices]), ("key", [c.key for c in choices if c.key])):
        doubles = [value for number, value in enumerate(values) if value in values[:number]]
        if doubles:
            raise UsageError(f"{place}: {what} {doubles[0]!r} is used twice; each needs its own")


def _version(verdicts: Sequence[Choice], tags: Sequence[Choice]) -> str:
    """Hash of what labels mean: names, titles, helps and their order; a key that moved changes nothing in a label."""
    body = [[[c.name, c.title, c.help] for c in choices] for choices in (verdicts, tags)]
    return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()[:16]
