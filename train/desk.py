"""The live desk as what answers the calls of a rollout: the control that says what training on the cache was worth."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachebuild.answer import Answer
from curate.canonical import compact_json, json_object
from curate.readers.messages import message
from curate.sandbox.checking import CheckResult, check
from curate.sandbox.recording import SYSTEM
from curate.sandbox.tasks import Scene, Task
from curate.sandbox.users import ScriptedUser
from curate.sandbox.world import World, preset_of, tool_schemas
from curate.trajectory import Trajectory, trajectory_of
from train.dialogue import Case, Dialogue

if TYPE_CHECKING:
    from train.evaluate_settings import EvaluateSettings


@dataclass(frozen=True)
class DeskTasks:
    """Tasks of a desk, by start state.

    Attributes:
        preset: mini or full.
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


class LiveSession:
    """One episode on a live desk; answers calls as a cache's session does.

    Attributes:
        ended: a tool was called behind which there is no more to say.
    """

    def __init__(self, task: Task, trial: int) -> None:
        self.task = task
        self.ended = False
        self._trial = trial
        self._world: World | None = None

    def turn(self, calls: Sequence[tuple[str, str]]) -> list[Answer]:
        """What the desk says to the calls of a turn."""
        return [self._answer(tool, arguments) for tool, arguments in calls]

    def _answer(self, tool: str, arguments: str) -> Answer:
        self._world = self._world or self.task.world(self._trial)
        said = self._world.call(tool, json_object(arguments))
        failed = said.startswith("Error")
        known = self._world.preset.tools.get(tool)
        self.ended |= known is not None and known.kind == "terminal" and not failed
        return Answer(said, "exact", 1.0, "live", failed=failed, origin="live")

    def judge(self, answer: str) -> CheckResult:
        """The checker's word on the end state and the answer; nothing can be called after it."""
        end = self._world.end_state() if self._world is not None else {}
        if self._world is not None:
            self._world.close()
        return check(self.task, end, answer)


class DeskUser:
    """A scripted user of the full desk; one who hears nothing asks again."""

    def __init__(self, task: Task, trial: int) -> None:
        self._user = ScriptedUser(task, random.Random(f"live|{task.task_id}|{trial}"))

    def open(self) -> str:
        """The first message."""
        return self._user.open()

    def hear(self, answer: str) -> tuple[str | None, bool]:
        """What the user says to an answer, and whether it is the last they say."""
        said = self._user.reply(answer) if answer.strip() else self._user.repeat()
        return said, self._user.done


@dataclass(frozen=True)
class DeskDialogues:
    """The attempts at the tasks of a desk, those at one task after another."""

    settings: EvaluateSettings

    def __iter__(self) -> Iterator[Dialogue]:
        live, settings = self.settings.live, self.settings
        for task in DeskTasks(live.preset, settings.tasks, settings.seed, live.first_state):
            for trial in range(settings.samples):
                yield desk_dialogue(task, trial)


def desk_dialogue(task: Task, trial: int) -> Dialogue:
    """One attempt at a task of a desk; on the mini desk the user says all in one message."""
    user = None if task.preset == "mini" else DeskUser(task, trial)
    row = start_of(task, task.requests[0].goal if user is None else user.open())
    case = Case(task.task_id, "", task.kind, trial, row, task.gold_calls)
    return Dialogue(case, LiveSession(task, trial), user)


def start_of(task: Task, said: str) -> Trajectory:
    """A task as a dialogue that begins with what the user says."""
    return trajectory_of(
        task.task_id,
        [message("system", SYSTEM[task.preset]["content"]), message("user", said)],
        source="desk",
        env_id=preset_of(task.preset).env_id,
        task_id=task.task_id,
        initial_state_id=task.initial_state_id,
        tools=compact_json(tool_schemas(task.preset)),
        split="test",
    )


def judged(dialogue: Dialogue) -> CheckResult | None:
    """The checker's word on a played dialogue; None for one that was not on the desk."""
    session = dialogue.episode
    if not isinstance(session, LiveSession):
        return None
    try:
        return session.judge(dialogue.answer)
    except Exception as error:
        dialogue.crashed(error)
        return CheckResult(0.0, False, (), session.task.required_facts)
