"""The live desk as what answers the calls of a rollout: the control that says what training on the cache was worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cachebuild.answer import Answer
from curate.canonical import compact_json, json_object
from curate.readers.messages import message
from curate.sandbox.checking import CheckResult, check
from curate.sandbox.recording import SYSTEM
from curate.sandbox.tasks import Scene, Task
from curate.sandbox.world import World, preset_of
from curate.trajectory import Trajectory, trajectory_of
from train.tokens import Part, parts


@dataclass(frozen=True)
class DeskTasks:
    """Tasks of a desk, by start state.

    Attributes:
        preset: mini; its requests are said in one message.
        count: how many.
        seed: of the run that the start states belong to.
        first_state: number of the first start state; those of recordings are to be left out.
        per_state: tasks of one start state.
    """

    preset: str
    count: int
    seed: int
    first_state: int
    per_state: int = 50

    def __iter__(self) -> Iterator[Task]:
        for number in range(0, self.count, self.per_state):
            scene = Scene(self.preset, self.seed, self.first_state + number // self.per_state)
            for index in range(min(self.per_state, self.count - number)):
                yield scene.task(index)
            scene.world.close()


def start_of(task: Task) -> tuple[Trajectory, Part]:
    """A task as a dialogue that the model is to go on with."""
    world = preset_of(task.preset)
    tools = World(task.state_seed, task.preset).tools
    messages = [
        message("system", SYSTEM[task.preset]["content"]),
        message("user", task.requests[0].goal),
        message("assistant", ""),
    ]
    row = trajectory_of(
        task.task_id,
        messages,
        source="desk",
        env_id=world.env_id,
        task_id=task.task_id,
        initial_state_id=task.initial_state_id,
        tools=compact_json(tools),
        split="test",
    )
    return row, next(parts(row))


class LiveSession:
    """One episode on a live desk; answers calls as a cache's session does."""

    def __init__(self, task: Task, trial: int) -> None:
        self.task = task
        self.world = task.world(trial)

    def turn(self, calls: Sequence[tuple[str, str]]) -> list[Answer]:
        """What the desk says to the calls of a turn."""
        return [self._answer(tool, arguments) for tool, arguments in calls]

    def _answer(self, tool: str, arguments: str) -> Answer:
        said = self.world.call(tool, json_object(arguments))
        return Answer(said, "exact", 1.0, "live", failed=said.startswith("Error"), origin="live")

    def judge(self, answer: str) -> CheckResult:
        """The checker's word on the end state and the answer."""
        return check(self.task, self.world.end_state(), answer)


class LiveDesk:
    """Gives out live sessions in the order in which rollouts begin."""

    def __init__(self, tasks: Sequence[tuple[Task, int]]) -> None:
        self._waiting = iter(tasks)
        self.sessions: list[LiveSession] = []

    def session(self, *_: Any, **__: Any) -> LiveSession:
        """The next task's session."""
        self.sessions.append(LiveSession(*next(self._waiting)))
        return self.sessions[-1]

    def close(self) -> None:
        """Let go of the worlds."""
        for session in self.sessions:
            session.world.close()
