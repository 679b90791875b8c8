"""One way to parse, canonicalise and hash JSON: ids, content hashes, cache keys and duplicate checks all rest on it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, TypeAlias

import orjson
import xxhash

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
ArgsStatus: TypeAlias = Literal["json", "literal", "empty", "unparsed"]

MAX_LITERAL_CHARS = 1_000_000
"""Texts above this are not offered to `ast.literal_eval`, whose memory grows ~100x the text."""
MAX_DEPTH = 200
"""JSON nested deeper is refused: no trajectory needs it, and each level costs stack in every later step."""
_ORJSON_DEPTH = 254
"""orjson refuses to dump what is deeper (a test holds it)."""
EXACT_FLOAT = 2**53
"""Up to here a float holds every integer exactly (IEEE 754 double)."""


def hash128(*parts: str | bytes) -> str:
    """XXH3-128 of the parts, each after its length so that ("ab", "c") differs from ("a", "bc"); 32 hex digits."""
    return xxhash.xxh3_128_hexdigest(b"".join(map(length_and, parts)))


def length_and(part: str | bytes) -> bytes:
    """A part as it is hashed by `hash128`, one after another."""
    raw = part.encode() if isinstance(part, str) else part
    size = len(raw)
    return _SIZES[size] + raw if size < _WRITTEN_SIZES else b"%d:%b" % (size, raw)


def canonical_json(value: Any, *, finite: bool = False) -> str:
    """JSON text with sorted keys, no spaces and integral floats as integers; equal values give equal text.

    Args:
        value: what JSON can hold.
        finite: the value was parsed from JSON, so no NaN has to be looked for; much faster on large values.

    Raises:
        ValueError: if the value holds what JSON cannot (NaN, infinities, other types).
        RecursionError: if it is nested too deeply.
    """
    if finite:
        return canonical_bytes(value).decode()
    return json.dumps(_integral(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class KnownList(list[Any]):
    """A list from parsed JSON that values share and nobody changes.

    Attributes:
        text: the JSON text that it was parsed from.
        canonical: its canonical JSON.
    """

    def __init__(self, items: list[Any], text: bytes) -> None:
        super().__init__(items)
        self.text = text
        self.canonical = canonical_bytes(items)


def canonical_bytes(value: Any) -> bytes:
    """UTF-8 of the canonical JSON of a value that was parsed from JSON.

    Raises:
        ValueError, RecursionError: as `canonical_json`.
    """
    known = value.get("tools") if isinstance(value, dict) else None
    if isinstance(known, KnownList):
        text = canonical_bytes({**value, "tools": _PLACEHOLDER})
        if text.count(_PLACE) == 1:
            return text.replace(_PLACE, b'"tools":' + known.canonical)
    try:
        return _integral_text(orjson.dumps(value, option=_SORTED))
    except (orjson.JSONEncodeError, ValueError):
        return canonical_json(value).encode()


def compact_json(value: Any, *, finite: bool = False) -> str:
    """JSON text without spaces, keys in the order given: how parsed values are stored.

    Args:
        value: what JSON can hold.
        finite: as of `canonical_json`.

    Raises:
        ValueError: if the value holds a NaN or an infinity.
        TypeError: if it holds what is no JSON.
    """
    try:
        text = orjson.dumps(value, option=_PLAIN)
    except orjson.JSONEncodeError:
        text = None
    if text is None or _EXPONENT.search(text) or (not finite and b"null" in text):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.decode()


def parse_json(text: str) -> Json:
    """Strict JSON: NaN and Infinity are refused, integers keep all their digits.

    Raises:
        ValueError: if the text is no JSON, or nested deeper than `MAX_DEPTH`.
    """
    try:
        raw = text.encode()
        value: Json = orjson.loads(raw)
        whole = _LONG_NUMBER not in raw.translate(_NUMBERS)  # an integer beyond 64 bits would have become a float
    except ValueError:
        whole = False  # no JSON, or a lone surrogate, or deep: the slow way tells
    if not whole:
        value = _decoded(text)
    if text.count("[") + text.count("{") > MAX_DEPTH and deeper_than(value, MAX_DEPTH):
        raise ValueError(TOO_DEEP)
    return value


def parse_object(text: str) -> tuple[dict[str, Any], str] | None:
    """An object and its canonical JSON, fast; None for what is no object or has to be read the slow way.

    What it gives is what `parse_json` and `canonical_json` give.
    """
    try:
        value = orjson.loads(text)
        if type(value) is not dict:
            return None
        if not _LEAVES.issuperset(map(type, value.values())):
            marks = text.encode().translate(_NUMBERS)
            if _LONG_NUMBER in marks or marks.count(b"[") > MAX_DEPTH:
                return None
            if b"0." in marks:
                canonical = orjson.dumps(_integral(value), option=_SORTED)
                return None if _REPR_DIFFERS.search(canonical) else (value, canonical.decode())
        return value, orjson.dumps(value, option=_SORTED).decode()
    except ValueError:
        return None


def _decoded(text: str) -> Json:
    """What the standard library makes of a text; slow."""
    try:
        value: Json = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    return value


def deeper_than(value: Any, limit: int) -> bool:
    """Whether lists and objects stand more than `limit` deep in one another; needs no stack."""
    if limit <= _ORJSON_DEPTH:
        wrapped = value
        for _ in range(_ORJSON_DEPTH - limit):
            wrapped = [wrapped]
        try:
            orjson.dumps(wrapped)
        except orjson.JSONEncodeError:
            pass  # too deep, or something else: the slow way tells
        else:
            return False
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
        if not level:
            break
    return bool(level)


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
    if isinstance(value, dict) and _in_utf8(value):
        return value, "json"
    return None, "unparsed"


def parse_literal(text: str) -> Any:
    """A Python literal as JSON values, its strings left as they are; None if it is none, or JSON cannot hold it."""
    try:
        value = _jsonable(_literal(text))
    except (TypeError, RecursionError):
        return None
    return value if _encodable(value) else None


def _parse_literal(text: str) -> tuple[dict[str, Any] | None, ArgsStatus]:
    value = _literal(text)
    if not isinstance(value, dict):
        return None, "unparsed"
    try:
        decoded = _jsonable({key: _decode_text(item) for key, item in value.items()})
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


def _in_utf8(value: Any) -> bool:
    """`_encodable` of a value that was parsed from JSON, so that it holds no NaN; fast."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return _encodable(value)
    return True


def _integral(value: Any) -> Any:
    """The value with its integral floats as integers; most leaves are passed over without a call."""
    kind = type(value)
    if kind is dict:
        return {key: item if type(item) in _LEAVES else _integral(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [item if type(item) in _LEAVES else _integral(item) for item in value]
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return {key: _integral(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_integral(item) for item in value]
    return value


def _integral_text(text: bytes) -> bytes:
    """JSON text with its integral floats as integers, as `_integral` makes them of values; strings stay.

    Raises:
        ValueError: where the text alone does not tell, or does not pay.
    """
    if b"0." not in text.translate(_NUMBERS):
        return text
    for _ in _outside_strings(_EXPONENT, text):
        raise ValueError("a float with an exponent")
    pieces: list[bytes] = []
    done = 0
    for found in _outside_strings(_POINT, text):
        head, tail = _HEAD.search(text, max(done, found.start() - 20), found.start()), found.end()
        assert head is not None
        pieces += [text[done : head.start()], repr(_number(float(text[head.start() : tail]))).encode()]
        done = tail
    return b"".join([*pieces, text[done:]])


def _outside_strings(pattern: re.Pattern[bytes], text: bytes) -> Iterator[re.Match[bytes]]:
    """Matches that no string of the JSON text holds: those behind an even number of quotes."""
    looked, quotes = 0, 0
    for found in pattern.finditer(text):
        if not looked and b"\\\\" in text:
            raise ValueError("an escaped backslash may stand before a quote")
        start = found.start()
        quotes += text.count(b'"', looked, start) - text.count(b'\\"', looked, start)
        looked = start
        if quotes % 2 == 0:
            yield found


def _number(value: float) -> int | float:
    if not isfinite(value):
        raise ValueError(f"{value} is not JSON")
    return int(value) if value.is_integer() and abs(value) <= EXACT_FLOAT else value


_PLACEHOLDER = "\0known\0"
_PLACE = b'"tools":' + orjson.dumps(_PLACEHOLDER)
_LEAVES = frozenset((str, int, bool, type(None)))
_WRITTEN_SIZES = 512
_SIZES = [b"%d:" % size for size in range(_WRITTEN_SIZES)]
_NUMBERS = bytes.maketrans(b"123456789eE{", b"000000000..[")
"""Makes "0." of a digit before a point or an exponent, and one bracket of two."""
_LONG_NUMBER = b"0" * 19
"""The shortest integer beyond 64 bits has so many digits."""
_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
_SORTED = _PLAIN | orjson.OPT_SORT_KEYS
# Each begins with a letter that the regex engine can look for fast; digits before it are looked back for. Behind a
# number of a value comes a comma, a bracket, or nothing, which few numbers in strings have.
_POINT = re.compile(rb"\.(?<=[0-9]\.)[0-9]+(?=[],}]|\Z)")
_EXPONENT = re.compile(rb"e(?<=[0-9]e)[-+0-9]+(?=[],}]|\Z)")
# Where orjson may write a float in other digits than the standard library: with an exponent, or below 0.0001.
_REPR_DIFFERS = re.compile(_EXPONENT.pattern + rb"|0\.0000")
_HEAD = re.compile(rb"-?[0-9]+\Z")


def _refuse(token: str) -> float:
    raise ValueError(f"{token} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if abs(value) != float("inf") else _refuse(digits)


TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
