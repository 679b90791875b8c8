"""OpenAI chat: `messages` of role and content, `tool_calls`, results as `role: tool`; the desk writes it too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.readers.messages import openai_messages
from curate.readers.raw import RawTrajectory, read_tools, take_facts


class OpenAIChat:
    """Records of `{"messages": [...], "tools": [...], ...}`."""

    name = "openai_chat"
    assemble = None

    def matches(self, record: Mapping[str, Any]) -> float:
        """Sure if the first message has a role."""
        messages = record.get("messages")
        if not isinstance(messages, list):
            return 0.0
        first = messages[0] if messages else {"role": None}
        return 0.8 if isinstance(first, Mapping) and "role" in first else 0.0

    def convert(self, record: Mapping[str, Any]) -> RawTrajectory:
        """Read one record."""
        raw = openai_messages(record.get("messages"))
        raw.tools = read_tools(record.get("tools") or record.get("functions"))
        return take_facts(record, raw, {"messages", "tools", "functions"})
