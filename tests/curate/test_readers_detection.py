"""Each format knows its own files, takes no other's, and turns hostile records into named rejects."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.errors import InputError, RecordError
from curate.normalise import Input, normalise
from curate.readers.files import read_records
from curate.readers.raw import Format, RawRecord
from curate.readers.registry import FORMATS, describe_detection, detect, ranking

TRACES = Path(__file__).parent / "traces"
OWN = {
    "anthropic.json": "anthropic",
    "apigen_mt.json": "sharegpt",
    "openai_chat.jsonl": "openai_chat",
    "otel_console.jsonl": "otel_genai",
    "otel_otlp.jsonl": "otel_genai",
    "sharegpt.jsonl": "sharegpt",
    "sts.jsonl": "sts",
    "swe_agent.traj": "swe_agent",
    "swe_agent_history.json": "swe_agent",
    "swe_agent_nebius.jsonl": "swe_agent",
    "tau2_bench.json": "tau2_bench",
    "tau_bench.json": "tau_bench",
    "toolathlon.jsonl": "toolathlon",
    "toucan.jsonl": "toucan",
    "toucan_sft.jsonl": "toucan_sft",
    "xlam.json": "xlam",
}


def test_every_format_has_a_file_and_every_file_a_format() -> None:
    assert {path.name for path in TRACES.iterdir()} == OWN.keys()
    assert set(OWN.values()) == FORMATS.keys()


@pytest.mark.parametrize("name", OWN)
def test_each_file_is_of_its_own_format_and_of_no_other_as_surely(name: str) -> None:
    records = list(read_records(TRACES / name))
    (first, sure), *others = ranking(records)
    assert (first, detect(records, name)[0].name) == (OWN[name], OWN[name])
    assert sure >= 0.8
    assert all(sure - other >= 0.1 for _, other in others)


@pytest.mark.parametrize("name", OWN)
def test_each_record_alone_is_of_its_files_format(name: str) -> None:
    for record in read_records(TRACES / name):
        assert record.value.get("type") == "note" or ranking([record])[0][0] == OWN[name]


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [{"role": "user", "content": "x"}], "tools": [], "system": ""},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"messages": [{"role": "user", "content": "x"}], "uuid": "u", "question": "q", "target_tools": ["f"]},
        {"messages": [{"role": "user", "content": "x"}], "query": "q", "answer": "a", "passed": True},
        {"messages": [{"role": "user", "content": "x"}], "task_id": "t", "reward": 1.0, "trajectory": None},
        {"messages": [], "tools": []},
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "x"}], "system": "s"},
        {
            "messages": [{"role": "user", "content": "x"}],
            "system": "s",
            "tools": [{"type": "function", "function": {"name": "f"}}],
        },
        {"messages": '[{"role": "user", "content": "x"}]'},
    ],
)
def test_chat_records_of_other_sets_fall_to_openai_chat(record: dict[str, Any]) -> None:
    reader, _ = detect([RawRecord(0, record)], "f")
    assert reader.name == "openai_chat"
    reader.convert(record)


def test_the_choice_in_words() -> None:
    records = list(read_records(TRACES / "anthropic.json"))
    assert describe_detection(records) == "anthropic (sure .97; next openai_chat .80)"
    assert describe_detection(list(read_records(TRACES / "xlam.json"))) == "xlam (sure .95)"
    assert describe_detection([RawRecord(0, 3), RawRecord(1, problem="not_json")]) == "no known format"
    with pytest.raises(InputError, match="no known format"):
        detect([RawRecord(0, {"type": ["session"]})], "f")


leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=5) | st.sampled_from(["[1]", '{"a": 1}', "[{}]", "[" * 9, '["\\ud800"]', "9" * 30, "user"])
anything = st.recursive(
    leaf | texts, lambda v: st.lists(v, max_size=2) | st.dictionaries(texts, v, max_size=2), max_leaves=6
)


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a value, the inside of JSON texts left alone."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in pairs for found in [(value, key), *spots(item)]]


changes = st.lists(st.tuples(st.integers(0, 10**6), st.booleans(), anything), min_size=1, max_size=2)


@settings(max_examples=800, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 10**6), made=changes)
def test_a_record_changed_anywhere_is_read_or_rejected_by_name(
    trace_records: Callable[[], list[tuple[str, Format, RawRecord]]], number: int, made: list[tuple[int, bool, Any]]
) -> None:
    records = trace_records()
    name, reader, record = records[number % len(records)]
    value = copy.deepcopy(record.value)
    opened = []
    for key, text in value.items():  # columns of JSON text are opened, changed, and closed again
        if isinstance(text, str) and text.startswith(("[{", "{")):
            value[key] = json.loads(text)
            opened.append(key)
    for spot, drop, new in made:
        places = spots(value) or [(value, "messages")]
        container, key = places[spot % len(places)]
        if drop and isinstance(container, dict):
            container.pop(key, None)
        else:
            container[key] = copy.deepcopy(new)
    for key in opened:
        value[key] = json.dumps(value[key]) if key in value else None
    check(reader, value, name)


@settings(max_examples=300)
@given(
    value=st.dictionaries(st.sampled_from("messages trajectory history spans session answers query".split()), anything)
)
def test_any_object_is_read_or_rejected_by_every_format(value: dict[str, Any]) -> None:
    for name, reader in FORMATS.items():
        assert 0 <= reader.matches(value) <= 1
        check(reader, value, name)


def check(reader: Format, value: dict[str, Any], name: str) -> None:
    try:
        row = normalise(reader.convert(value), value, 0, Input(name, "f"))
    except RecordError as error:
        assert error.reason
        assert error.detail
    else:
        orjson.dumps(row)  # what a row holds can be written down


@settings(max_examples=200)
@given(values=st.lists(anything | st.builds(lambda v: {"type": "session", "message": v}, anything), max_size=5))
def test_no_record_stops_an_assembly(values: list[Any]) -> None:
    records = [RawRecord(row, value) for row, value in enumerate(values)] + [RawRecord(len(values), problem="not_json")]
    for name, reader in FORMATS.items():
        assemble = reader.assemble
        if assemble is None:
            continue
        found = list(assemble(iter(records)))
        assert [record.row for record in found] == list(range(len(found)))
        assert [record.problem for record in found if record.problem] == ["not_json"]
        for record in found:
            if isinstance(record.value, dict):
                check(reader, record.value, name)


@pytest.mark.parametrize("name", sorted(set(OWN.values())))
def test_a_megabyte_of_anything_takes_no_time(name: str) -> None:
    for text in ("<think>" * 150_000, "```" * 300_000, "[" * 1_000_000, "{'name': " * 100_000, "\\" * 1_000_000):
        item = {"role": "assistant", "content": text, "text": text, "from": "gpt", "value": text, "action": text}
        steps = [{"thought": text, "action": text, "observation": text}]
        value = {"messages": [item], "conversations": [item], "traj": [item], "trajectory": steps, "query": text}
        check(FORMATS[name], value | {"answers": text, "tools": text, "session": {}, "spans": []}, name)
