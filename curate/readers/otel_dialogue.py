"""The dialogue that a conversation's spans tell: each chat span's input repeats the history, its output goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from curate.canonical import canonical_json, compact_json, hash128
from curate.errors import RecordError
from curate.readers.messages import message, objects, openai_messages, tool_call
from curate.readers.raw import RawTrajectory, json_of, read_tools
from curate.trajectory import Message

CONTENT = frozenset(
    f"gen_ai.{key}"
    for key in "input.messages output.messages system_instructions tool.definitions tool.call.result".split()
)
"""Attributes that become messages and tools."""
_Said: TypeAlias = tuple[Message, dict[str, Any]]


@dataclass
class Dialogue:
    """Messages as they become known, each with what its source says beside it.

    Attributes:
        said: the messages so far.
        tools: function schemas, of the first span that has them.
        breaks: spans whose input does not repeat the dialogue: it was cut, summed up or changed, or never sent whole.
    """

    said: list[_Said] = field(default_factory=list)
    tools: list[dict[str, Any]] | None = None
    breaks: list[str] = field(default_factory=list)
    _keys: list[str] = field(default_factory=list)

    def add_chat(self, attributes: Mapping[str, Any], place: str) -> None:
        """Add what one chat span says that was not said before: the rest of its input, then its answer.

        Raises:
            RecordError: naming the span and the attribute that is wrong.
        """
        system = attributes.get("gen_ai.system_instructions")
        if isinstance(system, str) and system.startswith("[{"):
            system = _parsed(attributes, "gen_ai.system_instructions", place)
        tools = _parsed(attributes, "gen_ai.tool.definitions", place)
        if tools and self.tools is None:
            self.tools = read_tools(tools)
        parts = [{"type": "text", "content": system}] if isinstance(system, str) else system
        shown = list(_messages([{"role": "system", "parts": parts}], f"{place}: system")) if system else []
        shown += _messages(_parsed(attributes, "gen_ai.input.messages", place) or [], f"{place}: input")
        answers = list(_messages(_parsed(attributes, "gen_ai.output.messages", place) or [], f"{place}: output"))
        if len(answers) > 1:
            answers[0][1]["other_choices"] = [item for item, _ in answers[1:]]
        for item in [*shown[self._known(shown, place) :], *answers[:1]]:
            self.said.append(item)
            self._keys.append(_key(item[0]))

    def _known(self, shown: Sequence[_Said], place: str) -> int:
        """How many messages of an input the dialogue already has."""
        keys = [_key(item) for item, _ in shown]
        told = len(self._keys)
        if keys[:told] == self._keys:
            return told
        heads, known = 0, set(self._keys)
        while heads < len(keys) and shown[heads][0]["role"] in ("system", "developer") and keys[heads] in known:
            heads += 1
        roles = [item["role"] for item, _ in shown[:told]] == [item["role"] for item, _ in self.said]
        if roles and len(keys) > heads < told and keys[heads] == self._keys[heads]:
            self.breaks.append(place)  # repeated with changes
            return told
        repeated = overlap(self._keys, keys[heads:])
        if not repeated and len(keys) > heads:
            self.breaks.append(place)
        return heads + repeated

    def add_result(self, attributes: Mapping[str, Any], *, failed: bool) -> None:
        """Mark the result of an execute_tool span as failed, or add it where no later input shows it."""
        call_id, result = attributes.get("gen_ai.tool.call.id"), attributes.get("gen_ai.tool.call.result")
        if not _is_text(call_id):
            return
        answers = [item for item, _ in self.said if item["role"] == "tool" and item["tool_call_id"] == call_id]
        for item in answers:
            item["is_error"] = True if failed else item["is_error"]
        callers = (index for index, (item, _) in enumerate(self.said) if _calls(item, call_id))
        caller = next(callers, None)
        if answers or caller is None or (result is None and not failed):
            return
        after = caller + 1
        while after < len(self.said) and self.said[after][0]["role"] == "tool":
            after += 1
        read = _result({"id": call_id, "response": result})
        read["is_error"] = failed or None
        self.said.insert(after, (read, {}))

    def trajectory(self) -> RawTrajectory:
        """The dialogue as a trajectory.

        Raises:
            RecordError: if no span had a message.
        """
        if not self.said:
            raise RecordError("no_content", "the chat spans carry no messages; was the capture of content off?")
        raw = RawTrajectory(messages=[item for item, _ in self.said], tools=self.tools)
        extras = {str(index): extra for index, (_, extra) in enumerate(self.said) if extra}
        raw.metadata = {"message_extras": extras} if extras else {}
        if self.breaks:
            raw.metadata["history_breaks"] = self.breaks
        return raw


def _key(item: Message) -> str:
    """What makes a message the same one in a later input: thinking is often not sent back."""
    calls = [(call["id"], call["name"], call["arguments"]) for call in item["tool_calls"]]
    return hash128(canonical_json([item["role"], item["content"], item["content_json"], calls, item["tool_call_id"]]))


def overlap(told: Sequence[str], keys: Sequence[str]) -> int:
    """How many of `keys` the end of `told` already says (prefix function of Knuth, Morris and Pratt: linear)."""
    if not keys:
        return 0
    text = [*keys, "", *told[-len(keys) :]]  # no key is empty: no border reaches across
    border = [0] * len(text)
    for index in range(1, len(text)):
        length = border[index - 1]
        while length and text[index] != text[length]:
            length = border[length - 1]
        border[index] = length + (text[index] == text[length])
    return border[-1]


def _parsed(attributes: Mapping[str, Any], key: str, place: str) -> Any:
    value = attributes.get(key)
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        return json_of(value, f"{place}: {key}")
    return value or None


def _messages(value: Any, place: str) -> Iterator[_Said]:
    """Messages of parts, or of plain content; the results among the parts become messages of their own."""
    for index, item in enumerate(objects(value, place)):
        extra = {key: item[key] for key in item if key not in ("role", "parts", "content") and item[key] is not None}
        if "parts" not in item:
            read = _openai(item, f"{place}[{index}]")
            yield read.messages[0], read.metadata.get("message_extras", {}).get("0", {})
            continue
        parts = objects(item["parts"], f"{place}[{index}].parts")
        results = [part for part in parts if part.get("type") == "tool_call_response"]
        yield from ((_result(part), {}) for part in results)
        rest = [part for part in parts if part.get("type") != "tool_call_response"]
        if rest or not results:
            yield _of_parts(item.get("role"), rest, f"{place}[{index}]"), extra


def _openai(item: Mapping[str, Any], place: str) -> RawTrajectory:
    try:
        return openai_messages([item])
    except RecordError as error:
        raise RecordError(error.reason, f"{place}: {error.detail}") from error


def _result(part: Mapping[str, Any]) -> Message:
    response = part.get("response", part.get("result"))
    read = message("tool", response if isinstance(response, (str, type(None))) else compact_json(response))
    read["tool_call_id"] = part["id"] if _is_text(part.get("id")) else None
    return read


def _of_parts(role: Any, parts: Sequence[Mapping[str, Any]], place: str) -> Message:
    plain = [part for part in parts if part.get("type") not in ("reasoning", "tool_call")]
    shown = [{"text": part.get("content")} for part in plain if part.get("type") == "text"]
    read = _openai({"role": role, "content": shown}, place).messages[0]
    texts_only = all(part.keys() == {"type", "content"} and part["type"] == "text" for part in plain)
    read["content_json"] = None if texts_only else compact_json(plain)
    thoughts = [part["content"] for part in parts if part.get("type") == "reasoning" and _is_text(part.get("content"))]
    read["reasoning_content"] = "\n\n".join(thoughts) or read["reasoning_content"]
    for part in parts:
        if part.get("type") == "tool_call":
            if not isinstance(part.get("name"), str):
                raise RecordError("wrong_type", f"{place} has a tool_call without a name")
            call_id = part["id"] if _is_text(part.get("id")) else None
            read["tool_calls"].append(tool_call(call_id, part["name"], part.get("arguments")))
    return read


def _calls(item: Message, call_id: Any) -> bool:
    return any(call["id"] == call_id for call in item["tool_calls"])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
