"""Messages as an OpenAI-compatible server takes and gives them, from and to ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from curate.canonical import compact_json, parse_arguments, parse_json
from curate.trajectory import Message
from synth.teachers.openai_api import content_text
from train.chat_format import Form
from train.parsing import Said, SaidCall, called, parse_turn

THOUGHTS = ("reasoning_content", "reasoning")
"""Names under which servers give thinking beside the content: SGLang, DeepSeek and older vLLM; vLLM and gateways."""
_OPEN, _CLOSE = "<think>", "</think>"


def said_in(message: Mapping[str, Any]) -> tuple[Said, str | None]:
    """What a server's message says, and the name under which it gave thinking: None for inside the content.

    Calls that a server without a parser left in the content, as Hermes and Qwen3 write them, are read there.
    """
    text = _writable(content_text(message.get("content")))
    refusal = message.get("refusal")
    if not text and isinstance(refusal, str):
        text = _writable(refusal)
    given = next((name for name in THOUGHTS if isinstance(message.get(name), str) and message[name].strip()), None)
    before, closed, _ = text.partition(_CLOSE)  # a template may have opened the thinking in the prompt
    said = parse_turn(text, opened=bool(closed) and _OPEN not in before)
    thinking = _writable(str(message[given]).strip()) if given else said.thinking
    calls = tuple(_calls(message)) or said.calls
    return Said(thinking, said.closed, said.content, calls if said.closed else (), said.after_call), given


def _writable(text: str) -> str:
    """The text with a mark for half a surrogate pair, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


def wire_form(form: Form) -> dict[str, Any]:
    """A message of the published form as the server takes it."""
    sent = {name: value for name, value in form.items() if name not in ("tool_calls", "reasoning_content")}
    if form.get("tool_calls"):
        sent["tool_calls"] = [
            dict(call) | {"function": {**call["function"], "arguments": _sendable(call["function"]["arguments"])}}
            for call in form["tool_calls"]
        ]
    if form.get("reasoning_content"):
        sent |= dict.fromkeys(THOUGHTS, form["reasoning_content"])
    return sent


def wire_turn(turn: Message, given: str | None) -> dict[str, Any]:
    """A turn of this rollout as the server takes it; thinking goes back in the form in which it came."""
    sent: dict[str, Any] = {"role": "assistant", "content": turn["content"] or ""}
    thinking = turn["reasoning_content"]
    if thinking and given:
        sent[given] = thinking
    elif thinking:
        sent["content"] = f"{_OPEN}\n{thinking}\n{_CLOSE}\n\n{sent['content']}"
    if turn["tool_calls"]:
        sent["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": _sendable(call["arguments"])},
            }
            for call in turn["tool_calls"]
        ]
    return sent


def _sendable(arguments: Any) -> str:
    """Arguments as the text of a JSON object: servers decode it for their template, and refuse a dialogue with less."""
    if isinstance(arguments, Mapping):
        return compact_json(arguments)
    parsed, _ = parse_arguments(str(arguments))
    return json.dumps({"unparsed": arguments}, ensure_ascii=False) if parsed is None else compact_json(parsed)


def _calls(message: Mapping[str, Any]) -> Iterator[SaidCall]:
    given = message.get("tool_calls")
    for call in given if isinstance(given, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name.isprintable() or not name:
            yield SaidCall("", _raw(call), "a call names a function")
            continue
        arguments = function.get("arguments")
        yield _call(name, arguments)


def _call(name: str, arguments: Any) -> SaidCall:
    """A call whose arguments are the text of an object, as the API says, or one itself; none may be empty or null."""
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        arguments = {}
    if not isinstance(arguments, str):
        return called(name, arguments, _raw(arguments))
    try:
        return called(name, parse_json(arguments), arguments)
    except ValueError:
        return SaidCall(name, arguments, '"arguments" is not JSON')


def _raw(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
