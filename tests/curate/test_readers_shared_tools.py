"""Tools that records share change how fast they are read, never what comes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.canonical import KnownList, canonical_json
from curate.normalise import Input, normalise
from curate.readers.files import parse_record
from curate.readers.openai_chat import OpenAIChat
from curate.readers.shared_tools import ToolsMemory

TOOLS = [{"name": "get", "parameters": {"b": 1.0, "a": [1e3, "],}"]}}, {"name": "put"}]
names = st.sampled_from(["tools", "a", "messages", "\0known\0"])
values = st.recursive(
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text() | st.just(TOOLS),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(names | st.text(), v, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(names, values, max_size=4), max_size=6), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_values_and_canonical_texts_are_the_same(records: list[dict[str, Any]], separators: tuple[str, str]) -> None:
    memory = ToolsMemory()
    for record in records:
        raw = json.dumps(record, separators=separators, ensure_ascii=False).encode()
        plain, shared = parse_record(0, raw), parse_record(0, raw, memory)
        assert shared == plain
        if plain.problem is None:
            assert canonical_json(shared.value, finite=True) == canonical_json(plain.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"x": {"tools": TOOLS}}',
        '{"x": {"tools": TOOLS}, "tools": null}',
        '{"tools": TOOLS, "tools": TOOLS}',
        '{"tools": TOOLS, "tools": null}',
        '{"tools" : TOOLS}',
        '{"tools": TOOLS_and_more}',
        '{"tools": TOOLS, "x": "a \\"tools\\": b"}',
        '["tools", TOOLS]',
        '"tools"',
        '{"tools": TOOLS',
    ],
)
def test_tools_in_odd_places(text: str) -> None:
    memory = ToolsMemory()
    assert parse_record(0, json.dumps({"tools": TOOLS}).encode(), memory).value == {"tools": TOOLS}
    raw = text.replace("TOOLS", json.dumps(TOOLS)).encode()
    assert parse_record(0, raw, memory) == parse_record(0, raw)


def test_records_that_repeat_their_tools_share_them() -> None:
    memory = ToolsMemory()
    raw = json.dumps({"messages": [{"role": "user", "content": "hi"}], "tools": TOOLS}).encode()
    found = [parse_record(n, raw, memory).value for n in range(3)]
    assert isinstance(found[1]["tools"], KnownList)
    assert found[1]["tools"] is found[2]["tools"]
    rows = [normalise(OpenAIChat().convert(value), value, 0, Input("x", "x")) for value in found]
    assert rows[0] == rows[1] == rows[2]


def test_equal_tools_in_another_order_keep_their_own_text() -> None:
    memory = ToolsMemory()
    texts = []
    for tool in ({"name": "get", "description": "d"}, {"description": "d", "name": "get"}):
        raw = json.dumps({"messages": [{"role": "user", "content": "hi"}], "tools": [tool]}).encode()
        for _ in range(2):
            value = parse_record(0, raw, memory).value
            texts.append(normalise(OpenAIChat().convert(value), value, 0, Input("x", "x"))["tools"])
    assert texts[0] == texts[1] != texts[2] == texts[3]
