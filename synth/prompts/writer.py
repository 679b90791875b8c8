"""The prompts of one trajectory: its recorded messages rendered once, then a prompt a turn, or one for all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING
from zlib import crc32

from curate.trajectory import Message, Trajectory
from synth.prompts.dialogue import Shown, shown_action, shown_messages
from synth.prompts.files import prompt_file
from synth.prompts.fitting import fitted
from synth.prompts.tool_list import tool_list
from synth.teachers.asks import Prompt

if TYPE_CHECKING:
    from synth.settings import ModelSettings

ACTION_SHARE = 4
TOOLS_SHARE = 4
"""The action, and the list of tools, take at most 1/4 of a prompt each."""
LEAST_ROOM = 2_000
"""Characters of dialogue that are shown even if the instructions alone fill the prompt."""


class PromptWriter:
    """Prompts of one trajectory.

    A turn's prompt rests on what is recorded before the turn and on the turn itself; neither on what follows, nor on
    thinking, recorded or written. The parts of a turn's prompt, but for the last, are the first parts of every later
    turn's, so a server that caches prefixes reads each message once. Only a dialogue longer than `max_prompt_chars`
    breaks this: what is shortened of it may change as it grows.

    Args:
        row: the trajectory; not changed, and not to be changed while this is in use.
        settings: of the model; `max_prompt_chars` counts.
    """

    def __init__(self, row: Trajectory, settings: ModelSettings) -> None:
        self._messages = row["messages"]
        self._limit = settings.max_prompt_chars
        self._shown = shown_messages(self._messages)
        self._head = _head(row, self._limit // TOOLS_SHARE)
        self._parts: list[str] = [self._head]
        self._before: dict[int, int] = {}
        self._group()
        self._sizes = list(accumulate(len(part) + 2 for part in self._parts))

    def turn(self, message_index: int, failed: Sequence[str] = ()) -> Prompt:
        """The prompt that asks for the thought of one turn.

        Args:
            message_index: of an agent's message.
            failed: codes of the checks that the last thought for this turn failed.

        Raises:
            ValueError: if there is no agent's message.
        """
        if message_index not in self._before:
            raise ValueError(f"message {message_index} is no turn of the agent")
        file = prompt_file("turn")
        system = file.sections["instructions"]
        last = self._turn_ask(message_index, failed)
        count = self._before[message_index]
        room = max(self._limit - len(system) - len(last) - 2, LEAST_ROOM)
        if self._sizes[count - 1] <= room:
            return Prompt(system, (*self._parts[:count], last))
        before = [shown for shown in self._shown[:message_index] if shown is not None]
        texts = fitted(before, max(room - len(self._head) - 2, LEAST_ROOM))
        return Prompt(system, (self._head, "\n\n".join(texts), last))

    def trajectory(self, indices: Sequence[int], failed: Mapping[int, Sequence[str]] | None = None) -> Prompt:
        """The prompt that asks for the thoughts of several turns at once; the teacher sees the whole trajectory.

        A step's number is its message index, so a second request for some of the steps has the same prefix.

        Args:
            indices: of the agent's messages to be explained.
            failed: codes of failed checks by message index.
        """
        file = prompt_file("trajectory")
        system = file.sections["instructions"]
        last = _trajectory_ask(indices, failed or {})
        numbered = [_numbered(shown, at) for at, shown in enumerate(self._shown) if shown is not None]
        room = max(self._limit - len(system) - len(last) - len(self._head) - 4, LEAST_ROOM)
        if sum(shown.size() + 2 for shown in numbered) <= room:
            texts = [shown.text() for shown in numbered]
        else:
            texts = fitted(numbered, room, recent=0)
        return Prompt(system, (self._head, "\n\n".join(texts), last), answers=len(indices))

    def _group(self) -> None:
        """Gather the messages into parts that end where a turn of the agent begins."""
        waiting: list[str] = []
        for index, shown in enumerate(self._shown):
            if shown is None:
                continue
            if shown.role == "assistant":
                if waiting:
                    self._parts.append("\n\n".join(waiting))
                self._before[index] = len(self._parts)
                waiting = []
            waiting.append(shown.text())

    def _turn_ask(self, index: int, failed: Sequence[str]) -> str:
        """The last part: the action, what is asked, where to begin, what to avoid."""
        file = prompt_file("turn")
        message = self._messages[index]
        action = shown_action(message)
        cap = max(self._limit // ACTION_SHARE, LEAST_ROOM)
        text = action.text() if action.size() <= cap else fitted([action], cap)[0]
        places = file.sections[_begin(self._messages, index)].split("\n")
        place = places[crc32(text.encode("utf-8", "surrogatepass")) % len(places)].removeprefix("- ")
        lines = ["</dialogue>", text, file.sections[_ask(message)]]
        lines.append(file.sections["begin"].replace("{place}", place))
        if failed:
            lines.append("\n".join([file.sections["failed"], *file.notes(failed)]))
        return "\n\n".join(lines)


def _head(row: Trajectory, room: int) -> str:
    """What every prompt of the trajectory begins with.

    Inferred tools are left out: they rest on the calls of this and other trajectories, the later ones included.
    """
    listed = "" if row["tools_inferred"] else tool_list(row["tools"], room)
    return f"<tools>\n{listed}\n</tools>\n\n<dialogue>" if listed else "<dialogue>"


def _ask(message: Message) -> str:
    """The section that says what is asked for an action."""
    if not message["tool_calls"]:
        return "ask: text"
    if (message["content"] or "").strip():
        return "ask: call and text"
    return "ask: call" if len(message["tool_calls"]) == 1 else "ask: calls"


def _begin(messages: Sequence[Message], index: int) -> str:
    """The section of places to begin: thoughts that all open alike teach the opening, not the reasoning."""
    roles = [message["role"] for message in messages[:index]]
    if roles[-1:] == ["tool"]:
        return "begin: after result"
    return "begin: after user" if "assistant" in roles else "begin: first"


def _numbered(shown: Shown, index: int) -> Shown:
    if shown.role != "assistant":
        return shown
    opening = f'<message from="agent" step="{index}">'
    return Shown(shown.role, (opening, *shown.pieces[1:]), shown.texts)


def _trajectory_ask(indices: Sequence[int], failed: Mapping[int, Sequence[str]]) -> str:
    file = prompt_file("trajectory")
    lines = ["</dialogue>", file.sections["ask"].replace("{steps}", ", ".join(map(str, sorted(set(indices)))))]
    noted = [index for index in sorted(set(indices)) if failed.get(index)]
    if noted:
        lines.append(file.sections["failed"])
    for index in noted:
        lines.append("\n".join([file.sections["failed: step"].replace("{step}", str(index)),
                                *file.notes(failed[index])]))  # fmt: skip
    return "\n\n".join(lines)
