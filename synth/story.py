"""What a trajectory has told so far: the request, the calls with their results, the failures, every value's place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from curate.canonical import parse_json
from curate.env import DEFAULT_RULES, EnvRules, ToolKind, name_words, tool_kind
from curate.pairing import pair_calls
from curate.trajectory import Message, ToolCall
from curate.turns import compiled, result_failed
from synth.names import field_words
from synth.provenance import ValueIndex
from synth.requests import QUOTED, Request, UserWords, read_user
from synth.value_forms import is_trivial
from synth.value_places import read_arguments


@dataclass(slots=True, eq=False)
class Step:
    """One call of the past and what came of it; the last three are known when its result has come.

    Attributes:
        about: the value that the call is about, e.g. its only id.
        value: the parsed result, None without one.
        text: the result as it stands.
    """

    message_index: int
    call: ToolCall
    arguments: dict[str, Any]
    about: Any
    kind: ToolKind
    failed: bool
    value: Any
    text: str

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.call["name"]


@dataclass
class Story:
    """The trajectory up to a turn; `tell` adds messages in order.

    Attributes:
        index: where every value stood.
        user: the last user message, read; None before the first.
        request: what the user last asked for in so many words.
        request_age: how many user messages ago that was.
        overtaken: whether the user has asked for something in other words since.
        first_request: whether that was the message the conversation began with.
        asked: the assistant's last text to the user.
        steps: all calls so far.
        turn_start: how many of them came before the last user message.
        answered: message index of a result -> place of its call in `steps`.
        policy: sentences of the system message that forbid or demand something.
        must_confirm: whether that message speaks of confirming.
    """

    rules: EnvRules = DEFAULT_RULES
    index: ValueIndex = field(default_factory=ValueIndex)
    user: UserWords | None = None
    request: Request | None = None
    first_request: bool = False
    asked: str = ""
    request_age: int = 0
    overtaken: bool = False
    steps: list[Step] = field(default_factory=list)
    turn_start: int = 0
    answered: dict[int, int] = field(default_factory=dict)
    told: int = 0
    policy: Sequence[tuple[str, frozenset[str]]] = ()
    must_confirm: bool = False

    @property
    def turn_steps(self) -> list[Step]:
        """The calls since the user last spoke."""
        return self.steps[self.turn_start :]

    @property
    def last_step(self) -> Step | None:
        """The last call since the user spoke; one that only notes a thought tells nothing and is passed over."""
        return next((step for step in reversed(self.turn_steps) if not _only_thinks(step)), None)

    def step_of(self, result_index: int) -> Step | None:
        """The call whose result is the message at this index."""
        at = self.answered.get(result_index)
        return None if at is None else self.steps[at]

    @property
    def wrote(self) -> bool:
        """Whether a write has succeeded since the user last spoke."""
        return any(step.kind == "write" and not step.failed for step in self.turn_steps)

    def tell(self, messages: Sequence[Message]) -> None:
        """Go on up to the end of `messages`; those that were told before are skipped."""
        fresh = messages[self.told :]
        answers = {pair.result_index: pair.call for pair in pair_calls(fresh) if pair.result_index is not None}
        steps: dict[int, int] = {}
        for at, message in enumerate(fresh):
            index = self.told + at
            role, text = message["role"], message["content"] or ""
            if role == "user":
                self._hear(index, text)
            elif role == "assistant":
                self._act(index, message, steps)
            elif role == "tool":
                call = answers.get(at)
                self._learn(index, message, call, steps)
            elif text:
                self.index.add_text("system", index, text)
                self.policy = policy_sentences(text)
                self.must_confirm = self.must_confirm or asks_for_confirmation(text)
        self.told = len(messages)

    def _hear(self, index: int, text: str) -> None:
        stop = compiled(self.rules.stop)
        self.user = read_user(stop.sub("", text))
        asked = self.user.request
        if asked is not None and (asked.form not in QUOTED or self.request is None):
            self.request, self.request_age, self.overtaken = asked, 0, False
            self.first_request = not self.asked and not self.steps
        else:
            self.request_age += 1
            self.overtaken = self.overtaken or (asked is not None and asked.form == "question")
        self.turn_start = len(self.steps)
        self.index.add_text("user", index, text)

    def _act(self, index: int, message: Message, steps: dict[int, int]) -> None:
        if message["content"]:
            self.index.add_text("assistant", index, message["content"])
            self.asked = message["content"] if not message["tool_calls"] else self.asked
        for call in message["tool_calls"]:
            arguments, places = read_arguments(call["arguments"])
            self.index.add_call(index, call["name"], arguments, places)
            steps[id(call)] = len(self.steps)
            kind = tool_kind(call["name"], self.rules)[0]
            self.steps.append(Step(index, call, arguments, main_value(arguments), kind, False, None, ""))

    def _learn(self, index: int, message: Message, call: ToolCall | None, steps: dict[int, int]) -> None:
        text = message["content"] or ""
        value = self.index.add_result(index, call["name"] if call else message["name"], text)
        at = steps.get(id(call)) if call is not None else None
        if at is not None:
            step = self.steps[at]
            step.failed, step.value, step.text = result_failed(message, self.rules), value, text
            self.answered[index] = at


def _only_thinks(step: Step) -> bool:
    return step.kind == "pure" and (not step.text or name_words(step.name)[-1:] in (("think",), ("thinking",)))


_ID_FIELD = re.compile(r"(?:id|_no|number|(?<!post)(?<!zip)(?<!zip_)(?<!post_)code)$", re.IGNORECASE)


def main_value(arguments: dict[str, Any]) -> Any:
    """The value a call is about: its only id, or its only value; None if that is not clear."""
    named = {key: value for key, value in arguments.items() if isinstance(value, (str, int)) and not is_trivial(value)}
    ids = [value for key, value in named.items() if _ID_FIELD.search(key)]
    values = ids or list(named.values())
    if len(values) != 1 and not ids:
        return None
    return values[0] if len(str(values[0])) <= 40 and "\n" not in str(values[0]) else None


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """A call's arguments; empty where they cannot be parsed."""
    arguments: dict[str, Any] = read_arguments(call["arguments"]).value
    return arguments


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool's schema, as far as thoughts use it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    fields: tuple[tuple[str, str], ...]
    """Fields that must be given, each with its words; all fields where none must."""
    any_of: bool
    """Whether none must be given alone, so that one way of several is enough."""


@lru_cache(maxsize=256)
def read_tools(text: str) -> dict[str, Tool]:
    """The tools of a row's `tools` column by name; what is no function schema is left out."""
    try:
        body = parse_json(text) if text else []
    except ValueError:
        return {}
    tools: dict[str, Tool] = {}
    for entry in body if isinstance(body, list) else []:
        spec = entry.get("function", entry) if isinstance(entry, dict) else None
        name = spec.get("name") if isinstance(spec, dict) else None
        if not isinstance(spec, dict) or not isinstance(name, str):
            continue
        parameters = spec.get("parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        required = parameters.get("required")
        properties = parameters.get("properties")
        optional = properties if isinstance(properties, dict) else {}
        fields = map(str, required if isinstance(required, list) and required else optional)
        named = tuple((field, field_words(field)) for field in fields)
        tools[name] = Tool(name, str(spec.get("description") or ""), parameters, named, not required)
    return tools


_LINE = re.compile(r"(?<=[.!?])\s+|\n+")
_RULE = re.compile(r"\b(?:not|cannot|only|must|never|deny|unless|except)\b|n't\b", re.IGNORECASE)
_CONFIRM = re.compile(
    r"\b(?:obtain|explicit|ask|wait|get|need|must|before|without)\b[^.\n]{0,160}"
    r"\b(?:confirm|the (?:user|customer)'s yes)",
    re.IGNORECASE,
)
_CONTENT = re.compile(r"[a-z]{4,}")
_COMMON = frozenset(
    "that this with from have will would your their they them then than when what which been were also only must "
    "should please provide assist help need like want using make sure before after other there "
    "here into about could".split()
)


@lru_cache(maxsize=64)
def policy_sentences(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """(sentence, its content words) for each sentence of a system message that forbids or demands something."""
    parts = [part.strip(" -*#\t") for part in _LINE.split(text[:100_000])]
    return tuple((part, content_words(part)) for part in parts if 20 <= len(part) <= 240 and forbids(part))


def forbids(text: str) -> bool:
    """Whether a sentence of the policy forbids or demands something; one that is cut short may not any more."""
    return _RULE.search(text) is not None


@lru_cache(maxsize=64)
def asks_for_confirmation(text: str) -> bool:
    """Whether a system message demands the user's confirmation before something is done."""
    return _CONFIRM.search(text) is not None


def content_words(text: str) -> frozenset[str]:
    """Stems of the words that carry a sentence's content."""
    return frozenset(word[:6] for word in _CONTENT.findall(text.lower()) if word not in _COMMON)
