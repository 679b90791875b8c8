"""What the vendors' answers mean: `parse` takes any decoded JSON and never raises."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.settings import ModelSettings, PaceSettings
from synth.teachers.apis import make_api
from synth.teachers.asks import Usage

OPENAI = make_api("openai:m", ModelSettings(), PaceSettings(), {}, asking=False)
ANTHROPIC = make_api("anthropic:m", ModelSettings(), PaceSettings(), {}, asking=False)
ABSENT = object()


def chat(content="A thought.", finish="stop", usage=ABSENT, **message):
    """A chat completion."""
    body = {
        "id": "c",
        "object": "chat.completion",
        "model": "m-2026",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
        ],
    }
    return body if usage is ABSENT else {**body, "usage": usage}


def claude(*blocks, stop="end_turn", usage=ABSENT):
    """A Message."""
    content = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
    body = {"type": "message", "role": "assistant", "model": "m-2026", "content": content, "stop_reason": stop}
    return body if usage is ABSENT else {**body, "usage": usage}


CHATS = [
    (chat(), "ok", "A thought."),
    (chat("  A thought.\n"), "ok", "  A thought.\n"),
    (chat(finish="length"), "cut_off", "A thought."),
    (chat(finish="content_filter"), "refused", "A thought."),
    (chat(None, refusal="I cannot."), "refused", ""),
    (chat(None, "tool_calls", tool_calls=[{"id": "1"}]), "tool_call", ""),
    (chat("Text.", "stop", tool_calls=[{"id": "1"}]), "tool_call", "Text."),
    (chat("Text.", "stop", tool_calls=[]), "ok", "Text."),
    (chat("", finish="stop"), "empty", ""),
    (chat(" \n ", finish="stop"), "empty", " \n "),
    (chat(None, reasoning="Secret.", reasoning_content="Secret."), "empty", ""),
    (chat("A thought.", reasoning_content="Secret."), "ok", "A thought."),
    (chat("<think>\nLong.\n</think>\n\nA thought."), "ok", "A thought."),
    (chat("\n<think></think>A thought."), "ok", "A thought."),
    (chat("<think>Long, and"), "cut_off", ""),
    (chat("<think>Long, and", finish="length"), "cut_off", ""),
    (chat("<think>Long.</think> \n"), "empty", ""),
    (chat("I <think> so."), "ok", "I <think> so."),
    (chat("Long.\n</think>\n\nA thought."), "ok", "A thought."),  # the prompt ended with the opening tag
    (chat("Long.</think>\n"), "empty", ""),
    (chat("Long, and", finish="length"), "cut_off", "Long, and"),
    (chat("I <think>so</think> too."), "ok", "I <think>so</think> too."),
    (chat([{"type": "thinking", "text": "Secret."}, {"type": "text", "text": "A "}, {"type": "text", "text": "b."}]),
     "ok", "A b."),
    (chat(finish=None), "unfinished", None),
    (chat(finish="insufficient_system_resource"), "unfinished", None),
    (chat(finish=["stop"]), "unfinished", None),
    ({"error": {"message": "upstream failed"}}, "error_body", None),
    ({"error": "upstream failed", "choices": None}, "error_body", None),
    ({"choices": None}, "not_api", None),
    ({"choices": []}, "not_api", None),
    ({"choices": [None]}, "not_api", None),
    ({"choices": [{"finish_reason": "stop", "text": "completions"}]}, "not_api", None),
    ("<html>", "not_api", None),
    (None, "not_api", None),
]  # fmt: skip
MESSAGES = [
    (claude("A ", "thought."), "ok", "A thought."),
    (claude("A thought.", stop="stop_sequence"), "ok", "A thought."),
    (claude({"type": "thinking", "thinking": "Secret."}, "A thought."), "ok", "A thought."),
    (claude({"type": "thinking", "thinking": "Secret."}), "empty", ""),
    (claude(), "empty", ""),
    (claude("A tho", stop="max_tokens"), "cut_off", "A tho"),
    (claude("A tho", stop="model_context_window_exceeded"), "cut_off", "A tho"),
    (claude("No.", stop="refusal"), "refused", "No."),
    (claude({"type": "tool_use", "id": "1"}, stop="tool_use"), "tool_call", ""),
    (claude("A tho", stop="pause_turn"), "unfinished", None),
    (claude("A tho", stop=None), "unfinished", None),
    (claude("<think>x</think>A thought."), "ok", "A thought."),
    ({"type": "error", "error": {"type": "api_error", "message": "upstream failed"}}, "error_body", None),
    ({"type": "message", "content": "A thought.", "stop_reason": "end_turn"}, "not_api", None),
    ({"type": "completion", "content": []}, "not_api", None),
    ([], "not_api", None),
]


@pytest.mark.parametrize(("api", "cases"), [(OPENAI, CHATS), (ANTHROPIC, MESSAGES)], ids=["openai", "anthropic"])
def test_what_answers_mean(api, cases):
    for raw, code, text in cases:
        reply = api.parse(raw)
        assert (reply.code, reply.text) == (code, text), raw
        kind = {"ok": "ok", "unfinished": "again", "error_body": "again", "not_api": "again"}.get(code, "poor")
        assert reply.kind == kind and "Secret" not in repr(reply)
    assert "upstream failed" in api.parse({"error": {"message": "upstream failed"}}).detail


OPENAI_USAGE = [
    ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}, Usage(100, 20)),
    ({"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": None, "completion_tokens_details": None},
     Usage(100, 20)),
    ({"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 60,
      "cache_write_tokens": 30}, "completion_tokens_details": {"reasoning_tokens": 15}}, Usage(100, 20, 60, 30, 0, 15)),
    ({"prompt_tokens": 100, "completion_tokens": 20, "prompt_cache_hit_tokens": 70, "prompt_cache_miss_tokens": 30},
     Usage(100, 20, 70)),
    ({"prompt_tokens": 100.0, "completion_tokens": 20}, Usage(100, 20)),
    ({"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 900}},
     Usage(100, 20, 100)),
    (None, None), ([], None), ({"prompt_tokens": "100", "completion_tokens": 20}, None),
    ({"prompt_tokens": True, "completion_tokens": 20}, None), ({"prompt_tokens": -1, "completion_tokens": 20}, None),
    ({"prompt_tokens": 10**30, "completion_tokens": 20}, None), ({"prompt_tokens": 100}, None),
]  # fmt: skip
ANTHROPIC_USAGE = [
    ({"input_tokens": 100, "output_tokens": 20}, Usage(100, 20)),
    ({"input_tokens": 10, "output_tokens": 20, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60},
     Usage(100, 20, 60, 30)),
    ({"input_tokens": 10, "output_tokens": 20, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60,
      "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
      "output_tokens_details": {"thinking_tokens": 5}}, Usage(100, 20, 60, 10, 20, 5)),
    ({"input_tokens": 10, "output_tokens": 20, "cache_creation_input_tokens": None, "cache_read_input_tokens": None,
      "cache_creation": None, "output_tokens_details": None}, Usage(10, 20)),
    ({"output_tokens": 20}, None), (7, None),
]  # fmt: skip


def test_tokens_are_counted_in_the_same_terms_for_both():
    for counts, usage in OPENAI_USAGE:
        assert OPENAI.parse(chat(usage=counts)).usage == usage, counts
    for counts, usage in ANTHROPIC_USAGE:
        assert ANTHROPIC.parse(claude("A thought.", usage=counts)).usage == usage, counts


def test_what_was_not_counted_is_not_taken_for_free():
    assert OPENAI.parse(chat(usage=None)).billed == "unknown"
    assert OPENAI.parse(chat(usage={"prompt_tokens": 1, "completion_tokens": 1})).billed == "usage"
    assert ANTHROPIC.parse({"error": {}}).billed == "unknown"


KEYS = st.sampled_from(
    "choices message content finish_reason usage type text stop_reason model prompt_tokens completion_tokens error "
    "prompt_tokens_details cached_tokens input_tokens output_tokens cache_creation refusal tool_calls".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["stop", "message", "text", "<think>"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(VALUES)
def test_nothing_is_too_odd(raw):
    for api in (OPENAI, ANTHROPIC):
        before = copy.deepcopy(raw)
        reply = api.parse(raw)
        assert reply.kind in ("ok", "poor", "again")
        assert (reply.text is not None) == (reply.kind in ("ok", "poor"))
        assert reply.kind != "ok" or reply.text.strip()
        assert repr(raw) == repr(before)


@pytest.mark.parametrize("field", ["choices", "content", "usage", "model", "finish"])
@given(junk=VALUES)
def test_a_good_answer_with_one_odd_field(field, junk):
    raw = chat(usage={"prompt_tokens": 1, "completion_tokens": 1})
    if field == "content":
        raw["choices"][0]["message"]["content"] = junk
    elif field == "finish":
        raw["choices"][0]["finish_reason"] = junk
    else:
        raw[field] = junk
    assert OPENAI.parse(raw).kind in ("ok", "poor", "again")
