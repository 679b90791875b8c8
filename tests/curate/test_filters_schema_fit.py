from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.filters.schema_fit import compile_fit

TYPES = ["string", "integer", "number", "boolean", "null", "array", "object"]
names = st.sampled_from(["id", "n", "when", "tags"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 2.5, -0.0, 1e300])
    | st.sampled_from(["", "a", "b", "1", "2024-05-15"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
            "enum": st.lists(values, min_size=1, max_size=4),
            "properties": st.dictionaries(names, inner, max_size=3),
            "required": st.lists(names, max_size=2, unique=True),
            "additionalProperties": st.booleans() | inner,
            "items": inner,
            "description": st.just("text"),
            "default": values,
            "format": st.sampled_from(["date", "email"]),
            "$schema": st.sampled_from(
                ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"]
            ),
            "minimum": st.integers(-1, 1),
            "minLength": st.integers(0, 2),
            "pattern": st.just("^a"),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "const": values,
            "minItems": st.integers(0, 2),
            "patternProperties": st.just({"^i": {"type": "string"}}),
            "$ref": st.just("#"),
        },
    )


schemas = st.recursive(keywords(st.booleans()), keywords, max_leaves=6)


@settings(max_examples=500)
@given(schemas, st.lists(values, min_size=1, max_size=6))
def test_what_the_quick_look_accepts_the_validator_accepts(schema: dict[str, Any], tried: list[Any]) -> None:
    fits = compile_fit(schema)
    if fits is None:
        return
    validator = jsonschema.Draft202012Validator(schema)
    for value in tried:
        if fits(value):
            assert validator.is_valid(value), (schema, value)


@given(st.data())
def test_what_fits_is_mostly_accepted_at_once(data: st.DataObject) -> None:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "n": {"type": "integer"}, "tags": {"items": {"enum": ["a", "b"]}}},
        "required": ["id"],
        "additionalProperties": False,
    }
    fits = compile_fit(schema)
    assert fits is not None
    value = data.draw(
        st.fixed_dictionaries(
            {"id": st.text()}, optional={"n": st.integers(), "tags": st.lists(st.sampled_from(["a", "b"]))}
        )
    )
    assert fits(value)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"$ref": "#"},
        {"pattern": "a"},
        {"anyOf": [{}]},
        {"additionalProperties": {"type": "string"}},
        {"items": True},
    ],
)
def test_what_is_not_plain_is_left_to_the_validator(schema: Any) -> None:
    assert compile_fit(schema) is None


def test_truth_values_are_no_numbers() -> None:
    fits = compile_fit({"type": ["integer", "number"], "enum": [1, True]})
    assert fits is not None
    assert not fits(True)
    assert json.loads("1.0") == 1
    plain = compile_fit({"type": "integer"})
    assert plain is not None
    assert plain(1)
    assert not plain(True)
    assert not plain(1.0)  # an integer to the validator, which is asked


def test_a_very_deep_schema_is_not_plain_all_the_way() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(50):
        schema = {"type": "object", "properties": {"id": schema}}
    assert compile_fit(schema) is not None
    value: Any = "x"
    for _ in range(50):
        value = {"id": value}
    fits = compile_fit(schema)
    assert fits is not None
    assert not fits(value)
