"""Thinking and chat markup that a recording left in what the user was shown."""

from __future__ import annotations

import re

from curate.filters.base import Context, View

# Tags of thinking, control tokens of chat templates (<|im_start|>, <|channel|>analysis) and calls written as text.
_MARKUP = re.compile(
    r"</?(?:think|thinking|thought|reasoning|scratchpad|reflection|tool_call|tool_response|function_call|function_calls)\b"
    r"[^<>\n]{0,80}>"
    r"|<\|[a-z][a-z0-9_]{1,40}\|>"
    "|<\uff5c[^\uff5c<>\n]{1,60}\uff5c>"
    r"|\[/?(?:THINK|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]",
    re.IGNORECASE,
)
# ReAct: its thought and its input have names of their own; "Action:" alone is also how people head a list of changes.
_REACT = re.compile(
    r"^[ \t]*(?:\*\*)?(?:Thought|Action Input)(?:\*\*)?[ \t]*:|^[ \t]*Action[ \t]*:[ \t]*[\w.\-]{1,80}[\[(]",
    re.MULTILINE,
)
_GATES = ("<", "[", "thought", "action")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)


def leaked_thinking(view: View, context: Context) -> str | None:
    """Assistant turns whose visible text holds thinking, ReAct or chat markup; what stands in code marks is quoted."""
    if not any(gate in view.spoken_text for gate in _GATES):
        return None
    found = [(index, leak) for index, text in view.spoken if (leak := _leak(text)) is not None]
    if len(found) <= context.settings.content.max_leaked_turns:
        return None
    index, leak = found[0]
    return f"message {index}: {leak[:80]!r} in the visible text" + (f", {len(found)} turns in all" if found[1:] else "")


def _leak(text: str) -> str | None:
    if _MARKUP.search(text) is None and _REACT.search(text) is None:
        return None
    plain = _CODE.sub(" ", text) if "`" in text else text
    match = _MARKUP.search(plain) or _REACT.search(plain)
    return match[0].strip() if match else None
