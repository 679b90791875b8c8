"""Recording: scripted agents play the tasks of a run, and each episode becomes one OpenAI-chat trajectory."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import xxhash

from curate.errors import UsageError
from curate.sandbox import mini, shop
from curate.sandbox.agents import Agent, Ended, GivenUp
from curate.sandbox.checking import CheckResult, check
from curate.sandbox.errands import ERRANDS
from curate.sandbox.mini_agents import play_mini
from curate.sandbox.phrases import sentences
from curate.sandbox.skills import Skill, chosen_skills
from curate.sandbox.tasks import Scene, Task
from curate.sandbox.transcript import Transcript
from curate.sandbox.users import ScriptedUser
from curate.sandbox.world import World, preset_of

SYSTEM: Final = {
    "full": {"role": "system", "content": shop.POLICY},
    "mini": {"role": "system", "content": mini.POLICY},
}
"""The system message of each preset."""

_ASKS_MORE: Final = 0.72


def record(
    episodes: int,
    seed: int = 0,
    preset: str = "full",
    *,
    tasks_per_state: int = 50,
    trials: int = 3,
    skills: tuple[str, ...] = (),
    first_state: int = 0,
) -> Iterator[dict[str, Any]]:
    """Record episodes, the attempts at one task after another.

    Args:
        episodes: how many.
        seed: of the run; the same settings give the same records.
        preset: `full` or `mini`.
        tasks_per_state: how many tasks share a start state.
        trials: attempts at each task, by agents drawn from the mix.
        skills: names of the agents that play; none for all.
        first_state: number of the run's first start state; other states give held-out tasks.

    Yields:
        One record an episode; `tools` and the system message are shared between records: do not change them.

    Raises:
        UsageError: a setting cannot be right.
    """
    for name, value in (("episodes", episodes), ("tasks_per_state", tasks_per_state), ("trials", trials)):
        if value < 1:
            raise UsageError(f"{name} is {value}; it must be at least 1")
    if seed < 0 or first_state < 0:
        raise UsageError(f"seed {seed} or first_state {first_state} is negative; use 0 or more")
    preset_of(preset)
    return _record(episodes, seed, preset, tasks_per_state, trials, chosen_skills(skills), first_state)


def _record(
    episodes: int,
    seed: int,
    preset: str,
    tasks_per_state: int,
    trials: int,
    skills: tuple[Skill, ...],
    first_state: int,
) -> Iterator[dict[str, Any]]:
    shares = [skill.share for skill in skills]
    task: Task | None = None
    place: Scene | None = None
    for number in range(episodes):
        which, trial = divmod(number, trials)
        state, index = divmod(which, tasks_per_state)
        if place is None or (index == 0 and trial == 0):
            if place is not None:
                place.world.close()
            place = Scene(preset, seed, first_state + state)
        if task is None or trial == 0:
            task = place.task(index)
        rng = random.Random(f"episode|{task.task_id}|{trial}")
        skill = rng.choices(skills, shares)[0]
        yield play(task, place.world, skill, trial, rng)
    if place is not None:
        place.world.close()


def play(task: Task, world: World, skill: Skill, trial: int, rng: random.Random) -> dict[str, Any]:
    """Play one episode and judge it.

    Args:
        task: what the user wants.
        world: a world in the task's start state; it is reset first.
        skill: the agent's.
        trial: which attempt at the task.
        rng: what chooses words and slips.

    Returns:
        The record.
    """
    world.reset(task.noise(trial))
    prefix = f"call_{xxhash.xxh3_64_hexdigest(f'{task.task_id}|{trial}'.encode())[:10]}"
    log = Transcript(world, SYSTEM[task.preset], prefix)
    if task.preset == "mini":
        play_mini(log, task.requests[0], skill, rng)
    else:
        _play_full(log, task, skill, rng)
    result = check(task, world.end_state(), "\n".join(log.said))
    return _as_record(task, log, skill, trial, result)


def _play_full(log: Transcript, task: Task, skill: Skill, rng: random.Random) -> None:
    user = ScriptedUser(task, rng)
    log.user(user.open())
    agent = Agent(log, user, skill, rng)
    try:
        while True:
            kind = task.requests[user.place].kind
            try:
                answer = ERRANDS[kind](agent)
            except GivenUp as given_up:
                answer = given_up.answer
            softener = agent.soften()
            agent.tell(sentences([softener, answer, agent.more() if rng.random() < _ASKS_MORE else ""]))
    except Ended:
        pass


def _as_record(task: Task, log: Transcript, skill: Skill, trial: int, result: CheckResult) -> dict[str, Any]:
    metadata = {
        "preset": task.preset,
        "seed": int(task.task_id.split("-")[1]),
        "skill": skill.name,
        "task_kind": task.kind,
        "instruction": task.instruction,
        "gold_calls": [{"name": tool, "arguments": arguments} for tool, arguments in task.gold_calls],
        "required_facts": list(task.required_facts),
        "checks": result.as_dict(),
    }
    return {
        "task_id": task.task_id,
        "trial": trial,
        "reward": result.reward,
        "env_id": log.world.preset.env_id,
        "initial_state_id": task.initial_state_id,
        "messages": log.messages,
        "tools": log.world.tools,
        "metadata": metadata,
    }
