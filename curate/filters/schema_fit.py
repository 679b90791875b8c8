"""A quick look at arguments: plain JSON schemas become closures that accept what plainly fits, and doubt the rest.

A closure that says yes is right: jsonschema would say so too (a property test holds the two together). One that says
no only sends the value to jsonschema, which gives the verdict and the words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Fits: TypeAlias = Callable[[Any], bool]

SILENT = frozenset("title description default examples deprecated readOnly writeOnly $comment $schema format".split())
"""Keywords that the validator does not assert; `format` only with a format checker, which we do not give it."""
PLAIN = SILENT | {"type", "enum", "properties", "required", "additionalProperties", "items"}
MAX_DEPTH = 8
"""Schemas nested deeper are jsonschema's alone."""

_CLASSES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),  # 2.0 is one too; jsonschema sees to it
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def compile_fit(schema: Any, depth: int = 0) -> Fits | None:
    """The closure of a schema that jsonschema has found valid; None if it is not plain."""
    if not isinstance(schema, dict) or not PLAIN.issuperset(schema) or depth > MAX_DEPTH:
        return None
    parts = [_type(schema), _enum(schema), _object(schema, depth), _items(schema, depth)]
    if None in parts:
        return None
    checks = tuple(part for part in parts if part is not None and part is not _anything)
    if len(checks) == 1:
        return checks[0]
    return (lambda value: all(check(value) for check in checks)) if checks else _anything


def _anything(value: Any) -> bool:
    return True


def _type(schema: dict[str, Any]) -> Fits | None:
    if "type" not in schema:
        return _anything
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    classes = frozenset(kind for name in names for kind in _CLASSES[name])
    return lambda value: type(value) in classes  # by type itself: True is an int, and no JSON integer


def _enum(schema: dict[str, Any]) -> Fits | None:
    if "enum" not in schema:
        return _anything
    texts = frozenset(value for value in schema["enum"] if isinstance(value, str))
    return lambda value: isinstance(value, str) and value in texts


def _object(schema: dict[str, Any], depth: int) -> Fits | None:
    extra = schema.get("additionalProperties", True)
    if not isinstance(extra, bool):
        return None
    properties: dict[str, Fits | None] = {
        key: compile_fit(inner, depth + 1) for key, inner in schema.get("properties", {}).items()
    }
    required = frozenset(schema.get("required", ()))
    if extra and not properties and not required:
        return _anything

    def fits(value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        if not required <= value.keys():
            return False
        for key, item in value.items():
            if key in properties:
                check = properties[key]
                if check is None or not check(item):
                    return False
            elif not extra:
                return False
        return True

    return fits


def _items(schema: dict[str, Any], depth: int) -> Fits | None:
    if "items" not in schema:
        return _anything
    each = compile_fit(schema["items"], depth + 1)
    if each is None:
        return None
    return lambda value: not isinstance(value, list) or all(map(each, value))
