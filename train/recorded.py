"""Recorded user turns as what a model is tried on: the calls of the recorded reply are expected, in their order.

Without a cache, calls are answered by the trajectory itself: the recorded result of the equal call, else none.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cachebuild.answer import Answer, unavailable
from cachebuild.settings import chosen_splits
from curate.canonical import canonical_json, hash128, parse_arguments
from curate.errors import UsageError
from curate.pairing import PairedCall, pair_calls
from curate.progress import track
from curate.trajectory import Message, Trajectory
from curate.turns import is_think_tool, result_failed
from train.dialogue import Case, Dialogue
from train.rollout import outcome_seed
from train.think_calls import without_think_calls
from train.tokens import parts

if TYPE_CHECKING:
    from curate.folder import DatasetFolder
    from train.evaluate_settings import EvaluateSettings


class RecordedAnswers:
    """Answers calls by what the trajectory itself recorded for equal ones.

    Args:
        messages: the dialogue up to the end of the user turn's recorded reply.
        begin: number of the first message of that reply: its results come first, in their order; the last of them
            answers again, and one from before where the reply has none.
    """

    def __init__(self, messages: Sequence[Message], begin: int) -> None:
        self._waiting: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        self._last: dict[tuple[str, str], Answer] = {}
        for pair in pair_calls(messages):
            if pair.result_index is None:
                continue
            key, answer = _key(pair.call["name"], pair.call["arguments"]), _answer(messages, pair)
            if pair.message_index < begin:
                self._last[key] = answer
            else:
                self._waiting[key].append(answer)

    def turn(self, calls: Sequence[tuple[str, str]]) -> list[Answer]:
        """Answers to the calls of a turn."""
        return [self._one(tool, arguments) for tool, arguments in calls]

    def _one(self, tool: str, arguments: str) -> Answer:
        key = _key(tool, arguments)
        if self._waiting.get(key):
            self._last[key] = self._waiting[key].pop(0)
        return self._last.get(key) or unavailable(tool, "the recording has no such call")


def _key(tool: str, arguments: str) -> tuple[str, str]:
    parsed, _ = parse_arguments(arguments)
    return tool, arguments if parsed is None else canonical_json(parsed)


def _answer(messages: Sequence[Message], pair: PairedCall) -> Answer:
    assert pair.result_index is not None, "only answered calls are kept"
    result = messages[pair.result_index]
    return Answer(
        result["content"] or "",
        "exact",
        1.0,
        "recorded in this trajectory",
        failed=result_failed(result),
        source_message_index=pair.message_index,
    )


class RecordedTurns:
    """Attempts at user turns whose recorded reply calls a tool, chosen by hash and in the order of the folder.

    Raises:
        UsageError: if there is none.
    """

    def __init__(self, folder: DatasetFolder, settings: EvaluateSettings) -> None:
        found = heapq.nsmallest(settings.tasks, _turns(folder, settings), key=lambda turn: turn[0])
        if not found:
            least = settings.recorded.min_reward
            raise UsageError(
                f"{folder.path} has no user turn whose recorded reply calls a tool, in split "
                f"{', '.join(settings.recorded.splits)} with a reward of {least:g} or more; choose others with "
                "--splits or --min-reward"
            )
        self._found = sorted(found, key=lambda turn: turn[1])
        self._settings = settings

    def __iter__(self) -> Iterator[Dialogue]:
        settings = self._settings
        for _, _, row, at, end in self._found:
            for trial in range(settings.samples):
                seed = outcome_seed(str(settings.seed), row["trajectory_id"], str(at), str(trial))
                yield recorded_dialogue(
                    row,
                    at,
                    end,
                    trial,
                    seed,
                    answered=settings.recorded.cache is None,
                    drop_think_calls=settings.recorded.drop_think_calls,
                )


def recorded_dialogue(
    row: Trajectory, at: int, end: int, trial: int, seed: int, *, answered: bool, drop_think_calls: bool = False
) -> Dialogue:
    """One attempt at a recorded user turn.

    Args:
        row: the trajectory.
        at: number of the user message.
        end: number of the message behind the recorded reply.
        trial: which attempt.
        seed: picks among recorded outcomes of a cache.
        answered: the recording answers calls; else the loop's cache does.
        drop_think_calls: leave those of the history out.
    """
    messages = row["messages"]
    history = messages[: at + 1]
    if drop_think_calls:
        history = [message for _, message in without_think_calls(history)]
    start = row | {"messages": history, "thinking": [], "evidence": []}
    task_id = f"{row['env_id']}|{row['task_id']}"
    case = Case(task_id, f"{row['trajectory_id']}:{at}", row["env_id"], trial, start, expected(messages, at, end), seed)
    return Dialogue(case, RecordedAnswers(messages[:end], at + 1) if answered else None)


def expected(messages: Sequence[Message], at: int, end: int) -> list[tuple[str, Mapping[str, Any]]]:
    """The calls of a recorded reply, but for those that failed or cannot be read, and think tools' free text."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    for pair in pair_calls(messages[:end]):
        arguments, _ = parse_arguments(pair.call["arguments"])
        by_model = pair.message_index > at and messages[pair.message_index]["role"] == "assistant"
        failed = pair.result_index is not None and result_failed(messages[pair.result_index])
        if by_model and arguments is not None and not failed and not is_think_tool(pair.call["name"]):
            found.append((pair.call["name"], arguments))
    return found


def _turns(folder: DatasetFolder, settings: EvaluateSettings) -> Iterator[tuple[str, int, Trajectory, int, int]]:
    """(hash, number, row, user message, end of the reply) of each user turn that expects a call."""
    splits, chosen = chosen_splits(settings.recorded.splits), settings.recorded
    number = 0
    for each in track(folder.rows("trajectories"), "choosing turns", total=folder.manifest.rows("trajectories")):
        row = cast(Trajectory, each)
        if row["split"] not in splits or (row["reward"] is not None and row["reward"] < chosen.min_reward):
            continue
        for part in parts(row):
            end = part.message_index + 1 + len(part.steps)
            number += 1
            if expected(row["messages"], part.message_index, end):
                drawn = hash128(str(settings.seed), row["trajectory_id"], str(part.message_index))
                yield drawn, number, row, part.message_index, end
