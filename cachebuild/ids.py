"""The ids in arguments and results: which fields hold them, and what a result says that it lists or has written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from curate.canonical import Json, parse_json
from curate.env import name_words

ID_WORDS = frozenset("id ids number numbers code codes".split())
"""Last words of the names of fields that hold ids: `user_id`, `itemIds`, `flight_number`, `zip_code`."""


_NESTED = (dict, list)


@lru_cache(maxsize=65_536)
def is_id_field(name: str, id_fields: tuple[str, ...] = ()) -> bool:
    """Whether a field of this name holds ids: by its last word, or because the user says so."""
    if name in id_fields:
        return True
    words = name_words(name)
    return bool(words) and words[-1] in ID_WORDS


def id_values(value: Json, id_fields: tuple[str, ...] = ()) -> frozenset[str]:
    """Every id value below `value`: strings and integers under id fields.

    They are compared as trimmed, casefolded text: 12 and "12" are one id, and so are w1 and W1. An id too many shared
    costs a hit, one too few serves a stale result.
    """
    found: set[str] = set()
    waiting: list[tuple[Any, bool]] = [(value, False)]
    while waiting:
        item, is_id = waiting.pop()
        kind = type(item)
        if kind is dict:
            for name, member in item.items():
                if type(member) in _NESTED:
                    waiting.append((member, is_id_field(name, id_fields)))
                elif is_id_field(name, id_fields):
                    waiting.append((member, True))
        elif kind is list:
            waiting.extend((member, is_id) for member in item if is_id or type(member) in _NESTED)
        elif is_id and kind is str:
            found.add(item.strip().casefold())
        elif is_id and (kind is int or kind is float):
            found.add(_id_text(item))
    found.discard("")
    return frozenset(found)


def _id_text(value: float) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def may_hold_ids(text: str) -> bool:
    """Whether a result looks like a JSON object or list; no other text has ids."""
    return text.lstrip()[:1] in ("{", "[")


def read_ids(text: str, id_fields: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """(id values that a JSON result lists below its top, those at its top)."""
    try:
        value = parse_json(text)
    except ValueError:
        return frozenset(), frozenset()
    members = value if isinstance(value, dict) else {"": value}
    plain: dict[str, Json] = {name: each for name, each in members.items() if not isinstance(each, (dict, list))}
    listed: dict[str, Json] = {name: each for name, each in members.items() if name not in plain}
    return id_values(listed, id_fields), id_values(plain, id_fields)


def written_ids(text: str | None, id_fields: tuple[str, ...]) -> frozenset[str]:
    """What a write's JSON result says was written: the ids at its top, or in the one object below it that has any.

    Others are what the written thing consists of: an order whose address was changed names its items, and these have
    not changed.
    """
    if not text or not may_hold_ids(text):
        return frozenset()
    try:
        level: list[Any] = [parse_json(text)]
    except ValueError:
        return frozenset()
    while level:
        named = [ids for item in level if isinstance(item, dict) and (ids := id_values(_plain(item), id_fields))]
        if named:
            return named[0] if len(named) == 1 else frozenset()
        below = [item.values() if isinstance(item, dict) else item for item in level]
        level = [each for members in below for each in members if isinstance(each, (dict, list))]
    return frozenset()


def _plain(members: Mapping[str, Json]) -> dict[str, Json]:
    """The members that hold no object."""
    return {name: each for name, each in members.items() if not _nested(each)}


def _nested(value: Json) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(at, (dict, list)) for at in value))
