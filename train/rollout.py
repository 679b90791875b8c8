"""The CacheAgentLoop: a model acts, its calls are answered by the cache, until it answers or comes to a limit.

What the model said has mask 1, what was put in has mask 0; tokens once there are never made again. The rules stand
here alone: who generates is behind `Generate`, so that they can be tested token by token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, get_args

from cachebuild.answer import TIERS, Answer, Tier
from curate.canonical import hash128
from curate.trajectory import Evidence, Message, Trajectory
from train.acting import act, begun, crashed, take_turn, tool_forms, tool_names
from train.parsing import Said, parse_turn
from train.settings import RolloutSettings
from train.tokens import Part, Renderer

Status: TypeAlias = Literal["answered", "truncated", "unclosed_thinking", "turn_limit", "out_of_room", "crashed"]
"""How a rollout ended; only an answered one has an answer."""
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Generated:
    """Token ids of one turn, and their log probabilities where the generator knows them."""

    ids: list[int]
    logprobs: list[float] | None = None


class Generate(Protocol):
    """Lets a model speak: one turn for each prompt, up to and with the token that ends it."""

    def __call__(self, prompts: list[list[int]], min_new: int, max_new: list[int]) -> list[Generated]:
        """Turns for prompts.

        Args:
            prompts: token ids, one list a rollout.
            min_new: no turn ends, and no call begins, before so many tokens.
            max_new: the most tokens of each turn.
        """
        ...


class Episode(Protocol):
    """Answers the calls of one rollout: a session of the cache, or a live world."""

    def turn(self, calls: Sequence[tuple[str, str]]) -> list[Answer]:
        """Answers to the calls of one turn, in their order."""
        ...


class Sessions(Protocol):
    """Begins episodes: `cachebuild.ToolCache`, or a live world."""

    def session(
        self, env_id: str, initial_state_id: str | None, task_id: str | None, *, history: Sequence[Message], seed: int
    ) -> Episode:
        """The episode of a rollout that goes on from `history`."""
        ...


@dataclass(frozen=True, slots=True)
class RolloutTask:
    """Where a rollout starts: a user turn of a recorded dialogue.

    Attributes:
        row: the trajectory.
        part: the user turn, with the history before it.
        seed: picks among recorded outcomes; equal for a group that is to share them.
        episode: answers the calls, e.g. a live world that stays the same over several user turns; None begins one.
    """

    row: Trajectory
    part: Part
    seed: int = 0
    episode: Episode | None = None


def outcome_seed(*names: str) -> int:
    """A task's seed by what names it: what is named alike shares the recorded outcomes of equal calls."""
    return int(hash128(*names)[:12], 16)


@dataclass(slots=True)
class Rollout:
    """What a rollout came to.

    Attributes:
        prompt_ids: of the history.
        completion_ids: of turns and what was put in between them.
        mask: of each completion token, 1 if the model said it.
        logprobs: of each completion token, 0 where it was put in; None if the generator knows none.
        messages: the turns and results as messages.
        evidence: one a call: what its result rested on; message indices count from the first of `messages`.
        status: how it ended.
        answer: the final text, empty without one.
        malformed: calls that could not be run.
        turn_lengths: tokens of each turn of the model.
        min_bound: the first turn was held up by `min_first`.
        cut_results: results that were cut.
        error: what crashed.
    """

    prompt_ids: list[int]
    completion_ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    logprobs: list[float] | None = None
    messages: list[Message] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    status: Status = "truncated"
    answer: str = ""
    malformed: int = 0
    turn_lengths: list[int] = field(default_factory=list)
    min_bound: bool = False
    cut_results: int = 0
    error: str | None = None

    @property
    def worst_tier(self) -> Tier | None:
        """The worst tier of a result, None without calls; a call that could not be run counts as unavailable."""
        met = {step["tier"] for step in self.evidence}
        return next((tier for tier in reversed(TIERS) if tier in met), None)

    @property
    def min_p(self) -> float:
        """The lowest p of a result; 1 without calls."""
        return min((step["p"] for step in self.evidence), default=1.0)


class CacheAgentLoop:
    """Runs rollouts against a cache.

    Args:
        renderer: makes token ids.
        cache: answers calls.
        settings: the limits.
    """

    def __init__(self, renderer: Renderer, cache: Sessions, settings: RolloutSettings) -> None:
        settings.check()
        self._renderer = renderer
        self._cache = cache
        self._settings = settings
        self._end = renderer.format.tokenizer.eos_token_id
        prompt = renderer.format.prompt([{"role": "user", "content": "Hello"}], [])
        self._opened = prompt.rstrip().endswith("<think>")

    def run(self, tasks: Sequence[RolloutTask], generate: Generate) -> list[Rollout]:
        """One rollout a task, in their order; all take their turns together. A crash ends its own rollout alone."""
        openings: dict[int, list[int]] = {}
        running = [self._begun(task, openings) for task in tasks]
        for number in range(self._settings.max_turns):
            live = [each for each in running if each.live]
            if not live:
                break
            prompts = [each.rollout.prompt_ids + each.rollout.completion_ids for each in live]
            min_new = self._settings.min_first if number == 0 else 0
            said = generate(prompts, min_new, [self._most(each.rollout) for each in live])
            for each, turn in zip(live, said, strict=True):
                self._guarded(each, turn, min_new, last=number + 1 == self._settings.max_turns)
        return [each.rollout for each in running]

    def _begun(self, task: RolloutTask, openings: dict[int, list[int]]) -> _Running:
        """A rollout at its start; `openings` has the prompts of parts that others share, by the part's id."""
        rollout, part = Rollout([]), id(task.part)
        try:
            if part not in openings:
                openings[part] = self._renderer.prompt(task.part)
            rollout.prompt_ids = list(openings[part])
            return _Running(rollout, begun(self._cache, task), tool_names(task.part))
        except Exception as error:
            crashed(rollout, error)
            return _Running(rollout, None, frozenset(), live=False)

    def _most(self, rollout: Rollout) -> int:
        left = self._settings.max_completion - len(rollout.completion_ids)
        return min(left, self._settings.max_turn or left)

    def _guarded(self, running: _Running, turn: Generated, min_new: int, *, last: bool) -> None:
        try:
            self._take(running, turn, min_new, last=last)
        except Exception as error:
            running.live = False
            crashed(running.rollout, error)

    def _take(self, running: _Running, turn: Generated, min_new: int, *, last: bool) -> None:
        """Take in what the model said; put in the results of its calls, if it may go on."""
        rollout = running.rollout
        _append(rollout, turn.ids, turn.logprobs, said=True)
        rollout.turn_lengths.append(len(turn.ids))
        ended = bool(turn.ids) and turn.ids[-1] == self._end
        text = self._renderer.format.tokenizer.decode(turn.ids[: -1 if ended else None], skip_special_tokens=False)
        said = parse_turn(text, opened=self._opened)
        rollout.min_bound |= min_new > 0 and (len(turn.ids) <= min_new + 1 or said.after_call)
        running.live = False
        if take_turn(rollout, said, whole=ended, last=last):
            self._act(running, said)

    def _act(self, running: _Running, said: Said) -> None:
        rollout, session = running.rollout, running.session
        assert session is not None, "a rollout without a session is not live"
        results, evidence = act(rollout, said.calls, session, running.tools, self._settings.max_result, self._length)
        ids = self._renderer.between(tool_forms(results))
        room = self._settings.max_completion - len(rollout.completion_ids)
        if len(ids) + max(1, self._settings.answer_room) > room:
            rollout.status = "out_of_room"  # the model never sees these results
            return
        rollout.evidence += evidence
        rollout.messages += results
        _append(rollout, ids, [0.0] * len(ids), said=False)
        running.live = True

    def _length(self, text: str) -> int:
        return len(self._renderer.format.encode(text))


@dataclass(slots=True)
class _Running:
    """A rollout under way."""

    rollout: Rollout
    session: Episode | None
    tools: frozenset[str]
    live: bool = True


def _append(rollout: Rollout, ids: list[int], logprobs: list[float] | None, *, said: bool) -> None:
    if said and logprobs is not None and rollout.logprobs is None:
        rollout.logprobs = [0.0] * len(rollout.completion_ids)
    rollout.completion_ids += ids
    rollout.mask += [int(said)] * len(ids)
    if rollout.logprobs is not None:
        rollout.logprobs += logprobs or [0.0] * len(ids)
