"""OpenAI chat: `messages` of role and content, `tool_calls`, results as `role: tool`; the desk writes it too.

It is what any list of role and content falls to, so it is the least sure of all that know such a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.readers.messages import KNOWN_ROLES, openai_messages
from curate.readers.raw import RawTrajectory, json_column, read_tools, take_facts


class OpenAIChat:
    """Records of `{"messages": [...], "tools": [...], ...}`."""

    name = "openai_chat"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure if every message has a role that OpenAI knows, surer if calls or results are OpenAI's."""
        messages = record.get("messages")
        if isinstance(messages, str):  # a column of a table
            return 0.5 if messages.lstrip()[:1] == "[" and '"role"' in messages else 0.0
        if not isinstance(messages, list) or not all(isinstance(item, Mapping) for item in messages):
            return 0.0
        if not all(isinstance(item.get("role"), str) for item in messages):
            return 0.0
        if not all(item["role"] in KNOWN_ROLES for item in messages):
            return 0.2
        return 0.9 if any(item.get("tool_calls") or item.get("tool_call_id") for item in messages) else 0.8

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one record."""
        raw = openai_messages(json_column(record, "messages", list))
        raw.tools = read_tools(record.get("tools") or record.get("functions"))
        return take_facts(record, raw, {"messages", "tools", "functions"})
