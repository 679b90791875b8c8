"""From the flags to requests: names, addresses, keys, bodies."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from curate.errors import UsageError
from synth.settings import ModelSettings, PaceSettings
from synth.teachers.apis import make_api
from synth.teachers.asks import Prompt

PROMPT = Prompt("Explain the step.", ("The dialogue.", "The action."))


def api(teacher="openai:m", environ=None, asking=False, **model):
    return make_api(teacher, ModelSettings(**model), PaceSettings(), environ or {}, asking=asking)


def openai_body(prompt=PROMPT, **model):
    return api(**model).body(prompt)


def anthropic_body(prompt=PROMPT, **model):
    return api("anthropic:m", **model).body(prompt)


def test_the_body_for_chat_completions():
    messages = [
        {"role": "system", "content": "Explain the step."},
        {"role": "user", "content": "The dialogue.\n\nThe action."},
    ]
    assert openai_body() == {"model": "m", "messages": messages, "max_completion_tokens": 1024}
    extra = '{"chat_template_kwargs": {"enable_thinking": false}}'
    assert openai_body(
        base_url="http://127.0.0.1:8000/v1", temperature=0.0, effort="low", extra_body=extra, max_tokens=300
    ) == {
        "model": "m",
        "messages": messages,
        "max_tokens": 300,
        "temperature": 0.0,
        "reasoning_effort": "low",
        "chat_template_kwargs": {"enable_thinking": False},
    }


def test_the_name_of_the_limit_goes_by_the_server_unless_it_is_given():
    assert "max_completion_tokens" in openai_body(base_url="https://api.openai.com/v1")
    assert "max_completion_tokens" in openai_body(base_url="https://eu.api.openai.com/v1/")
    assert "max_tokens" in openai_body(base_url="https://api.openai.com.example.org/v1")
    assert "max_tokens" in openai_body(max_tokens_field="max_tokens")
    given = openai_body(base_url="http://vllm:8000/v1", max_tokens_field="max_completion_tokens")
    assert "max_tokens" not in given and given["max_completion_tokens"] == 1024


def test_the_body_for_messages():
    assert anthropic_body() == {
        "model": "m",
        "max_tokens": 1024,
        "system": [{"type": "text", "text": "Explain the step."}],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "The dialogue."}, {"type": "text", "text": "The action."}],
            }
        ],
        "thinking": {"type": "disabled"},
    }
    body = anthropic_body(effort="low", temperature=1.0, extra_body='{"service_tier": "standard_only"}')
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "low"})
    assert (body["temperature"], body["service_tier"]) == (1.0, "standard_only")


def test_the_dialogue_so_far_is_marked_for_the_cache_and_the_action_is_not():
    mark = {"type": "ephemeral"}
    blocks = anthropic_body(Prompt("s", ("a", "b", "c")), cache_prompts=True)["messages"][0]["content"]
    assert [block.get("cache_control") for block in blocks] == [None, mark, None]
    alone = anthropic_body(Prompt("s", ("a",)), cache_prompts=True)
    assert alone["system"][0]["cache_control"] == mark and "cache_control" not in alone["messages"][0]["content"][0]
    assert "cache_control" not in json.dumps(anthropic_body())


@pytest.mark.parametrize(
    ("limit", "answers", "most"), [(1024, 1, 1024), (1024, 8, 8192), (1024, 40, 16_000), (20_000, 3, 20_000)]
)
def test_several_thoughts_may_take_several_times_as_long(limit, answers, most):
    prompt = Prompt("s", ("p",), answers)
    assert openai_body(prompt, max_tokens=limit)["max_completion_tokens"] == most
    assert anthropic_body(prompt, max_tokens=limit)["max_tokens"] == most


@pytest.mark.parametrize("make", [openai_body, anthropic_body])
def test_bodies_are_the_same_each_time_and_the_callers_own(make):
    first = make(extra_body='{"a": {"b": 1}, "top_p": 0.5}')
    second = make(extra_body='{"a": {"b": 1}, "top_p": 0.5}')
    assert json.dumps(first) == json.dumps(second)
    shared = api("openai:m", extra_body='{"a": {"b": 1}}')
    shared.body(PROMPT)["a"]["b"] = 2
    assert shared.body(PROMPT)["a"] == {"b": 1}


def test_names_never_hold_an_address():
    assert api("openai:Qwen/Qwen3-8B", base_url="http://10.0.0.7:8000/v1").name == "openai:Qwen/Qwen3-8B"
    assert api("anthropic:claude-sonnet-4-5").name == "anthropic:claude-sonnet-4-5"
    assert api("openai:llama3:8b").body(PROMPT)["model"] == "llama3:8b"


REFUSED = {
    "no vendor": ({"teacher": "gpt-5"}, "--teacher must be"),
    "another vendor": ({"teacher": "mistral:large"}, "--teacher must be"),
    "no model": ({"teacher": "openai:"}, "--teacher must be"),
    "an address": ({"teacher": "openai:http://h/v1"}, "--teacher must be"),
    "a line": ({"teacher": "openai:a\nb"}, "--teacher must be"),
    "no URL": ({"base_url": "http://["}, "--base-url"),
    "no scheme": ({"base_url": "127.0.0.1:8000"}, "--base-url"),
    "another scheme": ({"base_url": "file:///etc/passwd"}, "--base-url"),
    "no host": ({"base_url": "http:///v1"}, "--base-url"),
    "bad port": ({"base_url": "http://h:99999/v1"}, "--base-url"),
    "a password": ({"base_url": "http://me:hunter2@h/v1"}, "--base-url must hold no user"),
    "a key": ({"base_url": "http://h/v1?key=hunter2"}, "--base-url must hold no user"),
    "a break": ({"base_url": "http://h/v1\r\nx: y"}, "--base-url"),
    "no JSON": ({"extra_body": "{'a': 1}"}, "--extra-body is no JSON"),
    "a list": ({"extra_body": "[1]"}, "--extra-body must be a JSON object"),
    "messages": ({"extra_body": '{"messages": []}'}, "--extra-body must not set messages"),
    "the model": ({"extra_body": '{"top_p": 1, "model": "x"}'}, "--extra-body must not set model"),
    "a stream": ({"extra_body": '{"stream": true}'}, "--extra-body must not set stream"),
    "the limit": ({"extra_body": '{"max_tokens": 99999}'}, "--extra-body must not set max_tokens"),
    "many answers": ({"extra_body": '{"n": 8}'}, "--extra-body must not set n"),
    "too long": ({"teacher": "anthropic:m", "max_tokens": 21_334}, "--max-tokens must be at most 21,333"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_right_is_refused_by_its_flag(case):
    settings, words = REFUSED[case]
    with pytest.raises(UsageError) as caught:
        api(**settings)
    assert words in str(caught.value) and "hunter2" not in str(caught.value)


def test_a_key_is_needed_for_asking_the_vendor_alone():
    for teacher, variable in (("openai:m", "OPENAI_API_KEY"), ("anthropic:m", "ANTHROPIC_API_KEY")):
        with pytest.raises(UsageError, match=variable):
            api(teacher, asking=True)
        with pytest.raises(UsageError, match=variable):
            api(teacher, {variable: "  "}, asking=True)
        other = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"} - {variable}
        with pytest.raises(UsageError, match=variable):
            api(teacher, dict.fromkeys(other, "sk-other"), asking=True)
        assert api(teacher, {variable: "sk-1"}, asking=True).name == teacher
        assert api(teacher, asking=True, base_url="http://127.0.0.1:8000/v1").name == teacher
        assert api(teacher, asking=False).body(PROMPT)["model"] == "m"


def test_making_an_api_loads_no_sdk():
    code = (
        "import sys\n"
        "from synth.settings import ModelSettings, PaceSettings\n"
        "from synth.teachers.apis import make_api\n"
        "for name in ('openai:m', 'anthropic:m'):\n"
        "    api = make_api(name, ModelSettings(), PaceSettings(), {}, asking=False)\n"
        "    api.parse({})\n"
        "print(sorted({'openai', 'anthropic', 'httpx2', 'aiohttp', 'pydantic'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
