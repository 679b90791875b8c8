from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from curate.pairing import mark_pairs, pair_calls
from curate.readers.messages import openai_messages
from curate.trajectory import Message


def call(name: str, call_id: str | None = None) -> dict[str, Any]:
    return {"id": call_id, "function": {"name": name, "arguments": "{}"}}


def calls(*items: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": list(items)}


def result(call_id: str | None = None, name: str | None = None) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "name": name, "content": "ok"}


def read(*items: dict[str, Any]) -> list[Message]:
    return openai_messages(list(items)).messages


def answers(messages: list[Message]) -> list[tuple[int | None, str | None]]:
    return [(pair.result_index, pair.by) for pair in pair_calls(messages)]


def test_by_id_also_out_of_order() -> None:
    assert answers(read(calls(call("a", "1"), call("b", "2")), result("2"), result("1"))) == [(2, "id"), (1, "id")]


def test_ids_that_start_anew_each_turn() -> None:
    turn = [calls(call("a", "0"), call("a", "1")), result("0"), result("1")]
    assert answers(read(*turn, *turn)) == [(1, "id"), (2, "id"), (4, "id"), (5, "id")]


def test_one_id_twice_in_a_turn() -> None:
    assert answers(read(calls(call("a", "x"), call("b", "x")), result("x"), result("x"))) == [(1, "id"), (2, "id")]


def test_a_late_result_finds_its_turn_by_id() -> None:
    messages = read(
        calls(call("a", "1")), calls(call("b", "2")), result("2"), {"role": "user", "content": "?"}, result("1")
    )
    assert answers(messages) == [(4, "id"), (2, "id")]


def test_without_ids_in_order_within_the_turn() -> None:
    assert answers(read(calls(call("a"), call("b")), result(), result())) == [(1, "order"), (2, "order")]


def test_without_ids_a_name_goes_before_the_order() -> None:
    messages = read(calls(call("a"), call("b"), call("a")), result(None, "b"), result(None, "a"), result(None, "a"))
    assert answers(messages) == [(2, "order"), (1, "order"), (3, "order")]


def test_a_result_without_id_never_answers_an_older_turn() -> None:
    messages = read(calls(call("a")), calls(call("b")), result(), result())
    assert answers(messages) == [(None, None), (2, "order")]


def test_a_result_with_an_id_answers_a_call_recorded_without() -> None:
    assert answers(read(calls(call("a")), result("made_up"))) == [(1, "order")]


def test_a_wrong_id_or_name_answers_nothing() -> None:
    assert answers(read(calls(call("a", "1")), result("2"))) == [(None, None)]
    assert answers(read(calls(call("a")), result(None, "b"))) == [(None, None)]


def test_marks() -> None:
    messages = read(result("0"), calls(call("a", "1"), call("b", "2")), result("1"), result("9"), {"role": "user"})
    mark_pairs(messages)
    assert [message["pair_status"] for message in messages] == ["unpaired", "missing", "id", "unpaired", None]


@given(st.permutations(range(5)))
def test_any_order_of_results_with_ids_gives_the_same_pairs(order: list[int]) -> None:
    messages = read(calls(*(call("t", str(n)) for n in range(5))), *(result(str(n)) for n in order))
    for pair in pair_calls(messages):
        assert pair.result_index is not None
        assert messages[pair.result_index]["tool_call_id"] == pair.call["id"]


one_call = st.tuples(st.sampled_from("ab"), st.none() | st.sampled_from("012"))
steps = st.lists(
    st.lists(one_call, max_size=3).map(lambda items: calls(*(call(*item) for item in items)))
    | st.tuples(st.none() | st.sampled_from("012"), st.none() | st.sampled_from("ab")).map(lambda item: result(*item)),
    max_size=10,
)


@given(steps)
def test_no_result_answers_two_calls_nor_one_before_itself(items: list[dict[str, Any]]) -> None:
    messages = read(*items)
    pairs = mark_pairs(messages)
    used = [pair.result_index for pair in pairs if pair.result_index is not None]
    assert len(used) == len(set(used))
    assert all(pair.result_index > pair.message_index for pair in pairs if pair.result_index is not None)
    unpaired = {index for index, message in enumerate(messages) if message["pair_status"] == "unpaired"}
    assert unpaired == {i for i, message in enumerate(messages) if message["role"] == "tool"} - set(used)
