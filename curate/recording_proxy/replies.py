"""Replies of chat completions, plain or streamed: each choice becomes one assistant message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.canonical import compact_json
from curate.errors import RecordError
from curate.recording_proxy.exchange import json_body


@dataclass(slots=True)
class Reply:
    """What the model said.

    Attributes:
        choices: one assistant message each, by index.
        finish_reasons: of each choice; None where none came.
        complete: False for a stream that ended before its end.
    """

    choices: list[dict[str, Any]]
    finish_reasons: list[str | None]
    model: str | None = None
    request_id: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    complete: bool = True


def read_reply(body: bytes) -> Reply:
    """The reply of a chat completion, decoded; a stream is known by its first bytes, and may have been cut.

    Raises:
        RecordError: if it is none, e.g. an error sent with status 200; the message holds nothing of the body.
    """
    start = body[:64].lstrip()
    reply = _plain(json_body(body, "the reply")) if start.startswith(b"{") else _streamed(body)
    if not any(_says_something(choice) for choice in reply.choices):
        raise RecordError("empty_reply", "the reply holds no message")
    return reply


def _plain(body: Mapping[str, Any]) -> Reply:
    found = [choice for choice in _list(body.get("choices")) if isinstance(choice, dict)]
    found.sort(key=lambda choice: _index(choice, 0))
    messages = [choice["message"] for choice in found if isinstance(choice.get("message"), dict)]
    reply = Reply([_message(message) for message in messages], [_text(choice, "finish_reason") for choice in found])
    _note_facts(reply, body)
    return reply


def _message(given: Mapping[str, Any]) -> dict[str, Any]:
    """The message as sent, without the fields that say nothing."""
    said = {key: value for key, value in given.items() if value not in (None, [], {}) and key != "role"}
    return {"role": "assistant", "content": None} | said


def _streamed(body: bytes) -> Reply:
    choices: dict[int, _Choice] = {}
    reply = Reply([], [], complete=False)
    for data in _events(body):
        if data == b"[DONE]":
            reply.complete = True
            continue
        try:
            chunk = json_body(data, "a chunk")
        except RecordError:  # the tail of a stream that was cut, or what a gateway put between
            continue
        if "error" in chunk:
            break
        _note_facts(reply, chunk)
        for item in _list(chunk.get("choices")):
            if isinstance(item, dict):
                choices.setdefault(_index(item, 0), _Choice()).add(item)
    in_order = [choices[index] for index in sorted(choices)]
    reply.choices = [choice.message() for choice in in_order]
    reply.finish_reasons = [choice.finish_reason for choice in in_order]
    # Some servers never say [DONE].
    reply.complete = reply.complete or all(reason is not None for reason in reply.finish_reasons)
    return reply


def _events(body: bytes) -> Iterator[bytes]:
    """The data of each server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    pieces: list[bytes] = []
    for line in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            pieces.append(line[5:].removeprefix(b" "))
        elif not line and pieces:
            yield b"\n".join(pieces)
            pieces = []
    if pieces:
        yield b"\n".join(pieces)


class _Choice:
    """One choice of a stream, put together from its deltas."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self._fields: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        self._calls: list[dict[str, Any]] = []
        self._by_index: dict[int, dict[str, Any]] = {}

    def add(self, item: Mapping[str, Any]) -> None:
        """Take in one chunk's part of this choice."""
        self.finish_reason = _text(item, "finish_reason") or self.finish_reason
        delta = item.get("delta")
        for key, value in delta.items() if isinstance(delta, dict) else ():
            if value is None or key == "role":
                continue
            if key == "tool_calls":
                for part in _list(value):
                    if isinstance(part, dict):
                        _add_to_call(self._call(part), part)
            elif key == "function_call" and isinstance(value, dict):
                _add_to_call(self._fields.setdefault(key, {}), {"function": value})
            elif isinstance(value, str):
                self._texts.setdefault(key, []).append(value)
            elif isinstance(value, list):
                self._fields.setdefault(key, []).extend(value)
            else:
                self._fields[key] = value

    def message(self) -> dict[str, Any]:
        """The assistant message so far."""
        fields = {key: value for key, value in self._fields.items() if value not in ([], {})}
        if "function_call" in fields:
            fields["function_call"] = _finished(fields["function_call"])["function"]
        for key, pieces in self._texts.items():
            text = "".join(pieces)
            if isinstance(fields.get(key), list):  # a stream of parts with plain pieces between
                fields[key] = [*fields[key], {"type": "text", "text": text}]
            elif text:
                fields[key] = text
        message = {"role": "assistant", "content": None} | fields
        if self._calls:
            message["tool_calls"] = [_finished(call) for call in self._calls]
        return message

    def _call(self, part: Mapping[str, Any]) -> dict[str, Any]:
        """The call that a fragment goes on with; some servers number all 0 or none, then a new id starts a new call."""
        index, call_id = _index(part, -1), part.get("id")
        known = self._by_index.get(index)
        if known is None or (call_id and known.get("id") and call_id != known["id"]):
            known = self._by_index[index] = {}
            self._calls.append(known)
        return known


def _add_to_call(call: dict[str, Any], part: Mapping[str, Any]) -> None:
    function = part.get("function")
    for key, value in function.items() if isinstance(function, dict) else ():
        if key == "name" and isinstance(value, str):
            # Some servers repeat the whole name with each fragment.
            call["name"] = value if call.get("name") in (None, value) else call["name"] + value
        elif key == "arguments" and value is not None:
            call.setdefault("arguments", []).append(value if isinstance(value, str) else compact_json(value))
    for key, value in part.items():
        if key not in ("function", "index") and value is not None:
            call[key] = value


def _finished(call: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": call.get("name", ""), "arguments": "".join(call.get("arguments", []))}
    others = {key: value for key, value in call.items() if key not in ("name", "arguments", "type", "id")}
    named = {"id": call["id"]} if call.get("id") else {}
    return {**named, "type": call.get("type", "function"), "function": function, **others}


def _note_facts(reply: Reply, body: Mapping[str, Any]) -> None:
    reply.model = _text(body, "model") or reply.model
    reply.request_id = _text(body, "id") or reply.request_id
    if isinstance(body.get("usage"), dict):
        reply.usage = body["usage"]


def _says_something(message: Mapping[str, Any]) -> bool:
    return any(value for key, value in message.items() if key != "role")


def _text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    return value if isinstance(value, str) and value else None


def _index(item: Mapping[str, Any], default: int) -> int:
    value = item.get("index")
    return value if isinstance(value, int) else default


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
