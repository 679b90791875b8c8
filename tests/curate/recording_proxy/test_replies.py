"""A stream, however it was cut into pieces, says what the plain reply says."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import RecordError
from curate.recording_proxy.exchange import Exchange, decoded, dump, json_body, read_request
from curate.recording_proxy.message_keys import message_key
from curate.recording_proxy.replies import read_reply
from tests.curate.recording_proxy.stub_model import deltas, event

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
CALLS = st.lists(st.tuples(st.text("abc_", min_size=1, max_size=9), TEXT), max_size=3)


def sse(*events, done=True, **facts):
    chunks = [event({"id": "c1", "model": "m", "choices": [{"index": 0, **item}], **facts}) for item in events]
    return b"".join(chunks) + (b"data: [DONE]\n\n" if done else b"")


def without_empty(message):
    return {key: value for key, value in message.items() if value}


def one(body: bytes):
    return read_reply(body).choices[0]


@given(TEXT, TEXT, CALLS, st.integers(1, 7), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_stream_says_what_the_plain_reply_says(content, thought, calls, size, newline):
    message = {
        "role": "assistant",
        "content": content or None,
        "reasoning_content": thought,
        "tool_calls": [
            {"id": f"c{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for index, (name, arguments) in enumerate(calls)
        ],
    }
    stream = sse(*({"delta": delta} for delta in deltas(message, size)), {"delta": {}, "finish_reason": "stop"})
    plain = dump({"id": "c1", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    if not (content or thought or calls):
        for body in (stream, plain):
            with pytest.raises(RecordError, match="empty_reply"):
                read_reply(body)
        return
    streamed, whole = read_reply(stream.replace(b"\n", newline.encode())), read_reply(plain)
    assert without_empty(streamed.choices[0]) == without_empty(whole.choices[0])
    assert (streamed.finish_reasons, streamed.complete) == (whole.finish_reasons, whole.complete) == (["stop"], True)
    assert (streamed.model, streamed.request_id) == (whole.model, whole.request_id) == ("m", "c1")
    assert message_key(streamed.choices[0]) == message_key(whole.choices[0])


def call(**fields):
    return {"delta": {"tool_calls": [fields]}}


@pytest.mark.parametrize(
    "events",
    [
        # all fragments numbered 0: a new id starts a new call
        [
            call(index=0, id="a", function={"name": "f", "arguments": '{"x"'}),
            call(index=0, function={"arguments": ":1}"}),
            call(index=0, id="b", function={"name": "g", "arguments": "{}"}),
        ],
        # no numbers at all
        [
            call(id="a", function={"name": "f", "arguments": '{"x":1}'}),
            call(id="b", function={"name": "g", "arguments": "{}"}),
        ],
        # the name and the id with every fragment; arguments as an object
        [
            call(index=0, id="a", function={"name": "f", "arguments": '{"x"'}),
            call(index=0, id="a", function={"name": "f", "arguments": ":1}"}),
            call(index=1, id="b", function={"name": "g", "arguments": {}}),
        ],
        # interleaved
        [
            call(index=1, id="b", function={"name": "g"}),
            call(index=0, id="a", function={"name": "f", "arguments": '{"x"'}),
            call(index=1, function={"arguments": "{}"}),
            call(index=0, function={"arguments": ":1}"}),
        ],
    ],
)
def test_calls_of_servers_that_number_them_their_own_way(events):
    calls = one(sse(*events))["tool_calls"]
    assert sorted((item["id"], item["function"]["name"], item["function"]["arguments"]) for item in calls) == [
        ("a", "f", '{"x":1}'),
        ("b", "g", "{}"),
    ]
    assert {item["type"] for item in calls} == {"function"}


def test_what_a_stream_may_hold_beside_deltas():
    body = (
        b": keep-alive\n\nevent: message\nid: 4\n"
        + sse({"delta": {"content": "a"}}, done=False)
        + b"data: not json\n\n"
        + b'data: {"choices": null, "usage": {"total_tokens": 3}}\n\n'
        + b'data: {"id": "c2",\ndata: "choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}]}'
    )
    reply = read_reply(body)
    assert reply.choices == [{"role": "assistant", "content": "ab"}]
    assert (reply.usage, reply.complete) == ({"total_tokens": 3}, True)


@pytest.mark.parametrize("tail", [b"", b'data: {"choices": [{"ind', b'data: {"error": {"message": "x"}}\n\n'])
def test_a_stream_without_its_end_is_incomplete(tail):
    reply = read_reply(sse({"delta": {"content": "a"}}, done=False) + tail)
    assert not reply.complete
    assert reply.choices[0]["content"] == "a"


def test_reasoning_refusals_legacy_calls_and_parts_are_kept():
    events = [
        {"delta": {"reasoning": "be"}},
        {"delta": {"reasoning": "cause", "refusal": "no"}},
        {"delta": {"function_call": {"name": "f", "arguments": "{"}}},
        {"delta": {"function_call": {"arguments": "}"}}},
        {"delta": {"content": [{"type": "thinking", "thinking": "hm"}]}},
        {"delta": {"content": "yes"}},
    ]
    assert one(sse(*events)) == {
        "role": "assistant",
        "reasoning": "because",
        "refusal": "no",
        "function_call": {"name": "f", "arguments": "{}"},
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}],
    }


def test_choices_by_their_index():
    body = b"".join(
        event({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": "stop"}]})
        for index, text in ((1, "b"), (0, "a"))
    )
    assert [choice["content"] for choice in read_reply(body).choices] == ["a", "b"]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_a_reason(body):
    for prefix in (b"", b"{", b"data: {", b'data: {"choices": [{"delta": '):
        try:
            read_reply(prefix + body)
        except RecordError as error:
            assert error.reason in ("not_json", "wrong_type", "empty_reply")


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", b"hello"),
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")[2:-4]),
        ("zstd", zstandard.compress(b"hello")),
        ("gzip, zstd", zstandard.compress(gzip.compress(b"hello", mtime=0))),
    ],
)
def test_encoded_bodies(encoding, packed):
    assert decoded(packed, encoding) == b"hello"


def test_bodies_that_cannot_be_decoded_have_a_reason(monkeypatch):
    with pytest.raises(RecordError, match="unknown_encoding"):
        decoded(b"x", "br")
    with pytest.raises(RecordError, match="damaged"):
        decoded(b"xxxx", "gzip")
    monkeypatch.setattr("curate.recording_proxy.exchange.MAX_DECODED", 1000)
    for packed, encoding in ((gzip.compress(b"0" * 10_000), "gzip"), (zstandard.compress(b"0" * 10_000), "zstd")):
        with pytest.raises(RecordError, match="too_large"):
            decoded(packed, encoding)


def test_a_request_gives_no_more_than_is_named():
    body = {"model": "m", "messages": [{"role": "user"}], "seed": 0, "top_p": None, "api_key": "k", "functions": [{}]}
    asked = read_request(Exchange(json.dumps(body).encode(), b"", 0, 0))
    assert (asked.model, asked.sampling) == ("m", {"seed": 0})
    assert asked.tools == [{"type": "function", "function": {}}]


def test_half_surrogates_and_long_integers_can_be_stored():
    value = {"text": "\ud83d", "number": 2**70}
    assert json.loads(dump(value)) == value
    assert json_body(b'{"text": "\\ud83d"}', "it") == {"text": "\ud83d"}
    assert message_key({"role": "user", "content": "\ud83d"})


@pytest.mark.parametrize(
    ("sent", "sent_back"),
    [
        ({"content": None}, {"content": ""}),
        ({"content": " hi\n"}, {"content": "hi", "refusal": None, "annotations": []}),
        ({"content": "hi", "reasoning_content": "x"}, {"content": "hi"}),
        ({"content": "<think>x</think>\n\nhi"}, {"content": "hi"}),
        ({"content": "hi"}, {"content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}),
        (
            {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{"x": 1, "y": 2}'}}]},
            {
                "content": "",
                "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{"y":2,"x":1}'}}],
            },
        ),
    ],
)
def test_replies_are_known_in_the_words_of_agents(sent, sent_back):
    assert message_key({"role": "assistant", **sent}) == message_key({"role": "assistant", **sent_back})


def test_replies_that_differ_are_different():
    call = {"id": "a", "function": {"name": "f", "arguments": '{"x": 1}'}}
    different = [
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "a", "tool_calls": [call]},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "assistant", "tool_calls": [call | {"id": "b"}]},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{"x": 2}'}}]},
        {"role": "assistant", "tool_calls": [call, call]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "1"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "y"}}]},
    ]
    assert len({message_key(message) for message in different}) == len(different)
