from __future__ import annotations

import json
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from curate.canonical import (
    EXACT_FLOAT,
    MAX_DEPTH,
    canonical_json,
    compact_json,
    deeper_than,
    hash128,
    json_object,
    parse_arguments,
    parse_json,
    parse_literal,
    parse_object,
)

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | st.text()
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4), max_leaves=12
)


def shuffled(value: Any) -> Any:
    """The same value with keys in another order and integral floats written the other way."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [shuffled(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= EXACT_FLOAT:
        return float(value)
    return value


@given(values)
def test_canonical_text_is_a_fixed_point_of_parse_and_dump(value: Any) -> None:
    text = canonical_json(value)
    assert canonical_json(parse_json(text)) == text


@given(values)
def test_key_order_and_the_form_of_a_number_do_not_matter(value: Any) -> None:
    assert canonical_json(shuffled(value)) == canonical_json(value)


@given(values)
def test_the_fast_forms_say_what_the_plain_ones_say(value: Any) -> None:
    assert canonical_json(value, finite=True) == canonical_json(value)
    assert compact_json(value) == json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize(
    "value", [1e16, -0.0, 5e-324, 9007199254740994.0, 1.5e300, 2**70, "5.0", '\\"5.0', ["1e5,2.0"]]
)
def test_numbers_and_strings_that_look_alike(value: Any) -> None:
    for whole in (value, [value], {"a": value, '":1.0': [value, 2.0]}):
        assert canonical_json(whole, finite=True) == canonical_json(whole)


@given(values, values)
def test_equal_text_means_equal_values(one: Any, other: Any) -> None:
    same = parse_json(canonical_json(one)) == parse_json(canonical_json(other))
    if canonical_json(one) == canonical_json(other):
        assert same
    elif same:  # Python's 1 == True is the only way to be equal and look different
        assert any(word in canonical_json([one, other]) for word in ("true", "false"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1.0, 2.5, True, None]}, '{"a":[1,2.5,true,null],"b":1}'),
        ((1, (2.0,)), "[1,[2]]"),
        (12345678901234567890123, "12345678901234567890123"),
        (-0.0, "0"),
        (2.0**60, "1.152921504606847e+18"),
        ("ü\u2028", '"ü\u2028"'),
    ],
)
def test_canonical_form(value: Any, text: str) -> None:
    assert canonical_json(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_canonical_refuses_what_json_cannot_hold(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical_json(value)


def test_hash_tells_parts_apart() -> None:
    assert hash128("ab", "c") != hash128("a", "bc")
    assert hash128("ab", "c") == hash128(b"ab", b"c")
    assert len(hash128("")) == 32


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "[-Infinity]", "1e999", "{'a': 1}", "", "[1"])
def test_strict_json(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5_000, 200_000])
def test_deep_json_is_refused_without_a_crash(depth: int) -> None:
    with pytest.raises(ValueError, match="nested deeper"):
        parse_json("[" * depth + "]" * depth)


def test_depth_at_the_limit_survives_every_later_step() -> None:
    text = '{"a":' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}"
    value, status = parse_arguments(text)
    assert status == "json"
    assert canonical_json(value) == text
    assert parse_arguments('{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}") == (None, "unparsed")


@given(values)
def test_depth_counts_levels(value: Any) -> None:
    def depth(item: Any) -> int:
        children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else None
        return 0 if children is None else 1 + max(map(depth, children), default=0)

    assert [deeper_than(value, limit) for limit in range(6)] == [depth(value) > limit for limit in range(6)]


def refuse(token: str) -> float:
    raise ValueError(token)


def finite(digits: str) -> float:
    return float(digits) if abs(float(digits)) != float("inf") else refuse(digits)


STANDARD = json.JSONDecoder(parse_constant=refuse, parse_float=finite)
NASTY = [
    "-0",
    "-0.0",
    "0.0",
    "2.0",
    "-2.50",
    "0e5",
    "-0E-0",
    "1e5",
    "1E+5",
    "1e400",
    "-1e400",
    "1e-400",
    "1.5e300",
    "1e-5",
    "0.00001",
    "0.0001",
    "9007199254740992.0",
    "9007199254740993.0",
    "1e16",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "9" * 400,
    "9" * 5_000,
    "0." + "1" * 400,
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '"\\udc00\\ud800"',
    '"\ud800"',
    '"\\u0000"',
    '"\x00"',
    '"\x1f"',
    '"\x7f\u2028\ufffe"',
    '"tab\t"',
    '"line\\nline"',
    '"\\/ \\" \\\\"',
    '"\\x41"',
    '"\\u00"',
    '"1e5, 2.0 9223372036854775808"',
    '"a2e4-0.00001"',
    "null",
    "true",
    "[1,]",
    "[" * MAX_DEPTH + "]" * MAX_DEPTH,
    "[" * 260 + "]" * 260,
    "[" * 1_100 + "]" * 1_100,
    "{" * 3,
    '"' + "x" * 100_000 + '"',
    "'single'",
    "(1, 2)",
    "None",
    "",
]


def nasty_object(members: list[tuple[str, str]]) -> str:
    """An object whose names may come twice."""
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members) + "}"


AROUND = st.sampled_from(["", " ", "\n\t\r ", "\x0c", "\ufeff", "\u00a0", "\x00", "x", ","])
nasty_values = st.recursive(
    st.sampled_from(NASTY) | values.map(json.dumps) | st.floats().map(repr) | st.integers().map(str),
    lambda v: (
        st.lists(v, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(["a", "b", "tools", "ä", ""]), v), max_size=3).map(nasty_object)
    ),
    max_leaves=6,
)
nasty_texts = st.tuples(AROUND, nasty_values, AROUND).map("".join)


def standard(text: str) -> Any:
    """What the standard library makes of a text; None, as one that is no JSON, is told by `ValueError`."""
    try:
        value = STANDARD.decode(text)
    except RecursionError as error:
        raise ValueError from error
    if deeper_than(value, MAX_DEPTH):
        raise ValueError
    return value


def said(work: Any, text: str) -> str:
    """The result's repr, which tells 1 from 1.0, -0.0 from 0.0 and the order of names."""
    try:
        return repr(work(text))
    except ValueError:
        return "refused"


@given(nasty_texts)
def test_json_is_read_as_the_standard_library_reads_it(text: str) -> None:
    assert said(parse_json, text) == said(standard, text)


@pytest.mark.parametrize("value", NASTY)
def test_each_nasty_value_is_read_as_the_standard_library_reads_it(value: str) -> None:
    for text in (value, f"[{value}]", f'{{"a": {value}, "b": 2.0}}', f'{{"a": {{"a": [1, {value}]}}}}', f"{value} x"):
        assert said(parse_json, text) == said(standard, text)
        check_object(text)


@given(nasty_texts)
def test_an_object_read_fast_is_the_one_read_slowly(text: str) -> None:
    check_object(text)


def check_object(text: str) -> None:
    """The fast way says what the slow one says, or nothing."""
    found = parse_object(text)
    try:
        value = standard(text)
        slow = value, canonical_json(value)
        slow[1].encode()
    except ValueError:
        assert found is None
        return
    assert found is None or (isinstance(value, dict) and repr(found) == repr(slow))
    assert parse_arguments(text) == ((value, "json") if isinstance(value, dict) else (None, "unparsed"))


def test_objects_without_long_numbers_are_read_fast() -> None:
    """What calls mostly are, lest the fast way is lost without notice."""
    for text in ('{"id": "#W1", "n": 3, "on": true, "x": null}', '{"ids": ["1", "2"], "p": {"a": 2.0}}', '{"a": 12.5}'):
        assert parse_object(text) is not None


@given(st.lists(st.text(max_size=3) | st.binary(max_size=600), max_size=4))
def test_a_hash_is_that_of_its_parts_one_after_another(parts: list[str | bytes]) -> None:
    digest = xxhash.xxh3_128()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    assert hash128(*parts) == digest.hexdigest()


@pytest.mark.parametrize(
    ("text", "parsed", "status"),
    [
        (None, {}, "empty"),
        ("  ", {}, "empty"),
        ("{}", {}, "json"),
        ('{"a": 12345678901234567890}', {"a": 12345678901234567890}, "json"),
        ('{"ids": "[1, 2]"}', {"ids": "[1, 2]"}, "json"),
        ("{'ids': '[1, 2]'}", {"ids": [1, 2]}, "literal"),
        ("{'ids': \"['#W1', ('a', None)]\"}", {"ids": ["#W1", ["a", None]]}, "literal"),
        ("{'o': \"{'k': True}\", 's': '[not a list'}", {"o": {"k": True}, "s": "[not a list"}, "literal"),
        ("{'pair': (1, 2), 'text': '(1)'}", {"pair": [1, 2], "text": "(1)"}, "literal"),
        ("{'a': '123', 'b': 'None'}", {"a": "123", "b": "None"}, "literal"),
    ],
)
def test_arguments(text: str | None, parsed: Any, status: str) -> None:
    assert parse_arguments(text) == (parsed, status)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[1, 2]",
        '"text"',
        '{"a": NaN}',
        '{"a": 1e999}',
        "{'a': 1e999}",
        "{'a': {1, 2}}",
        "{'a': b'x'}",
        "{1: 'a'}",
        "{'a': {1: 2}}",
        "{'a': '{1: 2}'}",
        "{'a': __import__('os').getcwd()}",
        '{"a": "\\ud800"}',
        r"{'a': '\ud800'}",
        "{'a': " + "[" * 500 + "]" * 500 + "}",
        "{" * 100_000,
        "\x00",
    ],
)
def test_arguments_that_stay_unparsed(text: str) -> None:
    assert parse_arguments(text) == (None, "unparsed")


@given(st.text())
def test_no_text_crashes_the_argument_parser(text: str) -> None:
    parsed, status = parse_arguments(text)
    assert (parsed is None) == (status == "unparsed")
    if parsed is not None:
        canonical_json(parsed).encode()


@given(st.dictionaries(st.text(), values, max_size=4))
def test_json_and_repr_of_one_object_parse_alike(value: dict[str, Any]) -> None:
    assert parse_arguments(json.dumps(value)) == (value, "json")
    parsed, status = parse_arguments(repr(value))
    if status == "literal" and not any(isinstance(item, str) for item in value.values()):
        assert parsed == value


def test_literals_keep_their_strings() -> None:
    assert parse_literal("{'arguments': '{\"a\": 1}'}") == {"arguments": '{"a": 1}'}
    assert parse_literal("[('a', 1)]") == [["a", 1]]
    assert parse_literal("1e999") is None
    assert parse_literal("{1}") is None


def test_json_object_is_for_objects_only() -> None:
    assert json_object('{"a": 1}') == {"a": 1}
    assert [json_object(text) for text in (None, "", "[1]", "{broken", "3")] == [None] * 5


def test_levels_are_counted_exactly_at_every_depth() -> None:
    deep: Any = 1
    for depth in range(1, 300):
        deep = [deep] if depth % 2 else {"a": deep}
        assert deeper_than(deep, MAX_DEPTH) == (depth > MAX_DEPTH)
        assert deeper_than(deep, 254) == (depth > 254)
