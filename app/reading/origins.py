"""Where an argument's value came from: the latest message before the call that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curate.canonical import parse_arguments
from curate.trajectory import Message
from synth.value_forms import Path, is_trivial, leaves, normal, spoken_forms
from synth.value_places import read_result

MAX_VALUES = 40
"""Values of one call that are looked up."""
MAX_TEXT = 200_000
"""Characters of a message that are searched."""


@dataclass(frozen=True)
class Origin:
    """A value of a call's arguments, and the message that showed it; None where none did."""

    path: str
    value: Any
    message_index: int | None
    role: str | None
    where: str

    @property
    def told(self) -> str:
        """Where it came from, in words."""
        if self.message_index is None:
            return self.where
        return f"{self.role} {self.message_index}" + (f", {self.where}" if self.where else "")


def origins(messages: Sequence[Message], message_index: int, arguments: str | None) -> list[Origin]:
    """One entry a value of a call's arguments, in their order; empty where they cannot be parsed."""
    parsed = parse_arguments(arguments)[0]
    if not parsed:
        return []
    found = list(leaves(parsed))[:MAX_VALUES]
    return [_origin(messages, message_index, path, value) for path, value in found]


def _origin(messages: Sequence[Message], before: int, path: Path, value: Any) -> Origin:
    named = written(path)
    if is_trivial(value):
        return Origin(named, value, None, None, "too common to be traced")
    wanted = normal(value)
    forms = [form.lower() for form in spoken_forms(value)]
    for index in range(before - 1, -1, -1):
        where = _shown_in(messages[index], wanted, forms)
        if where is not None:
            return Origin(named, value, index, messages[index]["role"], where)
    return Origin(named, value, None, None, "not seen before")


def _shown_in(message: Message, wanted: str, forms: Sequence[str]) -> str | None:
    """Where in a message a value stands; None if it does not."""
    text = message["content"]
    if not text or len(text) > MAX_TEXT:
        return None
    if message["role"] == "tool":
        places = read_result(text).places.get(wanted)
        if places:
            holder, key = places[0]
            return written((*holder.path, key) if key != "" else holder.path)
    lowered = text.lower()
    return "" if any(form in lowered for form in forms) else None


def written(path: Path) -> str:
    """A path as people write it: `items[2].price`."""
    said = ""
    for key in path:
        said += f"[{key}]" if isinstance(key, int) else f".{key}" if said else str(key)
    return said
