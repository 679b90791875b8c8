"""Which trajectories are turned away: one named predicate a reason, each says what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from curate.canonical import canonical_json, parse_arguments, parse_json
from curate.env import DEFAULT_RULES, EnvRules, tool_kind
from curate.errors import UsageError
from curate.pairing import PairedCall, pair_calls
from curate.tool_schemas import EnvTools
from curate.trajectory import Trajectory
from curate.turns import ending, result_failed

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


@dataclass(frozen=True)
class FilterSettings:
    """Thresholds of the filters; a count is how many are still fine.

    Attributes:
        min_calls: tool calls a trajectory needs.
        max_unpaired: calls without a result, or results without a call (the call a truncated end lacks aside).
        max_unparsed: calls whose arguments are neither JSON nor a Python literal.
        max_unknown_tools: calls of a tool that the recorded schemas do not have.
        max_invalid: calls whose arguments do not fit the recorded schema, or for inferred ones the other calls.
        error_only: turn away trajectories of which every call failed.
        max_repeats: equal calls with equal results in one trajectory; more is a loop. Think tools aside.
        keep_incomplete: keep trajectories that end neither on a final turn, a stop message nor a terminal tool.
        keep_truncated: keep trajectories that end on a call without its result.
        min_reward: outcome below which a trajectory is turned away; None keeps all, also those without an outcome.
        min_messages: bounds of length, in messages.
        max_messages: bounds of length, in messages.
        max_chars: characters of all texts together, tool results included.
    """

    min_calls: int = 1
    max_unpaired: int = 0
    max_unparsed: int = 0
    max_unknown_tools: int = 0
    max_invalid: int = 0
    error_only: bool = True
    max_repeats: int = 3
    keep_incomplete: bool = False
    keep_truncated: bool = False
    min_reward: float | None = None
    min_messages: int = 2
    max_messages: int = 1_000
    max_chars: int = 4_000_000

    def check(self) -> None:
        """Refuse an outcome that nothing can be compared with.

        Raises:
            UsageError: if `min_reward` is no finite number.
        """
        if self.min_reward is not None and not isfinite(self.min_reward):
            raise UsageError(f"--min-reward must be a finite number, not {self.min_reward}")


@dataclass(frozen=True)
class Context:
    """What predicates need beside the row: thresholds, what is known of the envs, and the evidence on their tools."""

    settings: FilterSettings = field(default_factory=FilterSettings)
    rules: Mapping[str, EnvRules] = field(default_factory=dict)
    tools: EnvTools = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """One row with its calls paired once for all predicates."""

    row: Trajectory
    pairs: list[PairedCall]
    rules: EnvRules


Predicate: TypeAlias = Callable[[View, Context], str | None]


def first_failure(row: Trajectory, context: Context) -> tuple[str, str] | None:
    """The first predicate that turns the row away, as (reason, detail); None if it is kept."""
    view = View(row, pair_calls(row["messages"]), context.rules.get(row["env_id"], DEFAULT_RULES))
    for reason, predicate in PREDICATES.items():
        detail = predicate(view, context)
        if detail is not None:
            return reason, detail
    return None


def _empty(view: View, context: Context) -> str | None:
    roles = {message["role"] for message in view.row["messages"]}
    if "assistant" not in roles:
        return "no assistant turn" if roles else "no messages"
    return None


def _too_short(view: View, context: Context) -> str | None:
    count = len(view.row["messages"])
    return f"{count} messages" if count < context.settings.min_messages else None


def _too_long(view: View, context: Context) -> str | None:
    messages = view.row["messages"]
    if len(messages) > context.settings.max_messages:
        return f"{len(messages)} messages"
    sizes = [len(message["content"] or "") + len(message["content_json"] or "") for message in messages]
    sizes += [len(pair.call["arguments"]) for pair in view.pairs]
    if sum(sizes) > context.settings.max_chars:
        return f"{sum(sizes):,} characters, the longest text {max(sizes):,}"
    return None


def _no_tool_call(view: View, context: Context) -> str | None:
    count = sum(pair.call["name"] != "" for pair in view.pairs)
    return f"{count} calls" if count < context.settings.min_calls else None


def _truncated(view: View, context: Context) -> str | None:
    if context.settings.keep_truncated or ending(view.row["messages"], view.rules, view.pairs) != "truncated":
        return None
    return "ends on a call without its result"


def _unpaired(view: View, context: Context) -> str | None:
    cut_off = -1  # the turn that a truncated end cut off, whose calls are excused if such ends are kept
    if context.settings.keep_truncated and ending(view.row["messages"], view.rules, view.pairs) == "truncated":
        cut_off = view.pairs[-1].message_index
    lost = [pair for pair in view.pairs if pair.result_index is None and pair.message_index != cut_off]
    stray = [index for index, message in enumerate(view.row["messages"]) if message["pair_status"] == "unpaired"]
    if len(lost) + len(stray) <= context.settings.max_unpaired:
        return None
    where = f"the call in message {lost[0].message_index}" if lost else f"the result in message {stray[0]}"
    return f"{len(lost)} calls without result, {len(stray)} results without call; first {where}"


def _unparsed(view: View, context: Context) -> str | None:
    bad = [pair for pair in view.pairs if pair.call["args_status"] == "unparsed"]
    if len(bad) <= context.settings.max_unparsed:
        return None
    return f"message {bad[0].message_index}: {bad[0].call['name']}({bad[0].call['arguments'][:80]})"


def _unknown_tool(view: View, context: Context) -> str | None:
    if view.row["tools_inferred"]:
        return None
    known = _validators(view.row["tools"])
    bad = [pair for pair in view.pairs if pair.call["name"] not in known and _by_assistant(view, pair)]
    if len(bad) <= context.settings.max_unknown_tools:
        return None
    return f"message {bad[0].message_index}: {bad[0].call['name'][:80]}"


def _invalid_arguments(view: View, context: Context) -> str | None:
    found = [
        f"message {pair.message_index}: {pair.call['name']}: {problem}"
        for pair in view.pairs
        if (problem := _argument_problem(view, pair, context)) is not None
    ]
    return found[0] if len(found) > context.settings.max_invalid else None


def _argument_problem(view: View, pair: PairedCall, context: Context) -> str | None:
    arguments, _ = parse_arguments(pair.call["arguments"])
    if arguments is None or not _by_assistant(view, pair):
        return None
    if view.row["tools_inferred"]:
        evidence = context.tools.get(view.row["env_id"], {}).get(pair.call["name"])
        return evidence.violation(arguments) if evidence is not None else None
    from referencing.exceptions import Unresolvable

    validator = _validators(view.row["tools"]).get(pair.call["name"])
    if validator is None:
        return None
    try:
        error = next(validator.iter_errors(arguments), None)
    except (Unresolvable, RecursionError):
        return None  # a `$ref` out of the schema, or round in a circle: what it asks for is not known
    if error is None:
        return None
    place = ".".join(map(str, error.absolute_path))
    return f"{place + ': ' if place else ''}{error.message[:160]}"


def _by_assistant(view: View, pair: PairedCall) -> bool:
    return view.row["messages"][pair.message_index]["role"] == "assistant"


def _error_only(view: View, context: Context) -> str | None:
    results = [view.row["messages"][pair.result_index] for pair in view.pairs if pair.result_index is not None]
    if not context.settings.error_only or not results:
        return None
    return f"all {len(results)} calls failed" if all(result_failed(item, view.rules) for item in results) else None


def _call_loop(view: View, context: Context) -> str | None:
    seen: Counter[tuple[str, str, str | None]] = Counter()
    for pair in view.pairs:
        if pair.result_index is None or tool_kind(pair.call["name"], view.rules)[0] == "pure":
            continue
        arguments, _ = parse_arguments(pair.call["arguments"])
        text = pair.call["arguments"] if arguments is None else canonical_json(arguments)
        key = (pair.call["name"], text, view.row["messages"][pair.result_index]["content"])
        seen[key] += 1
    (name, arguments_text, _), count = seen.most_common(1)[0] if seen else (("", "", None), 0)
    if count <= context.settings.max_repeats:
        return None
    return f"{count} times {name}({arguments_text[:80]}) with the same result"


def _incomplete(view: View, context: Context) -> str | None:
    if context.settings.keep_incomplete or ending(view.row["messages"], view.rules, view.pairs) != "incomplete":
        return None
    last = view.row["messages"][-1]
    return f"ends on a {last['role']} message that is no stop and no terminal tool's result"


def _below_outcome(view: View, context: Context) -> str | None:
    wanted, reward = context.settings.min_reward, view.row["reward"]
    if wanted is None or (reward is not None and reward >= wanted):
        return None
    return f"reward {reward} < {wanted}" if reward is not None else "no reward"


PREDICATES: dict[str, Predicate] = {
    "empty": _empty,
    "too_short": _too_short,
    "too_long": _too_long,
    "no_tool_call": _no_tool_call,
    "truncated": _truncated,
    "unpaired_calls": _unpaired,
    "unparsed_arguments": _unparsed,
    "unknown_tool": _unknown_tool,
    "invalid_arguments": _invalid_arguments,
    "error_only": _error_only,
    "call_loop": _call_loop,
    "incomplete": _incomplete,
    "below_outcome": _below_outcome,
}
"""Reason -> predicate, in the order of the funnel."""


@lru_cache(maxsize=256)
def _validators(tools: str) -> dict[str, Validator | None]:
    """Tool -> validator of its arguments; None where the recorded schema is itself no valid schema."""
    import jsonschema
    from referencing import Registry

    found: dict[str, Validator | None] = {}
    for tool in _schemas(tools):
        function = tool["function"]
        schema = function.get("parameters") or {}
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
            # An empty registry: a `$ref` to another address is refused, never fetched.
            found[function["name"]] = jsonschema.Draft202012Validator(schema, registry=Registry())
        except (jsonschema.SchemaError, RecursionError):
            found[function["name"]] = None
    return found


def _schemas(tools: str) -> list[dict[str, Any]]:
    parsed: Any = parse_json(tools)
    return list(parsed)
