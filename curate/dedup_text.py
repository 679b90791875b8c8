"""The text by which two trajectories are near-duplicates: what was said, called and answered, and nothing around it.

Left out are system and developer messages, tool schemas, ids of calls, thinking (reasoning, and calls of a think tool),
and timestamps: ISO 8601 dates with a time of day, as `2024-05-15T15:00:00Z` or `2024-05-15 15:00`. A date alone stays:
it is what users ask about. Numbers of seconds stay too, as nothing tells them from other numbers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias

from curate.trajectory import Message, Trajectory

View: TypeAlias = Literal["whole", "calls", "user"]
VIEWS: tuple[View, ...] = ("whole", "calls", "user")

DEDUP_TEXT_VERSION = "1"
"""Changes when the texts change: their signatures are comparable only within one version."""

_TIMESTAMP = re.compile(
    r"[12][0-9]{3}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9](?::[0-6][0-9](?:[.,][0-9]{1,9})?)?"
    r"(?:[Zz]|[+-][0-2][0-9]:?[0-5][0-9])?"
)
_HAS_TIME = re.compile(r"[0-9][Tt ][0-2][0-9]:")
_THINK_TOOL = re.compile(r"(?:.*[_\-.])?think(?:ing)?", re.IGNORECASE)


def dedup_text(row: Trajectory, view: View = "whole") -> str:
    """The canonical text of a trajectory, one part a line.

    Args:
        row: the trajectory; its messages alone are read.
        view: `whole`: all that is said, called and answered; `calls`: names and arguments of calls; `user`: what the
            user says.

    Returns:
        The text; empty if the view holds nothing. It can always be written as UTF-8.
    """
    parts: list[str] = []
    for message in row["messages"]:
        role = message["role"]
        if role == "system" or role == "developer":
            continue
        if view == "whole" or (view == "user" and role == "user"):
            if message["content"]:
                parts.append(message["content"])
            if message["content_json"]:
                parts.append(message["content_json"])
        if view != "user" and message["tool_calls"]:
            _add_calls(message, parts)
    text = "\n".join(parts)
    if _HAS_TIME.search(text):
        text = _TIMESTAMP.sub(" ", text)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _add_calls(message: Message, parts: list[str]) -> None:
    for call in message["tool_calls"]:
        if not _is_think_tool(call["name"]):
            parts.append(call["name"])
            parts.append(call["arguments"])


@lru_cache(maxsize=4096)
def _is_think_tool(name: str) -> bool:
    return _THINK_TOOL.fullmatch(name) is not None
