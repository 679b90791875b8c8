"""What readers hand on: records as they stand in a file, and trajectories in our form with the facts of the source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from curate.canonical import KnownList, compact_json, parse_json
from curate.errors import RecordError
from curate.trajectory import Message


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record: its row in the file, its value or the reason it has none, and its bytes (none in Parquet)."""

    row: int
    value: Any = None
    problem: str | None = None
    detail: str = ""
    raw: bytes | None = None


Assemble: TypeAlias = Callable[[Iterator[RawRecord]], Iterator[RawRecord]]
"""Makes one record a trajectory of a file's records; problems pass through, all rows are numbered anew."""


@dataclass(slots=True)
class RawTrajectory:
    """One record, read but not yet normalised; None means that the source does not say.

    Attributes:
        messages: in our form; pairing is done later.
        tools: OpenAI function schemas, None if the source has none.
        task_statement: what the task is, for grouping equal tasks across inputs.
        split_texts: message index -> content as recorded, where thinking was cut out of it.
        metadata: everything without a home of its own.
    """

    messages: list[Message]
    tools: list[dict[str, Any]] | None = None
    task_id: str | None = None
    trial: int | None = None
    reward: float | None = None
    env_id: str | None = None
    initial_state_id: str | None = None
    license: str | None = None
    task_statement: Any = None
    split_texts: dict[int, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


class Format(Protocol):
    """A reader of one format; `matches` looks at the shape of one record only.

    Attributes:
        name: what `--format` and reports call it.
        assemble: for formats where a trajectory is not one record of the file; None where it is. `matches` sees the
            file's records, `convert` the assembled ones.
    """

    name: str

    @property
    def assemble(self) -> Assemble | None:
        """What makes trajectories of the file's records, if a record alone is none."""
        ...

    def matches(self, record: Mapping[str, Any]) -> float:
        """How sure it is that the record is of this format, 0 to 1."""
        ...

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """The record as a trajectory.

        Raises:
            RecordError: saying which field is wrong.
        """
        ...


FACTS = ("task_id", "env_id", "initial_state_id", "license", "trial", "reward")
"""Facts that any format may carry under our own names."""


def take_facts(record: Mapping[str, Any], raw: RawTrajectory, taken: set[str]) -> RawTrajectory:
    """Fill in the facts that any format may carry under our own names; what is left goes to the metadata."""
    raw.task_id = _text(record, "task_id")
    raw.env_id = _text(record, "env_id")
    raw.initial_state_id = _text(record, "initial_state_id")
    raw.license = _text(record, "license")
    raw.trial = _integer(record, "trial")
    raw.reward = _number(record, "reward")
    known = {*taken, *FACTS, "metadata"}
    given = record.get("metadata")
    others = {key: value for key, value in record.items() if key not in known}
    if isinstance(given, Mapping) and not given.keys() & (others.keys() | raw.metadata.keys()):
        others = {**given, **others}
    elif given is not None:
        others["metadata"] = given
    raw.metadata = others | raw.metadata
    return raw


def read_tools(value: Any) -> list[dict[str, Any]] | None:
    """Function schemas from a list or its JSON text; bare functions get their `{"type": "function"}` wrapper.

    Raises:
        RecordError: for anything else.
    """
    if isinstance(value, str):
        try:
            value = parse_json(value) if value.strip() else None
        except ValueError as error:
            raise RecordError("wrong_type", f"tools is a text that is no JSON ({error})") from error
    if value is None or value == []:
        return None
    if not isinstance(value, list):
        raise RecordError("wrong_type", f"tools is {type(value).__name__}, not a list")
    return [_wrapped(tool) for tool in value] if not isinstance(value, KnownList) else _known_tools(value)


class KnownTools(list[dict[str, Any]]):
    """Function schemas that several records share, with their text as it is stored; never changed."""

    def __init__(self, tools: list[dict[str, Any]]) -> None:
        super().__init__(tools)
        self.text = compact_json(tools, finite=True)


def _known_tools(value: KnownList) -> KnownTools:
    found = _KNOWN.get(value.text)
    if found is None:
        if len(_KNOWN) >= _KNOWN_AT_MOST:
            _KNOWN.clear()
        found = _KNOWN[value.text] = KnownTools([_wrapped(tool) for tool in value])
    return found


_KNOWN: dict[bytes, KnownTools] = {}
_KNOWN_AT_MOST = 64


def _wrapped(tool: Any) -> dict[str, Any]:
    if isinstance(tool, str):
        try:
            tool = parse_json(tool)
        except ValueError as error:
            raise RecordError("wrong_type", "a tool is a text that is no JSON") from error
    if not isinstance(tool, dict | Mapping):
        raise RecordError("wrong_type", f"a tool is {type(tool).__name__}, not an object")
    inner = tool.get("function", tool)
    if not isinstance(inner, dict | Mapping) or not isinstance(inner.get("name"), str):
        raise RecordError("wrong_type", "a tool has no name")
    if "function" in tool:
        return dict(tool)
    flat = {key: value for key, value in tool.items() if (key, value) != ("type", "function")}
    return {"type": "function", "function": flat}


def json_column(record: Mapping[str, Any], key: str, kind: type) -> Any:
    """A field that holds JSON, or the text of it, as tables keep it; None if it is missing or an empty text.

    Args:
        record: as read.
        key: of the field.
        kind: list or dict; a text of anything else stays a text.

    Raises:
        RecordError: if the text has no strict JSON form.
    """
    value = record.get(key)
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    if value.lstrip()[:1] != ("[" if kind is list else "{"):
        return value
    return json_of(value, key)


def described(record: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Fields that say something about the record, as objects where they are texts of such; other texts stay."""
    found: dict[str, Any] = {}
    for key in keys:
        if key in record:
            try:
                found[key] = json_column(record, key, dict)
            except RecordError as error:
                if error.reason != "not_json":
                    raise
                found[key] = record[key]
    return found


def json_of(text: str, place: str) -> Any:
    """The value of a JSON text.

    Raises:
        RecordError: if it is no strict JSON, or UTF-8 cannot hold it.
    """
    try:
        value = parse_json(text)
    except ValueError as error:
        raise RecordError("not_json", f"{place} is a text that is no JSON ({error})") from error
    if "\\u" in text:
        try:
            compact_json(value).encode()
        except UnicodeEncodeError as error:
            raise RecordError("lone_surrogate", f"{place}: half of a UTF-16 pair cannot be stored") from error
    return value


def _text(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RecordError("wrong_type", f"{key} is {type(value).__name__}, not a text")


def _integer(record: Mapping[str, Any], key: str) -> int | None:
    value = _number(record, key)
    if value is None:
        return None
    if not value.is_integer() or not 0 <= value < 2**31:
        raise RecordError("wrong_type", f"{key} is {value}, not a count")
    return int(value)


def _number(record: Mapping[str, Any], key: str) -> float | None:
    value = record.get(key)
    if value is None:
        return None
    try:
        if isinstance(value, (int, float)):
            return float(value)
    except OverflowError as error:
        raise RecordError("wrong_type", f"{key} is beyond any count or reward") from error
    raise RecordError("wrong_type", f"{key} is {type(value).__name__}, not a number")
