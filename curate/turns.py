"""What a turn is: its kind, whether its call failed, and whether the trajectory came to an end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, TypeAlias

from curate.canonical import json_object, parse_arguments
from curate.env import DEFAULT_RULES, EnvRules, tool_kind
from curate.pairing import PairedCall, pair_calls
from curate.trajectory import Message

TurnKind: TypeAlias = Literal["final", "analysis", "announce", "silent"]
Ending: TypeAlias = Literal["final", "stop", "terminal", "incomplete", "truncated"]

TURN_RULE_VERSION = "1"
"""Changes when the word lists below change: kinds are comparable only within one version."""

_ADDRESSED = re.compile(r"\b(you|your|yours|yourself|please|thank(s| you)?|welcome)\b", re.IGNORECASE)
_APOLOGY = re.compile(r"\b(sorry|apologi[sz]e|apologies|regret)\b", re.IGNORECASE)
_OFFER = re.compile(
    r"\b(shall I|should I|would like|happy to|glad to|can assist|let (me|us) know|feel free|no problem|of course)\b",
    re.IGNORECASE,
)
# A decision taken before the user's eyes: "I will proceed", "I cannot upgrade", "let's", "let me try to book".
_DECISION = re.compile(
    r"\b(I(?:'ll| will)(?! need)|I(?:'m| am) going to|I (?:cannot|can't|can)|let's|let us|one moment"
    r"|let me (?:try to |go ahead|proceed|book|cancel|update|modify|change|correct|process|finali[sz]e))",
    re.IGNORECASE,
)
_ANALYSIS = re.compile(
    r"\b(because|since|therefore|thus|hence|so|whether|which means|implies|it seems|seems|appears|according to"
    r"|I(?: will)? need to|needs? to|must|should|first|before|policy|remaining|still|likely|either|if)\b",
    re.IGNORECASE,
)
_THINK_TOOL = re.compile(r"^(?:.*[_\-.])?think(?:ing)?$", re.IGNORECASE)


def turn_kind(message: Message) -> TurnKind:
    """The kind of an assistant turn.

    `final`: text without a call. `silent`: a call without text. `analysis`: text beside a call that reasons to itself.
    `announce`: any other text beside a call. Analysis needs evidence: nothing addressed to the user, no apology,
    offer or decision, and a cue of reasoning; doubt counts as announce, because moving a text that the user should
    have read into the thinking would change the dialogue.
    """
    text = (message["content"] or "").strip()
    if not message["tool_calls"]:
        return "final"
    if not text:
        return "silent"
    outward = any(pattern.search(text) for pattern in (_ADDRESSED, _APOLOGY, _OFFER, _DECISION)) or "?" in text
    return "analysis" if not outward and _ANALYSIS.search(text) else "announce"


def is_think_tool(name: str) -> bool:
    """Whether a tool only writes a thought down."""
    return _THINK_TOOL.match(name) is not None


def recorded_thought(message: Message) -> str | None:
    """The thought that a think tool's call carries, None if the turn calls no such tool."""
    for call in message["tool_calls"]:
        if is_think_tool(call["name"]):
            arguments, _ = parse_arguments(call["arguments"])
            texts = [value for value in (arguments or {}).values() if isinstance(value, str) and value.strip()]
            if texts:
                return max(texts, key=len)
    return None


def result_failed(message: Message, rules: EnvRules = DEFAULT_RULES) -> bool:
    """Whether a tool result reports a failure: flagged, a JSON object with an `error`, or a text of the env's regex."""
    if message["is_error"]:
        return True
    text = message["content"]
    if not text:
        return False
    if compiled(rules.failed).search(text):
        return True
    body: dict[str, Any] | None = json_object(text) if '"error"' in text else None
    return body is not None and body.get("error") is not None


def ending(
    messages: Sequence[Message], rules: EnvRules = DEFAULT_RULES, pairs: Sequence[PairedCall] | None = None
) -> Ending:
    """How a trajectory ends: `final`, `stop` and `terminal` are complete; `truncated` is a call without its result."""
    last = messages[-1] if messages else None
    if last is None:
        return "incomplete"
    if last["role"] == "assistant":
        return "truncated" if last["tool_calls"] else "final"
    if last["role"] == "user" and compiled(rules.stop).search(last["content"] or ""):
        return "stop"
    if last["role"] == "tool":
        turn = (pairs if pairs is not None else pair_calls(messages))[-1:]
        if turn and turn[0].result_index is None:
            return "truncated"
        calls = messages[turn[0].message_index]["tool_calls"] if turn else []
        if any(tool_kind(call["name"], rules)[0] == "terminal" for call in calls):
            return "terminal"
    return "incomplete"


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A regex of the settings, compiled once."""
    return re.compile(pattern)
