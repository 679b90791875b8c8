"""The control: a cache of desk recordings beside the live desk, call by call and episode by episode.

Scripted agents play new episodes in start states that the cache knows: tasks that it has seen, by other agents, and
others. Their calls, as played and as changed, go to the live desk and to a cache session; then each episode is played
once more on the cache alone, and the desk's checker judges both. A few more play in start states that the cache lacks:
nothing may be a hit there.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachebuild.answer import Answer
from cachebuild.audit_report import PLAYED
from cachebuild.key import read_arguments
from cachebuild.lookup import Query
from cachebuild.perturb import Scenery, Turn, changed
from cachebuild.state import SessionState
from curate.canonical import hash128, json_object
from curate.errors import UsageError
from curate.sandbox.recording import play
from curate.sandbox.skills import SKILLS, Skill
from curate.sandbox.tasks import Task, scene
from curate.sandbox.world import World, preset_of

if TYPE_CHECKING:
    from cachebuild.audit import Auditor, Row
    from cachebuild.cache import ToolCache
    from cachebuild.session import Session
    from cachebuild.settings import AuditSettings

_FIRST_TRIAL = 1_000_000
"""Attempts far behind those of recordings: other words, other slips, other noise."""
_VOLATILE = ("volatile", "failing")
_SHARE_SEEN = 0.5
_ONE_ELSEWHERE = 20
"""One episode from an unknown start state to so many others."""


@dataclass(frozen=True)
class Episode:
    """One episode to be played: what is wanted, by whom, in which attempt."""

    task: Task
    skill: Skill
    trial: int
    seen_task: bool
    seed: int

    @property
    def trajectory_id(self) -> str:
        """Names the episode in all tables."""
        return hash128("live", str(self.seed), str(self.trial), self.task.task_id)

    def rng(self) -> random.Random:
        """What chooses the agent's words and slips; the same for every world it plays in."""
        return random.Random(f"live|{self.seed}|{self.trial}|{self.task.task_id}")

    def play(self, world: World) -> dict[str, Any]:
        """The record of the episode in a world."""
        return play(self.task, world, self.skill, self.trial, self.rng())


class Known:
    """The tasks of the desk that a cache holds, by start state (`preset-seed-state`).

    Args:
        auditor: with the cache's folder.
        preset: whose recordings are looked for.

    Raises:
        UsageError: there are none, or the desk has changed since.
    """

    def __init__(self, auditor: Auditor, preset: str) -> None:
        import polars as pl

        from cachebuild.served import served_entries

        env_id = preset_of(preset).env_id
        rows = served_entries(auditor.folder).select("env_id", "initial_state_id", "task_id").unique().collect()
        found = rows.filter(pl.col("env_id") == env_id).sort("task_id")
        self.tasks: dict[tuple[int, int], list[int]] = {}
        for state_id, task_id in found.select("initial_state_id", "task_id").iter_rows():
            numbers = str(task_id).removeprefix(f"{preset}-").split("-")
            if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
                continue
            place = (int(numbers[0]), int(numbers[1]))
            if place not in self.tasks and scene(preset, *place).world.initial_state_id != state_id:
                raise UsageError(
                    f"{auditor.folder.path}: task {task_id} was recorded in another version of the desk; record it "
                    "again: python -m curate.sandbox"
                )
            self.tasks.setdefault(place, []).append(int(numbers[2]))
        if not self.tasks:
            envs = ", ".join(sorted(map(str, rows["env_id"].unique()))) or "none"
            raise UsageError(
                f"{auditor.folder.path} holds no recordings of the desk with preset {preset} (env {env_id}); its envs: "
                f"{envs}. Record some with python -m curate.sandbox, or ask recorded calls with --queries DIR"
            )

    def episodes(self, preset: str, count: int, seed: int) -> list[Episode]:
        """New episodes: half of them of tasks that the cache has seen, by other agents; the order is by start state."""
        places = sorted(self.tasks)
        skills, shares = list(SKILLS.values()), [skill.share for skill in SKILLS.values()]
        found = []
        for number in range(count):
            rng = random.Random(f"episode|live|{seed}|{number}")
            place = places[number * len(places) // count] if count >= len(places) else rng.choice(places)
            known, seen = self.tasks[place], rng.random() < _SHARE_SEEN
            index = rng.choice(known) if seen else _new_index(known, rng)
            task = scene(preset, *place).task(index)
            skill = rng.choices(skills, shares)[0]
            found.append(Episode(task, skill, _FIRST_TRIAL + number, index in known, seed))
        return found

    def elsewhere(self, preset: str, count: int, seed: int) -> list[Episode]:
        """Episodes from start states that the cache lacks, behind the last that it has."""
        world_seed, last = max(self.tasks)
        rng = random.Random(f"elsewhere|live|{seed}")
        tasks = [scene(preset, world_seed, last + 1 + at).task(rng.randrange(50)) for at in range(count)]
        skill = next(iter(SKILLS.values()))
        return [Episode(task, skill, _FIRST_TRIAL + at, False, seed) for at, task in enumerate(tasks)]


def _new_index(known: list[int], rng: random.Random) -> int:
    """The number of a task that was not recorded: one left out of the recording, or one behind it."""
    return rng.choice([number for number in range(2 * max(known) + 2) if number not in set(known)])


class DeskOnCache(World):
    """A desk whose agents hear the cache alone; the desk itself goes along, so that its end state can be judged."""

    session: Session
    calls: int
    right: int | None

    def begin(self, session: Session) -> None:
        """Start an episode on a session."""
        self.session, self.calls, self.right = session, 0, None

    def call(self, tool: str, arguments: Mapping[str, Any] | None) -> str:
        """What the cache says; a miss reads as a failed call of the desk."""
        live = super().call(tool, arguments)
        if arguments is None:  # no look-up is needed to refuse broken JSON
            return live
        answer = self.session.call(tool, arguments)
        volatile = self.tool_kinds.get(tool) in _VOLATILE
        if self.right is None and answer.result != live and not volatile:
            self.right = self.calls
        self.calls += 1
        return "Error: no recorded result" if answer.tier == "unavailable" else answer.result


def live_rows(
    auditor: Auditor, settings: AuditSettings, judged: list[dict[str, Any]], elsewhere: Counter[str]
) -> Iterator[Row]:
    """Rows of table `audit`: every call of every episode, as played and once more with changes.

    Args:
        auditor: compares answers.
        settings: how many episodes, of which desk.
        judged: takes in a row of table `episodes` for each.
        elsewhere: takes in the tiers of calls from start states that the cache lacks.
    """
    known = Known(auditor, settings.preset)
    sceneries: dict[str, Scenery] = {}
    desk: DeskOnCache | None = None
    for number, episode in enumerate(known.episodes(settings.preset, settings.episodes, settings.seed)):
        task = episode.task
        if desk is None or desk.initial_state_id != task.initial_state_id:
            if desk is not None:
                desk.close()
            desk = DeskOnCache(task.state_seed, task.preset)
            world = World(task.state_seed, task.preset)
        record = episode.play(world)
        turns = _turns(record["messages"])
        scenery = sceneries.setdefault(task.initial_state_id, Scenery(world.tool_kinds, _optional(world)))
        scenery.meet(turns)
        yield from _side_by_side(auditor, world, episode, turns, PLAYED)
        found = changed(turns, scenery, episode.rng(), number)
        if found is not None:
            yield from _side_by_side(auditor, world, episode, found[1], found[0])
        judged.append(_on_cache(auditor.cache, desk, episode, record))
    if desk is not None:
        desk.close()
        world.close()
    count = -(-settings.episodes // _ONE_ELSEWHERE)
    for episode in known.elsewhere(settings.preset, count, settings.seed):
        elsewhere.update(_tiers(auditor, episode))


def _tiers(auditor: Auditor, episode: Episode) -> Iterator[str]:
    """The tier of each call of an episode, as played live and asked of the cache."""
    task = episode.task
    world = World(task.state_seed, task.preset)
    turns = _turns(episode.play(world)["messages"])
    session = auditor.cache.session(world.preset.env_id, task.initial_state_id, task.task_id, seed=auditor.seed)
    for turn in turns:
        for answer in session.turn(turn):
            yield answer.tier
    world.close()


def _turns(messages: list[dict[str, Any]]) -> list[Turn]:
    """The calls of an episode's record, a list a turn."""
    found: list[Turn] = []
    for message in messages:
        calls = message.get("tool_calls") or []
        functions = [call["function"] for call in calls]
        if functions:
            read = [(each["name"], json_object(each["arguments"])) for each in functions]
            pairs = zip(read, functions, strict=True)
            found.append([(name, each["arguments"] if values is None else values) for (name, values), each in pairs])
    return found


def _optional(world: World) -> frozenset[tuple[str, str]]:
    """(tool, field) that calls may leave out."""
    functions = [schema["function"] for schema in world.tools]
    return frozenset(
        (function["name"], name)
        for function in functions
        for name in function["parameters"]["properties"]
        if name not in function["parameters"]["required"]
    )


def _side_by_side(auditor: Auditor, world: World, episode: Episode, turns: list[Turn], variant: str) -> Iterator[Row]:
    """One row a call: what the session says beside what the live desk says in its true state."""
    task, cache, env_id = episode.task, auditor.cache, world.preset.env_id
    place = (env_id, task.initial_state_id, task.task_id)
    world.reset(task.noise(episode.trial))
    session, true = cache.session(*place, seed=auditor.seed), Truth(cache.state(env_id))
    for message_index, turn in enumerate(turns):
        answers = session.turn(turn)
        arguments = [read_arguments(given) for _, given in turn]
        before = [true.state.dependence(tool, given) for (tool, _), given in zip(turn, arguments, strict=True)]
        for at, (tool, _) in enumerate(turn):
            given, answer = arguments[at], answers[at]
            said = world.call(tool, given.values)
            if given.values is not None:
                query = Query(*place, tool, given, before[at], auditor.seed)
                volatile = world.tool_kinds.get(tool) in _VOLATILE
                kind, state = true.state.kind(tool), before[at].given(said).state
                row = auditor.judge(query, answer, said, kind, state=state, volatile=volatile)
                row["cause"] = true.cause(answer, row)
                row |= {"message_index": message_index, "call_index": at, "env_id": env_id, "variant": variant}
                yield row | _named(episode)
            true.take_in(tool, query_arguments=arguments[at], said=said, answer=answer)


def _named(episode: Episode) -> Row:
    return {
        "trajectory_id": episode.trajectory_id,
        "task_id": episode.task.task_id,
        "split": None,
        "source": "live",
        "seen_task": episode.seen_task,
        "own_in_cache": False,
        "own_found": False,
    }


class Truth:
    """The writes that the live desk accepted, and whether the session knows of them.

    Args:
        state: at the episode's start.
    """

    def __init__(self, state: SessionState) -> None:
        self.state = state
        self._written = False
        self._missed = False

    def take_in(self, tool: str, query_arguments: Any, said: str, answer: Answer) -> None:
        """A call of the desk: a read or a write that it accepted counts."""
        done, kind = not said.startswith("Error"), self.state.kind(tool)
        if kind == "read" and done:
            self.state.read(tool, query_arguments, said)
        if kind != "write":
            return
        served = answer.tier in ("exact", "normalised") and not answer.failed
        self._missed |= done != served
        if done:
            self._written = True
            self.state.write(tool, query_arguments, said)

    def cause(self, answer: Answer, row: Row) -> str | None:
        """Where the fault of a wrong exact hit lies."""
        if answer.tier != "exact" or row["right"]:
            return None
        if row["volatile"]:
            return "volatile tool"
        if self._missed:
            return "behind a write that the cache does not know"
        if row["after_write"]:
            return "behind a related write"
        return "behind a write that shares no id" if self._written else "before any write"


def _on_cache(cache: ToolCache, desk: DeskOnCache, episode: Episode, live: dict[str, Any]) -> dict[str, Any]:
    """Play the episode on the cache alone; returns its row of table `episodes`."""
    task = episode.task
    desk.begin(cache.session(desk.preset.env_id, task.initial_state_id, task.task_id, seed=episode.seed))
    broke, reward, state_ok = False, 0.0, False
    try:
        record = episode.play(desk)
        reward, state_ok = record["reward"], record["metadata"]["checks"]["state_ok"]
    except (KeyError, TypeError, IndexError, ValueError):
        # Scripted agents go on to use what they asked for, also where the answer was none or spoke of another order.
        broke, state_ok = True, dict(desk.end_state()) == dict(task.expected_end)
    return {
        "trajectory_id": episode.trajectory_id,
        "task_id": task.task_id,
        "skill": episode.skill.name,
        "seen_task": episode.seen_task,
        "live_reward": live["reward"],
        "cache_reward": reward,
        "live_state_ok": live["metadata"]["checks"]["state_ok"],
        "cache_state_ok": state_ok,
        "cache_calls": desk.calls,
        "right_calls": desk.calls if desk.right is None else desk.right,
        "broke": broke,
    }
