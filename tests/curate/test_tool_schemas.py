from __future__ import annotations

import json
from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from curate.tool_schemas import MAX_PROPERTIES, Shape, ToolEvidence, json_type


def evidence(*calls: dict[str, Any]) -> ToolEvidence:
    found = ToolEvidence()
    for arguments in calls:
        found.arguments.add(arguments)
    return found


def test_a_schema_says_what_was_seen_and_no_more() -> None:
    seen = [{"id": "a", "n": 1, "tags": ["x"], "at": {"zip": "1"}}] * 19 + [{"id": "b", "n": 2.5}]
    assert evidence(*seen).schema("f") == {
        "type": "function",
        "function": {
            "name": "f",
            "description": "Inferred from 20 recorded calls.",
            "parameters": {
                "type": "object",
                "properties": {
                    "at": {"type": "object", "properties": {"zip": {"type": "string"}}, "required": ["zip"]},
                    "id": {"type": "string"},
                    "n": {"type": "number"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["at", "id", "n", "tags"],
            },
        },
    }


def test_a_tool_called_without_arguments() -> None:
    schema = evidence({}).schema("f")["function"]
    assert schema["parameters"] == {"type": "object", "properties": {}, "required": []}
    assert schema["description"] == "Inferred from 1 recorded call."
    assert ToolEvidence().schema("f")["function"]["parameters"] == {"type": "object", "properties": {}}


def test_a_usual_key_missing() -> None:
    usual = [{"id": "a"}] * 19
    assert evidence(*usual).violation({}) is None  # 19 calls prove nothing
    assert "id is missing" in (evidence(*usual, {}).violation({}) or "")
    assert evidence(*usual, {}, {}).violation({}) is None  # 19 of 21 is less than 95 %


def test_a_rare_type() -> None:
    usual = [{"id": "a"}] * 100
    assert "id is integer" in (evidence(*usual, {"id": 3}).violation({"id": 3}) or "")
    assert evidence(*usual[:90], {"id": 3}).violation({"id": 3}) is None
    assert evidence(*usual).violation({"id": "b", "new": 3}) is None


def test_a_whole_number_is_a_number_too() -> None:
    prices = evidence(*[{"price": 1.5}] * 200, {"price": 2})
    assert prices.violation({"price": 2}) is None
    assert prices.violation({"price": 2.0}) is None
    assert evidence(*[{"n": 2}] * 200, {"n": 2.0}).violation({"n": 2.0}) is None


def test_a_mapping_is_no_record() -> None:
    wide = evidence({"by_id": {str(n): 1 for n in range(MAX_PROPERTIES + 10)}})
    assert wide.schema("f")["function"]["parameters"]["properties"] == {"by_id": {"type": "object"}}


def test_types() -> None:
    values = [None, True, 1, 1.0, 1.5, "x", [], {}]
    names = ["null", "boolean", "integer", "integer", "number", "string", "array", "object"]
    assert [json_type(value) for value in values] == names


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3)
)
arguments = st.dictionaries(
    st.sampled_from("abc"),
    leaves | st.lists(leaves, max_size=2) | st.dictionaries(st.sampled_from("xy"), leaves),
    max_size=3,
)


@given(st.lists(arguments, min_size=1, max_size=19))
def test_few_calls_all_fit_types_of_their_schema(calls: list[dict[str, Any]]) -> None:
    found = evidence(*calls)
    schema = found.schema("f")["function"]["parameters"]
    jsonschema.Draft202012Validator.check_schema(schema)
    without_required = json.loads(
        json.dumps(schema), object_hook=lambda d: {k: v for k, v in d.items() if k != "required"}
    )
    validator = jsonschema.Draft202012Validator(without_required)
    assert all(validator.is_valid(call) for call in calls)
    assert all(found.violation(call) is None for call in calls)


@given(st.lists(arguments, max_size=8), st.randoms())
def test_the_order_of_the_calls_does_not_matter(calls: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(calls)
    random.shuffle(shuffled)
    assert evidence(*calls).schema("f") == evidence(*shuffled).schema("f")
    assert Shape().schema() == {}
