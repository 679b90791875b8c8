"""Where each value stands inside a parsed result or a call's arguments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from curate.canonical import parse_arguments, parse_json
from synth.value_forms import Path, normal

MAX_LEAVES = 20_000
"""Values taken from one tool result; a result of megabytes must not stop a batch."""
MAX_KEPT = 8_000
"""Characters of a text whose reading is kept: the same record is looked up again and again."""


class Holder(NamedTuple):
    """An object or list that holds values, and the path to it; no node for a result that is one value."""

    path: Path
    node: Any


Place: TypeAlias = tuple[Holder, str | int]
"""A holder and the key in it."""
Places: TypeAlias = Mapping[str, list[Place]]
"""Compared form of a value -> its places."""


class Reading(NamedTuple):
    """A text, parsed; nobody changes it, as equal texts share it."""

    value: Any
    places: Places


def read_result(text: str) -> Reading:
    """A tool result, or its text where it is no JSON."""
    return _result(text) if len(text) <= MAX_KEPT else _result.__wrapped__(text)


def read_arguments(text: str | None) -> Reading:
    """A call's arguments; empty where they cannot be parsed."""
    return _arguments(text) if text is None or len(text) <= MAX_KEPT else _arguments.__wrapped__(text)


@lru_cache(maxsize=1024)
def _result(text: str) -> Reading:
    value = _parsed(text)
    if isinstance(value, (dict, list)):
        return Reading(value, places_in(value))
    return Reading(value, {normal(value): [(Holder((), None), "")]})


@lru_cache(maxsize=1024)
def _arguments(text: str | None) -> Reading:
    value = parse_arguments(text)[0] or {}
    return Reading(value, places_in(value))


def places_in(value: Any) -> Places:
    """The places of every leaf, and of keys that are ids themselves."""
    places: defaultdict[str, list[Place]] = defaultdict(list)
    left = MAX_LEAVES
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack and left > 0:
        holder = Holder(*stack.pop())
        node = holder.node
        left -= len(node)
        if isinstance(node, dict) and node and is_key(next(iter(node))):
            for key in node:
                places[normal(key)].append((holder, key))
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(item, (dict, list)):
                stack.append(((*holder.path, key), item))
            elif item is not None:
                places[normal(item)].append((holder, key))
    return places


def is_key(key: Any) -> bool:
    """Whether an object's key looks like an id or a code itself: its values are then entries, not fields."""
    return isinstance(key, str) and (key.isupper() or any(map(str.isdigit, key)))


def _parsed(text: str) -> Any:
    head = text.lstrip()[:1]
    if head and (head in "[{-" or head.isdigit()):
        try:
            return parse_json(text)
        except ValueError:
            return text
    return text
