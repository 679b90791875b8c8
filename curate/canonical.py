"""One way to parse, canonicalise and hash JSON: ids, content hashes, cache keys and duplicate checks all rest on it."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import xxhash

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
ArgsStatus: TypeAlias = Literal["json", "literal", "empty", "unparsed"]

MAX_LITERAL_CHARS = 1_000_000
"""Texts above this are not offered to `ast.literal_eval`, whose memory grows ~100x the text."""
EXACT_FLOAT = 2**53
"""Up to here a float holds every integer exactly (IEEE 754 double)."""


def hash128(*parts: str | bytes) -> str:
    """XXH3-128 of the parts, each after its length so that ("ab", "c") differs from ("a", "bc"); 32 hex digits."""
    digest = xxhash.xxh3_128()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()


def canonical_json(value: Any) -> str:
    """JSON text with sorted keys, no spaces and integral floats as integers; equal values give equal text.

    Raises:
        ValueError: if the value holds what JSON cannot (NaN, infinities, other types).
        RecursionError: if it is nested too deeply.
    """
    return json.dumps(_integral(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def compact_json(value: Any) -> str:
    """JSON text without spaces, keys in the order given: how parsed values are stored."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parse_json(text: str) -> Json:
    """Strict JSON: NaN and Infinity are refused, integers keep all their digits.

    Raises:
        ValueError: if the text is no JSON, or nested too deeply.
    """
    try:
        value: Json = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def json_object(text: str | None) -> dict[str, Any] | None:
    """The object that `text` holds, or None if it is no JSON object (used on tool results, which may be anything)."""
    if not text or text.lstrip()[:1] != "{":
        return None
    try:
        value = parse_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def parse_arguments(text: str | None) -> tuple[dict[str, Any] | None, ArgsStatus]:
    """Parse a call's arguments as recorded: JSON first, then a Python literal (some code agents write those).

    Args:
        text: the recorded text; None or blank means a call without arguments.

    Returns:
        (arguments, status). Arguments are None exactly if the status is "unparsed". In "literal" calls, string values
        that are list or dict literals are decoded too, and tuples become lists.
    """
    if text is None or not text.strip():
        return {}, "empty"
    try:
        value = parse_json(text)
    except ValueError:
        return _parse_literal(text)
    if isinstance(value, dict) and _encodable(value):
        return value, "json"
    return None, "unparsed"


def _parse_literal(text: str) -> tuple[dict[str, Any] | None, ArgsStatus]:
    value = _literal(text)
    if not isinstance(value, dict):
        return None, "unparsed"
    try:
        decoded = {key: _decode_text(_jsonable(item)) for key, item in value.items()}
        decoded = _jsonable(decoded)
    except (TypeError, RecursionError):
        return None, "unparsed"
    return (decoded, "literal") if _encodable(decoded) else (None, "unparsed")


def _literal(text: str) -> Any:
    if len(text) > MAX_LITERAL_CHARS:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _decode_text(value: Any) -> Any:
    """A string that is a list or dict literal stands for that list or dict; anything else for itself."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{", "("):
        inner = _literal(value)
        if isinstance(inner, (list, dict, tuple)):
            return inner
    return value


def _jsonable(value: Any) -> Any:
    """Tuples to lists.

    Raises:
        TypeError: for what JSON cannot hold (bytes, sets, complex numbers, keys that are no strings).
    """
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("keys must be strings")
        return {key: _jsonable(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"JSON cannot hold {type(value).__name__}")


def _encodable(value: Any) -> bool:
    """Whether the value can be written as strict JSON in UTF-8: no NaN, no lone surrogate."""
    try:
        compact_json(value).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _integral(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_FLOAT:
        return int(value)
    if isinstance(value, Mapping):
        return {key: _integral(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_integral(item) for item in value]
    return value


def _refuse(token: str) -> float:
    raise ValueError(f"{token} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
