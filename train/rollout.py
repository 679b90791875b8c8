"""The CacheAgentLoop: a model acts, its calls are answered by the cache, until it answers or comes to a limit.

What the model said has mask 1, what was put in has mask 0; tokens once there are never made again. The rules stand
here alone: who generates is behind `Generate`, so that they can be tested token by token.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from cachebuild.answer import TIERS, Answer, Tier
from curate.readers.messages import message
from curate.trajectory import Evidence, Message, ToolCall, Trajectory
from train.parsing import Said, SaidCall, parse_turn
from train.settings import RolloutSettings
from train.tokens import Part, Renderer

Status: TypeAlias = Literal["answered", "truncated", "unclosed_thinking", "turn_limit", "out_of_room", "crashed"]
"""How a rollout ended; only an answered one has an answer."""

MALFORMED = "malformed_call"
UNKNOWN_TOOL = "unknown_tool"


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
    """

    row: Trajectory
    part: Part
    seed: int = 0


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

    Attributes:
        seconds: spent in the cache so far.
    """

    def __init__(self, renderer: Renderer, cache: Sessions, settings: RolloutSettings) -> None:
        settings.check()
        self._renderer = renderer
        self._cache = cache
        self._settings = settings
        self._end = renderer.format.tokenizer.eos_token_id
        self.seconds = 0.0
        prompt = renderer.format.prompt([{"role": "user", "content": "Hello"}], [])
        self._opened = prompt.rstrip().endswith("<think>")

    def run(self, tasks: Sequence[RolloutTask], generate: Generate) -> list[Rollout]:
        """One rollout a task, in their order; all take their turns together. A crash ends its own rollout alone."""
        parts = {id(task.part): task.part for task in tasks}  # a group shares one
        opening = {name: self._renderer.prompt(part) for name, part in parts.items()}
        running = [self._begun(task, opening[id(task.part)]) for task in tasks]
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

    def _begun(self, task: RolloutTask, prompt: list[int]) -> _Running:
        row, at = task.row, task.part.message_index
        rollout, begin = Rollout(list(prompt)), time.perf_counter()
        try:
            session = self._cache.session(
                row["env_id"],
                row["initial_state_id"],
                row["task_id"],
                history=row["messages"][: at + 1],
                seed=task.seed,
            )
        except Exception as error:  # a bad rollout is data
            rollout.status, rollout.error = "crashed", f"{type(error).__name__}: {error}"
            return _Running(rollout, None, frozenset(), live=False)
        finally:
            self.seconds += time.perf_counter() - begin
        names = frozenset(str(tool.get("function", tool).get("name")) for tool in task.part.tools)
        return _Running(rollout, session, names)

    def _most(self, rollout: Rollout) -> int:
        left = self._settings.max_completion - len(rollout.completion_ids)
        return min(left, self._settings.max_turn or left)

    def _guarded(self, running: _Running, turn: Generated, min_new: int, *, last: bool) -> None:
        try:
            self._take(running, turn, min_new, last=last)
        except Exception as error:  # a bad rollout is data
            rollout, running.live = running.rollout, False
            rollout.status, rollout.error = "crashed", f"{type(error).__name__}: {error}"

    def _take(self, running: _Running, turn: Generated, min_new: int, *, last: bool) -> None:
        """Take in what the model said; put in the results of its calls, if it may go on."""
        rollout = running.rollout
        _append(rollout, turn.ids, turn.logprobs, said=True)
        rollout.turn_lengths.append(len(turn.ids))
        ended = bool(turn.ids) and turn.ids[-1] == self._end
        text = self._renderer.format.tokenizer.decode(turn.ids[: -1 if ended else None], skip_special_tokens=False)
        said = parse_turn(text, opened=self._opened)
        rollout.min_bound |= min_new > 0 and (len(turn.ids) <= min_new + 1 or said.after_call)
        rollout.messages.append(_spoken(said, len(rollout.messages)))
        running.live = False
        if not ended:  # a call that was cut off is never run, even where it could be read
            rollout.status = "truncated"
        elif not said.closed:
            rollout.status = "unclosed_thinking"
        elif not said.calls:
            rollout.status, rollout.answer = "answered", said.content
        else:
            self._act(running, said, last=last)

    def _act(self, running: _Running, said: Said, *, last: bool) -> None:
        rollout = running.rollout
        if last:
            rollout.status = "turn_limit"
            return
        known = len(rollout.evidence)
        results = self._answered(running, said.calls)
        forms = [
            {"role": "tool", "name": each["name"], "tool_call_id": each["tool_call_id"], "content": each["content"]}
            for each in results
        ]
        ids = self._renderer.between(forms)
        room = self._settings.max_completion - len(rollout.completion_ids)
        if len(ids) + max(1, self._settings.answer_room) > room:
            rollout.status = "out_of_room"
            del rollout.evidence[known:]  # the model never sees these results
            return
        rollout.messages += results
        _append(rollout, ids, [0.0] * len(ids), said=False)
        running.live = True

    def _answered(self, running: _Running, calls: Sequence[SaidCall]) -> list[Message]:
        """The results of a turn's calls, with their evidence; a call that cannot be run is told so."""
        rollout, session = running.rollout, running.session
        assert session is not None, "a rollout without a session is not live"
        refused = [_refused(call, running.tools) for call in calls]
        run = [(call.name, call.arguments) for call, refusal in zip(calls, refused, strict=True) if refusal is None]
        begin = time.perf_counter()
        answers = iter(session.turn(run) if run else ())
        self.seconds += time.perf_counter() - begin
        index, said = len(rollout.messages) - 1, rollout.messages[-1]["tool_calls"]
        results = []
        for at, refusal in enumerate(refused):
            answer = refusal or next(answers)
            rollout.evidence.append(_evidence(index, at, answer))
            result = message("tool", self._fitted(rollout, answer.result))
            result["tool_call_id"], result["name"] = said[at]["id"], said[at]["name"]
            results.append(result)
        rollout.malformed += len(calls) - len(run)
        return results

    def _fitted(self, rollout: Rollout, text: str) -> str:
        """The result, cut if it has more tokens than it may have."""
        most, encode = self._settings.max_result, self._renderer.format.encode
        if len(text) <= most or len(encode(text)) <= most:
            return text
        rollout.cut_results += 1
        kept = len(text)
        while True:
            kept = min(kept - 1, int(kept * most / max(1, len(encode(text[:kept]))) * 0.98))
            cut = f"{text[:kept]}\n[cut here: {len(text) - kept:,} more characters]"
            if kept <= 0 or len(encode(cut)) <= most:
                return cut


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


def _spoken(said: Said, number: int) -> Message:
    turn = message("assistant", said.content or None)
    turn["reasoning_content"], turn["train"] = said.thinking or None, True
    turn["tool_calls"] = [
        ToolCall(
            id=f"call_{number}_{at}",
            name=call.name or MALFORMED,
            arguments=call.arguments,
            args_status="unparsed" if call.problem else "json",
        )
        for at, call in enumerate(said.calls)
    ]
    return turn


def _refused(call: SaidCall, tools: frozenset[str]) -> Answer | None:
    """The error that the model gets instead of a result; None for a call that can be run."""
    if call.problem is not None:
        kind, told = MALFORMED, call.problem
    elif tools and call.name not in tools:
        kind, told = UNKNOWN_TOOL, f"there is no tool {call.name!r}"
    else:
        return None
    text = json.dumps({"error": {"type": kind, "tool": call.name or None, "message": told}}, ensure_ascii=False)
    return Answer(text, "unavailable", 0.0, f"{kind}: {told}", failed=True)


def _evidence(message_index: int, call_index: int, answer: Answer) -> Evidence:
    return Evidence(
        message_index=message_index,
        call_index=call_index,
        tier=answer.tier,
        p=answer.p,
        source_trajectory_id=answer.source_trajectory_id,
        source_message_index=answer.source_message_index,
        reason=answer.reason,
        step_reward=None,
    )
