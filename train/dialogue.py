"""Dialogues of a model with a user, in rounds: all take their user turns together, so that turns are generated at once.

Each user turn is a rollout of its own that goes on from what was said; the episode that answers calls stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from curate.canonical import compact_json
from curate.readers.messages import message
from curate.trajectory import Evidence, Message, Trajectory
from curate.trl_form import training_row
from train.rollout import Episode, Rollout, RolloutTask
from train.tokens import Part

Run: TypeAlias = Callable[[Sequence[RolloutTask]], list[Rollout]]
"""Something that runs rollouts: one a task, in order; one that fails is a crashed rollout."""


class User(Protocol):
    """Whom the model talks to."""

    def hear(self, answer: str) -> tuple[str | None, bool]:
        """What the user says to an answer, None for nothing, and whether it is the last they say."""
        ...


@dataclass(frozen=True)
class Case:
    """One attempt at a task.

    Attributes:
        task_id: of what is drawn anew for an interval: attempts and turns of one task are alike.
        turn: a recorded user turn, as TRAJECTORY:MESSAGE; empty on the desk.
        kind: of the task.
        trial: number of the attempt.
        row: the dialogue up to and with the user message that the model answers first.
        expected: the calls that do it, in order.
        seed: picks among recorded outcomes.
    """

    task_id: str
    turn: str
    kind: str
    trial: int
    row: Trajectory
    expected: Sequence[tuple[str, Mapping[str, Any]]]
    seed: int = 0


@dataclass
class Dialogue:
    """One attempt as it is played.

    Attributes:
        case: what is tried.
        episode: answers its calls; None leaves that to the loop's cache.
        user: answers the model; None for one that has nothing more to say.
        messages: what was said since the case's row, by the model, tools and the user.
        evidence: one a call; message indices count from the first of `messages`.
        answers: the model's texts without a call.
        rollouts: user turns so far.
        turns: turns of the model.
        malformed: calls that could not be run.
        status: how it ended; None while it goes on.
        error: what crashed.
    """

    case: Case
    episode: Episode | None = None
    user: User | None = None
    messages: list[Message] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    rollouts: int = 0
    turns: int = 0
    malformed: int = 0
    status: str | None = None
    error: str | None = None

    @property
    def answer(self) -> str:
        """All that the model told the user."""
        return "\n".join(self.answers)

    def task(self, *, kept: bool) -> RolloutTask:
        """The user turn that the model is to answer now."""
        row = self.case.row | {"messages": [*self.case.row["messages"], *self.messages]}
        return RolloutTask(row, open_part(row, kept=kept), self.case.seed, self.episode)

    def take(self, rollout: Rollout) -> None:
        """Take in a rollout, and hear what the user says to it.

        Raises:
            ValueError: if it holds text that no file can (half a surrogate pair); nothing of it is taken in then.
        """
        compact_json([rollout.error, rollout.messages]).encode()
        offset = len(self.messages)
        self.messages += _renumbered(rollout.messages, self.rollouts)
        self.evidence += [step | {"message_index": step["message_index"] + offset} for step in rollout.evidence]
        self.rollouts += 1
        self.turns += len(rollout.turn_lengths)
        self.malformed += rollout.malformed
        if rollout.status != "answered":
            self.status, self.error = rollout.status, rollout.error
            return
        self.answers.append(rollout.answer)
        if getattr(self.episode, "ended", False):
            self.status = "handed_over"
        elif self.user is None:
            self.status = "answered"
        else:
            self._hear(self.user, rollout.answer)

    def _hear(self, user: User, answer: str) -> None:
        said, last = user.hear(answer)
        if said is not None:
            self.messages.append(message("user", said))
        if last:
            self.status = "user_done"

    def crashed(self, error: Exception) -> None:
        """End it by an error: a bad episode is data."""
        self.status, self.error = "crashed", f"{type(error).__name__}: {error}"


def play(dialogues: Sequence[Dialogue], run: Run, *, kept: bool, most: int) -> None:
    """Play dialogues to their ends.

    Args:
        dialogues: not begun yet.
        run: runs rollouts.
        kept: thoughts of earlier user turns stay in the prompt.
        most: user turns; a dialogue that would go on ends there.
    """
    for _ in range(most):
        begun = list(_begun(dialogues, kept=kept))
        if not begun:
            return
        for (dialogue, _), rollout in zip(begun, run([task for _, task in begun]), strict=True):
            try:
                dialogue.take(rollout)
            except Exception as error:
                dialogue.crashed(error)
    for dialogue in dialogues:
        dialogue.status = dialogue.status or "user_turn_limit"


def _begun(dialogues: Sequence[Dialogue], *, kept: bool) -> Iterator[tuple[Dialogue, RolloutTask]]:
    for dialogue in dialogues:
        if dialogue.status is None:
            try:
                yield dialogue, dialogue.task(kept=kept)
            except Exception as error:
                dialogue.crashed(error)


def open_part(row: Trajectory, *, kept: bool) -> Part:
    """The last user turn of a dialogue, as yet without an answer; earlier thoughts in it are kept or left out."""
    form = training_row(row)
    history = form["messages"]
    if not kept:
        history = [{name: value for name, value in each.items() if name != "reasoning_content"} for each in history]
    return Part(len(history) - 1, history, [], [], form["tools"])


def _renumbered(messages: Sequence[Message], number: int) -> list[Message]:
    """Messages of a later user turn with ids of their own: each rollout counts its calls from 0."""
    if not number:
        return list(messages)
    found: list[Message] = []
    for each in messages:
        calls = [call | {"id": f"turn_{number}_{call['id']}"} for call in each["tool_calls"]]
        answers = each["tool_call_id"] and f"turn_{number}_{each['tool_call_id']}"
        found.append(each | {"tool_calls": calls, "tool_call_id": answers})
    return found
