"""R_process: how well a rollout was made, whatever its answer says; deterministic, each part between 0 and 1.

The paper (arXiv 2606.14179) names call format, arguments against the schema, call order and no thinking in the answer;
the other parts are ours. Where there is nothing to judge a part is 1, but a rollout without a call where the reference
calls has 0 in all parts about calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import inf

from curate.canonical import canonical_json, parse_arguments
from curate.env import DEFAULT_RULES, EnvRules, tool_kind
from curate.errors import UsageError
from curate.filters.invalid import argument_checks
from curate.trajectory import Message, ToolCall
from synth.checks.words import words_of

LEAKED_WORDS = 12
"""So many words in a row that stand in the thinking and in the answer count as leaked."""
_MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>")


@dataclass(frozen=True)
class ProcessWeights:
    """The weight of each part in R_process, which is their weighted mean.

    Attributes:
        call_format: share of calls whose arguments are a JSON object.
        tool_exists: share of calls of a tool that there is.
        arguments_valid: share of calls whose arguments fit the tool's schema.
        call_order: longest common subsequence of tool names with the reference, over the reference's length.
        no_repeats: share of calls that no equal call came before in the same state (no other write in between).
        thinking_present: share of turns with a thought.
        thinking_apart: 1 unless marks or a long stretch of the thinking stand in the answer.
        answered: 1 if the last turn says something to the user.
    """

    call_format: float = 0.15
    tool_exists: float = 0.1
    arguments_valid: float = 0.2
    call_order: float = 0.2
    no_repeats: float = 0.1
    thinking_present: float = 0.1
    thinking_apart: float = 0.05
    answered: float = 0.1

    def check(self) -> None:
        """Refuse weights that no mean can have.

        Raises:
            UsageError: naming the weight.
        """
        for each in fields(self):
            if not 0 <= getattr(self, each.name) < inf:
                raise UsageError(
                    f"--{each.name.replace('_', '-')} must not be negative, not {getattr(self, each.name)}"
                )
        if not any(getattr(self, each.name) for each in fields(self)):
            raise UsageError("one of the weights of the process reward must be above 0")


@dataclass(frozen=True, slots=True)
class ProcessReward:
    """The parts by name, each 0 to 1, and their weighted mean."""

    parts: dict[str, float]
    total: float


def process_reward(
    steps: Sequence[Message],
    tools: str,
    reference: Sequence[Message] = (),
    weights: ProcessWeights | None = None,
    rules: EnvRules = DEFAULT_RULES,
) -> ProcessReward:
    """How well the steps behind a user message were made.

    Args:
        steps: assistant turns and tool results, as a rollout or a recording has them.
        tools: the schemas the model was given, JSON text of the row.
        reference: the recorded steps; without calls in them, nothing is asked of the order.
        weights: of the parts.
        rules: of the env: which tools write.
    """
    weights = weights or ProcessWeights()
    calls, wanted = list(_calls(steps)), [call["name"] for call in _calls(reference)]
    parts = _of_calls(calls, tools, wanted, rules) if calls or not wanted else dict.fromkeys(_ABOUT_CALLS, 0.0)
    turns = [message for message in steps if message["role"] == "assistant"]
    thoughts = [message["reasoning_content"] or "" for message in turns]
    last = turns[-1] if turns else None
    answer = (last["content"] or "").strip() if last is not None and not last["tool_calls"] else ""
    parts["thinking_present"] = _share([bool(thought.strip()) for thought in thoughts], empty=0.0)
    parts["thinking_apart"] = float(not leaks(answer, thoughts))
    parts["answered"] = float(bool(answer))
    each = {name: getattr(weights, name) for name in parts}
    return ProcessReward(parts, sum(parts[name] * each[name] for name in parts) / sum(each.values()))


_ABOUT_CALLS = ("call_format", "tool_exists", "arguments_valid", "call_order", "no_repeats")


def _calls(messages: Sequence[Message]) -> Iterator[ToolCall]:
    for message in messages:
        if message["role"] == "assistant":
            yield from message["tool_calls"]


def _of_calls(calls: Sequence[ToolCall], tools: str, wanted: Sequence[str], rules: EnvRules) -> dict[str, float]:
    checks = argument_checks(tools or "[]")
    formed, known, valid = [], [], []
    for call in calls:
        arguments, status = parse_arguments(call["arguments"])
        formed.append(arguments is not None and status in ("json", "empty") and call["args_status"] != "unparsed")
        known.append(call["name"] in checks)
        check = checks.get(call["name"])
        valid.append(formed[-1] and check is not None and check.problem(arguments or {}) is None)
    return {
        "call_format": _share(formed),
        "tool_exists": _share(known),
        "arguments_valid": _share(valid),
        "call_order": common_subsequence([call["name"] for call in calls], wanted) / len(wanted) if wanted else 1.0,
        "no_repeats": 1.0 - _share(_repeats(calls, rules), empty=0.0),
    }


def _repeats(calls: Sequence[ToolCall], rules: EnvRules) -> list[bool]:
    """Of each call, whether an equal one was made since the last other write."""
    seen: set[tuple[str, str]] = set()
    found = []
    for call in calls:
        arguments, _ = parse_arguments(call["arguments"])
        key = (call["name"], call["arguments"] if arguments is None else canonical_json(arguments))
        found.append(key in seen)
        if tool_kind(call["name"], rules)[0] == "write" and key not in seen:
            seen.clear()
        seen.add(key)
    return found


def leaks(answer: str, thoughts: Sequence[str]) -> bool:
    """Whether an answer shows what belongs into the thinking: its marks, or a long stretch of it word for word."""
    if any(mark in answer for mark in _MARKS):
        return True
    said = _stretches(answer)
    return bool(said) and any(said & _stretches(thought) for thought in thoughts)


def _stretches(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[at : at + LEAKED_WORDS]) for at in range(len(words) - LEAKED_WORDS + 1)}


def common_subsequence(one: Sequence[str], two: Sequence[str]) -> int:
    """Length of the longest common subsequence of two sequences of names."""
    row = [0] * (len(two) + 1)
    for name in one:
        before = 0
        for at, other in enumerate(two, 1):
            before, row[at] = row[at], before + 1 if name == other else max(row[at], row[at - 1])
    return row[-1]


def _share(values: Sequence[bool], empty: float = 1.0) -> float:
    return sum(values) / len(values) if values else empty
