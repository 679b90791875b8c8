"""SWE-agent: `.traj` files with `trajectory[]` of thought, action and observation, or only the `history[]` of messages.

Each action becomes a call (of `bash`, or of the tool that the model named), its thought is recorded thinking. What was
shown to the model at every step (`query`) repeats the messages and is dropped; the first one gives the prompts.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

from curate.canonical import hash128
from curate.errors import RecordError
from curate.readers.messages import message, objects, openai_messages, tool_call
from curate.readers.raw import RawTrajectory, take_facts
from curate.trajectory import Message

TOOL = "bash"
"""What the one tool is called where the source gives it no name."""
_READ = frozenset("role content text system_prompt thought action observation response query messages".split()) | {
    "tool_calls",
    "tool_call_ids",
}
_ROLES = {"ai": "assistant", "human": "user"}
_FENCE = "```"
_LETTERS = string.ascii_letters


class SWEAgent:
    """Records with a `trajectory` of steps, a `trajectory` of messages (Nebius), or a `history`."""

    name = "swe_agent"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure if the first step or message looks like SWE-agent's."""
        steps, history = record.get("trajectory"), record.get("history")
        first = steps[0] if isinstance(steps, list) and steps else None
        if isinstance(first, Mapping):
            if "observation" in first and "action" in first:
                return 0.97
            return 0.95 if {"role", "text"} <= first.keys() else 0.0
        first = history[0] if isinstance(history, list) and history else None
        return 0.9 if isinstance(first, Mapping) and {"role", "content"} <= first.keys() else 0.0

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one record; the task is the last user message before the first step."""
        raw = RawTrajectory(messages=[])
        steps = objects(record.get("trajectory") or [], "trajectory")
        history = objects(record.get("history") or [], "history")
        if steps and "role" not in steps[0]:
            _add_prompts(raw, _prompts(steps[0], history))
            for index, step in enumerate(steps):
                _add_step(raw, step, f"trajectory[{index}]")
        elif steps or history:
            _add_history(raw, steps or history, "trajectory" if steps else "history")
        else:
            raise RecordError("wrong_type", "neither trajectory nor history has a step")
        target = record.get("target")
        given = {"reward": float(target)} if isinstance(target, bool) and "reward" not in record else {}
        instance = {"task_id": record["instance_id"]} if "instance_id" in record and "task_id" not in record else {}
        take_facts({**record, **given, **instance}, raw, {"trajectory", "history"})
        statement = _statement(raw.messages)
        raw.task_statement = statement
        if raw.task_id is None and statement is not None:  # the first user message may be a demonstration, for all
            raw.task_id = "auto:" + hash128(statement)[:16]
        return raw


def _prompts(step: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What the model saw before its first step: the first query, else the history up to the first reply."""
    shown = step.get("query", step.get("messages"))
    if isinstance(shown, list) and any(isinstance(item, Mapping) and "role" in item for item in shown):
        return objects(shown, "trajectory[0].query")
    replies = (
        index for index, item in enumerate(history) if item.get("role") == "assistant" and not item.get("is_demo")
    )
    return list(history[: next(replies, None)])


def _add_prompts(raw: RawTrajectory, items: list[Mapping[str, Any]]) -> None:
    keys = ("role", "content", "tool_calls", "tool_call_id", "name")
    read = openai_messages([{key: item[key] for key in keys if key in item} for item in items])
    raw.messages.extend(read.messages)
    raw.split_texts |= read.split_texts
    for index, item in enumerate(items):
        _keep_rest(raw, index, item)


def _add_step(raw: RawTrajectory, step: Mapping[str, Any], place: str) -> None:
    thought, action, seen = (_text(step, key, place) for key in ("thought", "action", "observation"))
    response = _text(step, "response", place)
    turn = _turn(step, place, thought, action)
    if not turn["tool_calls"] and not turn["reasoning_content"]:
        turn["content"] = turn["content"] or response
    index = len(raw.messages)
    if response and turn["reasoning_content"] and response != turn["reasoning_content"]:
        raw.split_texts[index] = response
    _keep_rest(raw, index, step)
    raw.messages.append(turn)
    if turn["tool_calls"]:
        raw.messages.append(_observation(turn, seen))
    elif seen:
        raw.messages.append(message("user", seen))


def _add_history(raw: RawTrajectory, items: list[Mapping[str, Any]], name: str) -> None:
    """Messages of which replies hold a thought and an action, beside their text or fenced inside it."""
    for index, item in enumerate(items):
        place = f"{name}[{index}]"
        read, caller = _history_message(item, place), raw.messages[-1] if raw.messages else None
        if read["role"] == "assistant":
            text = read["content"] or ""
            thought, action = _text(item, "thought", place), _text(item, "action", place)
            if not action and not item.get("tool_calls"):
                thought, action = _fenced(text)
            turn = _turn(item, place, thought, action)
            if turn["tool_calls"]:
                raw.split_texts |= {len(raw.messages): text} if turn["reasoning_content"] and text else {}
                read = turn
        elif read["role"] in ("user", "tool") and caller is not None and caller["tool_calls"]:
            read = _observation(caller, read["content"])
        _keep_rest(raw, len(raw.messages), item)
        raw.messages.append(read)


def _history_message(item: Mapping[str, Any], place: str) -> Message:
    role = item.get("role")
    role = _ROLES.get(role, role) if isinstance(role, str) else role
    text = next((item[key] for key in ("text", "system_prompt", "content") if item.get(key) is not None), None)
    try:
        return openai_messages([{"role": role, "content": text}]).messages[0]
    except RecordError as error:
        raise RecordError(error.reason, error.detail.replace("messages[0]", place)) from error


def _turn(step: Mapping[str, Any], place: str, thought: str | None, action: str | None) -> Message:
    """A thought and its action; without an action the thought is the text of the turn."""
    turn = message("assistant")
    ids = step.get("tool_call_ids")
    recorded = step.get("tool_calls")
    if recorded:
        reply = {"role": "assistant", "tool_calls": recorded}
        turn["tool_calls"] = openai_messages([reply]).messages[0]["tool_calls"]
    elif action and action.strip():
        call_id = ids[0] if isinstance(ids, list) and ids and isinstance(ids[0], str) else None
        turn["tool_calls"] = [tool_call(call_id, TOOL, {"command": action})]
    blocks = step.get("thinking_blocks")
    sealed = [
        block["thinking"]
        for block in (objects(blocks, f"{place}.thinking_blocks") if blocks else [])
        if isinstance(block.get("thinking"), str) and block["thinking"].strip()
    ]
    if sealed:
        turn["reasoning_content"], turn["content"] = "\n\n".join(sealed), thought or None
    elif turn["tool_calls"]:
        turn["reasoning_content"] = thought if thought and thought.strip() else None
    else:
        turn["content"] = thought or None
    return turn


def _observation(turn: Message, seen: str | None) -> Message:
    read = message("tool", seen or "")
    read["tool_call_id"] = turn["tool_calls"][0]["id"]
    return read


def _fenced(text: str) -> tuple[str | None, str | None]:
    """The thought before the last fenced block of a reply, and the command inside it."""
    end = text.rfind(_FENCE)
    start = text.rfind(_FENCE, 0, end) if end > 0 else -1
    if start < 0:
        return None, None
    block = text[start + len(_FENCE) : end]
    language, _, command = block.partition("\n")
    return text[:start].strip() or None, command if command and not language.strip(_LETTERS) else block


def _keep_rest(raw: RawTrajectory, index: int, item: Mapping[str, Any]) -> None:
    """Keep what a step or message says beside what was read of it."""
    rest = {key: value for key, value in item.items() if key not in _READ and value not in (None, "", [], {})}
    if rest:
        raw.metadata.setdefault("message_extras", {})[str(index)] = rest


def _statement(messages: Sequence[Message]) -> str | None:
    """The last user message before the first turn."""
    first = next((index for index, item in enumerate(messages) if item["role"] == "assistant"), len(messages))
    prompts = [item["content"] for item in messages[:first] if item["role"] == "user"]
    return prompts[-1] if prompts else None


def _text(item: Mapping[str, Any], key: str, place: str) -> str | None:
    value = item.get(key)
    if value is None or isinstance(value, str):
        return value
    raise RecordError("wrong_type", f"{place}.{key} is {type(value).__name__}, not a text")
