from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curate.env import EnvRules
from curate.normalise import Input, normalise
from curate.readers.files import read_records
from curate.readers.messages import openai_messages
from curate.readers.tau_bench import TauBench
from curate.trajectory import Message, Trajectory
from curate.turns import ending, recorded_thought, result_failed, turn_kind

AIRLINE, RETAIL, CODE = "tau_bench_airline_gpt4o", "tau_bench_retail_gpt4o", "tau_bench_retail_code_agent"

# (row, message_index) of every turn with text beside a call in the two gpt-4o files.
BESIDE_A_CALL: dict[str, str] = {
    AIRLINE: """
        3:24 5:4 7:12 13:30,36,40 17:4,8,16,24 21:4 22:14 25:10 27:18 30:24 33:56,58,60 34:4 36:2 40:4 49:4
        50:6 52:4,52 56:4 62:4 67:4 73:4,8 75:10,14 78:4 80:24,30 85:6 87:10 90:18 91:4,8,12 99:4 103:20 107:4
        109:36 111:24,30,32,34 115:8 117:6,12 118:4,14 122:4,10 123:4,8,20 127:4,16 129:4 133:4,8,18,50 135:4
        136:4 138:8 139:6 147:4 150:26 153:18 156:4,12 160:10,32 163:22 171:4 177:30 178:4 183:8,26 184:4
        185:6 187:6 188:12 191:4,8 196:52
    """,
    RETAIL: """
        13:16 20:20 21:18 22:16 23:40 24:14 27:20 28:10 33:8 34:18,20,22,24 36:12,42 54:16 63:26 66:6 69:6
        76:22 85:10 91:30 96:20,30
    """,
}
ANALYSIS = {AIRLINE: {(111, 32), (139, 6), (184, 4)}, RETAIL: {(34, 18), (36, 42)}}


def rows(path: Path) -> list[Trajectory]:
    reader, given = TauBench(), Input(str(path), path.name)
    return [normalise(reader.convert(item.value), item.value, item.row, given) for item in read_records(path)]


@pytest.fixture(scope="module")
def real(shared: Path) -> dict[str, list[Trajectory]]:
    return {name: rows(shared / f"{name}.json.gz") for name in (AIRLINE, RETAIL, CODE)}


def places(text: str) -> set[tuple[int, int]]:
    """`12:4,6` -> {(12, 4), (12, 6)}."""
    pairs = (word.split(":") for word in text.split())
    return {(int(row), int(index)) for row, indices in pairs for index in indices.split(",")}


@pytest.mark.parametrize("name", [AIRLINE, RETAIL])
def test_all_114_texts_beside_a_call(real: dict[str, list[Trajectory]], name: str) -> None:
    found = {
        (row["source_row"], index): turn_kind(message)
        for row in real[name]
        for index, message in enumerate(row["messages"])
        if message["role"] == "assistant" and message["tool_calls"] and (message["content"] or "").strip()
    }
    assert found == {
        place: "analysis" if place in ANALYSIS[name] else "announce" for place in places(BESIDE_A_CALL[name])
    }


def test_there_are_114_of_them() -> None:
    assert [len(places(text)) for text in BESIDE_A_CALL.values()] == [90, 24]


def test_kinds_of_the_airline_file(real: dict[str, list[Trajectory]]) -> None:
    kinds = Counter(turn_kind(m) for row in real[AIRLINE] for m in row["messages"] if m["role"] == "assistant")
    assert kinds == {"final": 1290, "silent": 1074, "announce": 87, "analysis": 3}


@pytest.mark.parametrize(
    ("name", "endings"),
    [
        (AIRLINE, {"stop": 147, "terminal": 48, "incomplete": 5}),
        (RETAIL, {"stop": 92, "terminal": 7, "incomplete": 1}),
        (CODE, {"stop": 90, "terminal": 5, "incomplete": 5}),
    ],
)
def test_endings_of_the_real_files(real: dict[str, list[Trajectory]], name: str, endings: dict[str, int]) -> None:
    assert Counter(ending(row["messages"]) for row in real[name]) == endings


def test_where_the_airline_file_ends(real: dict[str, list[Trajectory]]) -> None:
    assert Counter(row["messages"][-1]["role"] for row in real[AIRLINE]) == {"user": 149, "tool": 51}


@pytest.mark.parametrize(("name", "failed"), [(AIRLINE, 73), (RETAIL, 34), (CODE, 34)])
def test_failed_calls_of_the_real_files(real: dict[str, list[Trajectory]], name: str, failed: int) -> None:
    assert sum(result_failed(m) for row in real[name] for m in row["messages"] if m["role"] == "tool") == failed


def read(*items: dict[str, Any]) -> list[Message]:
    return openai_messages(list(items)).messages


def called(*names: str, content: str | None = None, arguments: str = "{}") -> dict[str, Any]:
    calls = [{"id": str(n), "function": {"name": name, "arguments": arguments}} for n, name in enumerate(names)]
    return {"role": "assistant", "content": content, "tool_calls": calls}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, "silent"),
        (" \n", "silent"),
        ("It seems the order is still pending, so the address must be checked first.", "analysis"),
        ("The policy allows it if the flight is not flown.", "analysis"),
        ("Looking up the order.", "announce"),  # no cue of reasoning
        ("It seems your order is pending.", "announce"),
        ("I need to check this first. Is that right?", "announce"),
        ("I apologize, this seems wrong.", "announce"),
        ("I will proceed with the refund, since the policy allows it.", "announce"),
        ("Let me book it, because it is cheapest.", "announce"),
    ],
)
def test_text_beside_a_call(text: str | None, kind: str) -> None:
    assert turn_kind(read(called("get_order", content=text))[0]) == kind


def test_text_without_a_call_is_final() -> None:
    assert turn_kind(read({"role": "assistant", "content": "It seems so."})[0]) == "final"


@pytest.mark.parametrize(
    ("content", "flag", "failed"),
    [
        ("Error: no such order", None, True),
        ('# var_3 = "Error: no such order"', None, True),
        ("Errors were found: none", None, False),
        ("No Error here", None, False),
        ('{"error": "gone"}', None, True),
        ('{"error": null, "ok": 1}', None, False),
        ('{"rows": [{"error": "inner"}]}', None, False),
        ('["error"]', None, False),
        ('{"error": broken', None, False),
        ("fine", True, True),
        ("", None, False),
        (None, None, False),
    ],
)
def test_failed_results(content: str | None, flag: bool | None, failed: bool) -> None:
    assert result_failed(read({"role": "tool", "content": content, "is_error": flag})[0]) is failed


def test_the_users_regex_of_failures() -> None:
    message = read({"role": "tool", "content": "FAIL 12"})[0]
    assert not result_failed(message)
    assert result_failed(message, EnvRules(failed="^FAIL"))


ANSWER = {"role": "tool", "tool_call_id": "0", "content": "ok"}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], "incomplete"),
        ([{"role": "assistant", "content": "bye"}], "final"),
        ([{"role": "user", "content": "thanks ###STOP###"}], "stop"),
        ([{"role": "user", "content": "thanks"}], "incomplete"),
        ([called("get_order")], "truncated"),
        ([called("get_order"), ANSWER], "incomplete"),
        ([called("get_order", "get_user"), ANSWER], "truncated"),
        ([called("transfer_to_human_agents"), ANSWER], "terminal"),
        ([called("transfer_to_human_agents")], "truncated"),
        ([{"role": "tool", "content": "stray"}], "incomplete"),
        ([{"role": "system", "content": "###STOP###"}], "incomplete"),
    ],
)
def test_endings(messages: list[dict[str, Any]], expected: str) -> None:
    assert ending(read(*messages)) == expected


def test_the_users_word_on_endings() -> None:
    rules = EnvRules(stop="^DONE$", kinds={"hang_up": "terminal"})
    assert ending(read({"role": "user", "content": "DONE"}), rules) == "stop"
    assert ending(read({"role": "user", "content": "###STOP###"}), rules) == "incomplete"
    assert ending(read(called("hang_up"), ANSWER), rules) == "terminal"


def test_a_think_tools_thought() -> None:
    thought = '{"thought": "The order is late.", "n": 1}'
    assert recorded_thought(read(called("think", arguments=thought))[0]) == "The order is late."
    assert recorded_thought(read(called("mcp-think", arguments=thought))[0]) == "The order is late."
    assert recorded_thought(read(called("rethink_order", arguments=thought))[0]) is None
    assert recorded_thought(read(called("think"))[0]) is None
    assert recorded_thought(read(called("think", arguments="broken"))[0]) is None
