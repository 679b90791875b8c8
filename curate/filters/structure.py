"""Filters of a trajectory's build: its length, its calls and their results, and how it ends."""

from __future__ import annotations

from collections import Counter

from curate.canonical import canonical_json
from curate.env import tool_kind
from curate.filters.base import Context, View
from curate.turns import result_failed


def empty(view: View, context: Context) -> str | None:
    """No message, or none of the assistant."""
    roles = {message["role"] for message in view.row["messages"]}
    if "assistant" not in roles:
        return "no assistant turn" if roles else "no messages"
    return None


def too_short(view: View, context: Context) -> str | None:
    """Fewer messages than asked for."""
    count = len(view.row["messages"])
    return f"{count} messages" if count < context.settings.min_messages else None


def too_long(view: View, context: Context) -> str | None:
    """More messages or characters than asked for."""
    messages = view.row["messages"]
    if len(messages) > context.settings.max_messages:
        return f"{len(messages)} messages"
    sizes = [len(message["content"] or "") + len(message["content_json"] or "") for message in messages]
    sizes += [len(pair.call["arguments"]) for pair in view.pairs]
    if sum(sizes) > context.settings.max_chars:
        return f"{sum(sizes):,} characters, the longest text {max(sizes):,}"
    return None


def no_tool_call(view: View, context: Context) -> str | None:
    """Fewer calls than asked for."""
    count = sum(pair.call["name"] != "" for pair in view.pairs)
    return f"{count} calls" if count < context.settings.min_calls else None


def truncated(view: View, context: Context) -> str | None:
    """The last call has no result."""
    if context.settings.keep_truncated or view.ending != "truncated":
        return None
    return "ends on a call without its result"


def unpaired_calls(view: View, context: Context) -> str | None:
    """Calls without a result and results without a call."""
    cut_off = -1  # the turn that a truncated end cut off, whose calls are excused if such ends are kept
    if context.settings.keep_truncated and view.ending == "truncated":
        cut_off = view.pairs[-1].message_index
    lost = [pair for pair in view.pairs if pair.result_index is None and pair.message_index != cut_off]
    stray = [index for index, message in enumerate(view.row["messages"]) if message["pair_status"] == "unpaired"]
    if len(lost) + len(stray) <= context.settings.max_unpaired:
        return None
    where = f"the call in message {lost[0].message_index}" if lost else f"the result in message {stray[0]}"
    return f"{len(lost)} calls without result, {len(stray)} results without call; first {where}"


def unparsed_arguments(view: View, context: Context) -> str | None:
    """Arguments that are neither JSON nor a Python literal."""
    bad = [pair for pair in view.pairs if pair.call["args_status"] == "unparsed"]
    if len(bad) <= context.settings.max_unparsed:
        return None
    return f"message {bad[0].message_index}: {bad[0].call['name']}({bad[0].call['arguments'][:80]})"


def error_only(view: View, context: Context) -> str | None:
    """Every call that has a result failed."""
    results = [view.row["messages"][pair.result_index] for pair in view.pairs if pair.result_index is not None]
    if not context.settings.error_only or not results:
        return None
    return f"all {len(results)} calls failed" if all(result_failed(item, view.rules) for item in results) else None


def call_loop(view: View, context: Context) -> str | None:
    """The same call with the same result again and again."""
    most = context.settings.max_repeats
    for name, places in _alike(view, most).items():
        seen = Counter(_canonical(view, at) for at in places)
        text, count = seen.most_common(1)[0]
        if count > most:
            return f"{count} times {name[0]}({text[:80]}) with the same result"
    return None


def _alike(view: View, most: int) -> dict[tuple[str, str | None], list[int]]:
    """Places in `pairs` by tool and result, where there are enough for a loop; think tools say nothing new anyway."""
    found: dict[tuple[str, str | None], list[int]] = {}
    if len(view.pairs) > most:
        for at, pair in enumerate(view.pairs):
            if pair.result_index is not None and tool_kind(pair.call["name"], view.rules)[0] != "pure":
                result = view.row["messages"][pair.result_index]["content"]
                found.setdefault((pair.call["name"], result), []).append(at)
    return {key: places for key, places in found.items() if len(places) > most}


def _canonical(view: View, at: int) -> str:
    arguments = view.arguments[at]
    return view.pairs[at].call["arguments"] if arguments is None else canonical_json(arguments)


def incomplete(view: View, context: Context) -> str | None:
    """No final turn, no stop message, no terminal tool at the end."""
    if context.settings.keep_incomplete or view.ending != "incomplete":
        return None
    if not view.row["messages"]:
        return "no messages"
    last = view.row["messages"][-1]
    return f"ends on a {last['role']} message that is no stop and no terminal tool's result"
