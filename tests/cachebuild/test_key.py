import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.key import (
    KEY_VERSION,
    Place,
    calls_key,
    exact_key,
    normalised_arguments,
    normalised_key,
    read_arguments,
)
from curate.canonical import hash128

SHOP = Place("shop", None, "")


def key(arguments, place=SHOP, tool="get_order", digest=""):
    return exact_key(place, tool, read_arguments(arguments).canonical, digest)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}'),
        ('{"amount": 12.0}', '{"amount": 12}'),
        ("{'order_id': 'W1'}", '{"order_id": "W1"}'),
        ("""{'item_ids': "['1', '2']"}""", '{"item_ids": ["1", "2"]}'),
        ("{'item_ids': ('1', '2')}", '{"item_ids": ["1", "2"]}'),
        ("", "{}"),
        (None, "{}"),
        ({"a": [1, {"b": None}]}, '{"a":[1,{"b":null}]}'),
    ],
)
def test_ways_to_write_one_call_have_one_key(first, second):
    assert key(first) == key(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": 1, "b": null}'),
        ('{"a": true}', '{"a": 1}'),
        ("""{"item_ids": "['1']"}""", '{"item_ids": ["1"]}'),
    ],
)
def test_other_values_have_other_keys(first, second):
    assert key(first) != key(second)


def test_every_part_of_the_place_and_the_state_count():
    call = '{"order_id": "W1"}'
    keys = {
        key(call),
        key(call, Place("other", None, "")),
        key(call, Place("shop", "", "")),
        key(call, Place("shop", "s1", "")),
        key(call, Place("shop", None, "t1")),
        key(call, tool="cancel_order"),
        key(call, digest="d"),
        normalised_key(SHOP, "get_order", read_arguments(call).canonical, ""),
    }
    assert len(keys) == 8


def test_a_key_is_the_hash_of_its_parts():
    for place, start in (SHOP, ""), (Place("shop", "s1", "t1"), "=s1"), (Place("shop", "", "ü"), "="):
        for text, digest in ("{}", ""), ('{"a":"ü"}', "d" * 32), ('{"a":"' + "x" * 600 + '"}', ""):
            parts = place.env_id, start, place.scope_value, "get_order", text, digest
            assert exact_key(place, "get_order", text, digest) == hash128(KEY_VERSION, "exact", *parts)
            assert normalised_key(place, "get_order", text, digest) == hash128(KEY_VERSION, "normalised", *parts)
        listed = hash128(KEY_VERSION, "calls", place.env_id, start, place.scope_value, "get_order", "", "")
        assert calls_key(place, "get_order") == listed
    assert hash128("exact", "ü", "x" * 600) == "a5f100636c73f7a94105162e47b32aa5"


@pytest.mark.parametrize("text", ["{", "[1]", '"a"', '{"a": NaN}', "{'a': {1, 2}}", '{"a": "\\ud800"}', "[" * 5000])
def test_what_is_no_json_object_is_unparsed_not_an_error(text):
    read = read_arguments(text)
    assert (read.values, read.status, read.canonical, read.recorded) == (None, "unparsed", "", text)


def test_values_that_json_cannot_hold_are_unparsed():
    nested: dict = {}
    nested["self"] = nested
    for arguments in ({"a": float("nan")}, {"a": {1, 2}}, {"a": "\ud800"}, nested):
        assert read_arguments(arguments).status == "unparsed"


def test_normalised_drops_empty_members_and_case_and_keeps_places_in_lists():
    given_ = {"Name": "  ALICE ", "note": "", "x": None, "deep": {"y": []}, "list": [None, " A ", {"z": None}]}
    assert normalised_arguments(given_) == '{"Name":"alice","list":[null,"a",{}]}'
    assert normalised_arguments({"n": 0, "off": False}) == '{"n":0,"off":false}'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.randoms())
def test_key_does_not_depend_on_order_or_spaces(arguments, random):
    try:
        json.dumps(arguments, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    names = list(arguments)
    random.shuffle(names)
    shuffled = json.dumps({name: arguments[name] for name in names}, indent=random.choice([None, 2]))
    assert key(arguments) == key(shuffled)


@given(st.dictionaries(st.text("aB ", max_size=3), JSON, max_size=4))
def test_normalising_twice_changes_nothing_more(arguments):
    once = normalised_arguments(arguments)
    assert normalised_arguments(json.loads(once)) == once
