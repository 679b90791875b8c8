"""What a teacher is: given one turn and only what came before it, it writes the thought that leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from curate.env import DEFAULT_RULES, EnvRules
from curate.trajectory import Message, Origin, Trajectory


@dataclass(frozen=True, slots=True)
class TurnView:
    """One assistant turn as a teacher may see it; later messages are not in it.

    Attributes:
        trajectory_id: of the row; with message_index it seeds the choice of words.
        message_index: of the turn.
        messages: the recorded messages before the turn, never earlier generated thoughts.
        action: the turn to be explained, without reasoning.
        tools: the row's tools, as JSON text.
        rules: what is known of the env.
    """

    trajectory_id: str
    message_index: int
    messages: tuple[Message, ...]
    action: Message
    tools: str
    rules: EnvRules = DEFAULT_RULES


@dataclass(frozen=True, slots=True)
class Thought:
    """What a teacher wrote.

    Attributes:
        text: the thought.
        sources: where each argument of the turn's calls was found: "user", "result:TOOL", "nothing" ...; a model's
            thought has none.
    """

    text: str
    sources: tuple[str, ...] = ()


class Teacher(Protocol):
    """Writes thoughts. The same view gives the same thought from the offline teacher; a model's are journaled.

    Attributes:
        name: stands in `thinking.teacher`.
        prompt_version: stands in `thinking.prompt_version`; changes when the thoughts of an equal view would.
        origin: "rule" or "teacher".
    """

    name: str
    prompt_version: str
    origin: Origin

    def write(self, view: TurnView) -> Thought | None:
        """The thought of one turn, or None where there is nothing to say."""
        ...


def turn_view(row: Trajectory, message_index: int, rules: EnvRules = DEFAULT_RULES) -> TurnView:
    """The view of one turn: a copy that ends where the turn begins."""
    messages: Sequence[Message] = row["messages"]
    action = messages[message_index].copy()
    action["reasoning_content"] = None
    before = tuple(messages[:message_index])
    return TurnView(row["trajectory_id"], message_index, before, action, row["tools"], rules)
