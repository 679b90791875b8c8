"""What makes two calls the same call: arguments as canonical and as normalised text, and the hash keys made of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from xxhash import xxh3_128_hexdigest

from curate.canonical import (
    ArgsStatus,
    canonical_json,
    compact_json,
    length_and,
    parse_arguments,
    parse_object,
)

KEY_VERSION = "3"
"""Changes when equal calls could get other keys: a cache of another version has to be compiled again."""


class CallArguments(NamedTuple):
    """The arguments of one call; `values` is None and `canonical` empty exactly if they could not be parsed."""

    recorded: str
    status: ArgsStatus
    values: dict[str, Any] | None
    canonical: str


class Place(NamedTuple):
    """Where a call's result is true: the world, the state its episodes start from, and the task if scope asks for it.

    `scope_value` is the task_id for a task-scoped tool, else empty.
    """

    env_id: str
    initial_state_id: str | None
    scope_value: str


def read_arguments(arguments: str | Mapping[str, Any] | None) -> CallArguments:
    """Arguments as a model wrote them (text) or as a program holds them (a mapping), parsed and canonical.

    What cannot be parsed, or cannot be JSON, comes back with status "unparsed", never as an exception.
    """
    if isinstance(arguments, str):  # first: that a text is no mapping takes long to find out
        text = arguments
    elif isinstance(arguments, Mapping):
        try:
            text = compact_json(dict(arguments))
        except (TypeError, ValueError, RecursionError):
            return CallArguments(repr_short(arguments), "unparsed", None, "")
    else:
        text = arguments or ""
    if not text:
        return CallArguments(text, "empty", {}, "{}")
    parsed = parse_object(text)
    if parsed is not None:
        return CallArguments(text, "json", *parsed)
    values, status = parse_arguments(text)
    if values is None:
        return CallArguments(text, "unparsed", None, "")
    try:
        return CallArguments(text, status, values, canonical_json(values, finite=status == "json"))
    except RecursionError:
        return CallArguments(text, "unparsed", None, "")


def repr_short(value: object, limit: int = 200) -> str:
    """A value for a message to a person, cut where it is long; never raises."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def normalised_arguments(values: Mapping[str, Any]) -> str:
    """Canonical text of the arguments without null and empty members, all strings trimmed and casefolded."""
    return canonical_json(_normalised(values), finite=True)


def _normalised(value: Any) -> Any:
    """List items keep their place, so only members of objects are dropped."""
    if isinstance(value, str):
        return value.strip().casefold()
    if isinstance(value, Mapping):
        members = {key: _normalised(item) for key, item in value.items()}
        return {key: item for key, item in members.items() if item is not None and item not in ("", [], {})}
    if isinstance(value, list):
        return [_normalised(item) for item in value]
    return value


def exact_key(place: Place, tool: str, canonical: str, state_digest: str) -> str:
    """Key of the exact tier, 32 hex digits.

    Args:
        place: where the result is true.
        tool: its name.
        canonical: the canonical arguments.
        state_digest: of the related writes before the turn (`cachebuild.state`), empty without any.
    """
    return _key("exact", place, tool, canonical, state_digest)


def normalised_key(place: Place, tool: str, normalised: str, state_digest: str) -> str:
    """Key of the normalised tier; `normalised` is the text of `normalised_arguments`."""
    return _key("normalised", place, tool, normalised, state_digest)


def calls_key(place: Place, tool: str) -> str:
    """Under which the index lists the distinct calls of a tool at a place."""
    return _key("calls", place, tool, "", "")


def _key(tier: str, place: Place, tool: str, arguments: str, state_digest: str) -> str:
    return xxh3_128_hexdigest(_key_head(tier, place, tool) + length_and(arguments) + length_and(state_digest))


@lru_cache(maxsize=4096)
def _key_head(tier: str, place: Place, tool: str) -> bytes:
    """What all keys of a tool at a place begin with, before they are hashed."""
    # A null initial state is the env's one shared start; the mark keeps it apart from one that is named "".
    start = "" if place.initial_state_id is None else f"={place.initial_state_id}"
    return b"".join(map(length_and, (KEY_VERSION, tier, place.env_id, start, place.scope_value, tool)))
