"""Journal records as lines: one JSON object each, with its type under "t"."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson
import xxhash

Record: TypeAlias = Mapping[str, Any]

ANSWERED = frozenset({"ok", "poor", "item"})
"""Kinds of reply that stand: the ask is not sent again. The others (again, run) say only that a try failed."""


def line(record: Record) -> bytes:
    """The record as a line. A lone half of a surrogate pair, which is no text, becomes a question mark."""
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # also what a record says that is no JSON at all: then the next line raises it
        return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def parsed(data: bytes) -> dict[str, Any] | None:
    """The record in a line; None if it holds none."""
    try:
        record = orjson.loads(data)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("t"), str) else None


def fingerprint(kind: str, key: str) -> int:
    """64 bits that stand for the key of a record of this type in the index; whoever reads compares the whole key."""
    return xxhash.xxh3_64_intdigest(f"{kind}:{key}".encode()) or 1


def text_of(record: Record, name: str) -> str:
    """A field that must be text. Raises KeyError or TypeError."""
    value = record[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def number_of(record: Record, name: str) -> float:
    """A field that must be a number. Raises KeyError or TypeError."""
    value = record[name]
    if not isinstance(value, (int, float)):
        raise TypeError(name)
    return value
