"""Figures of an evaluation: success, pass^k, expected calls that were made; each with an interval over tasks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import comb
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from curate.canonical import canonical_json, parse_arguments
from curate.trajectory import Message

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 2_000
_AT_ONCE = 2_000_000
"""Draws of tasks that are held at once."""

Row: TypeAlias = Mapping[str, Any]
Value: TypeAlias = Callable[[Sequence[Row]], float]
"""The value of a figure for one task, from the rows of its attempts."""


class Interval(NamedTuple):
    """A mean over tasks with its 95 % interval."""

    mean: float
    low: float
    high: float


def process_accuracy(messages: Sequence[Message], expected: Sequence[tuple[str, Mapping[str, Any]]]) -> float:
    """Share of the expected calls that were made, in their order, with equal arguments (ACEBench, arXiv 2501.12851).

    Further calls in between cost nothing; from the first expected call that is missing on, none counts, since those
    behind it were made without what it would have told. Without expected calls it is 1.
    """
    if not expected:
        return 1.0
    wanted = [(name, canonical_json(dict(arguments))) for name, arguments in expected]
    met = 0
    for message in messages:
        for call in message["tool_calls"]:
            arguments, _ = parse_arguments(call["arguments"])
            made = (call["name"], "" if arguments is None else canonical_json(arguments))
            met += met < len(wanted) and made == wanted[met]
    return met / len(wanted)


def pass_hat_k(successes: Sequence[Sequence[bool]], k: int) -> float:
    """How likely k attempts at a task all succeed, C(c, k) / C(n, k) over tasks (tau-bench, arXiv 2406.12045)."""
    shares = [comb(sum(task), k) / comb(len(task), k) for task in successes if len(task) >= k]
    return sum(shares) / len(shares) if shares else 0.0


def interval(by_task: Sequence[float], seed: int = 0) -> Interval:
    """The mean and the 95 % percentile interval of a bootstrap over tasks (Efron 1979)."""
    return pooled([{str(place): value for place, value in enumerate(by_task)}], seed)


def pooled(runs: Sequence[Mapping[str, float]], seed: int = 0) -> Interval:
    """As `interval`, of several runs: the mean of their means, each run counts alike.

    Tasks are drawn within each run; runs that share tasks share their draw, as a task that is hard is so in all of
    them. The runs themselves are not drawn: how far others would differ is no part of the interval.

    Args:
        runs: task -> value.
        seed: of the draws.
    """
    import numpy as np

    held = [run for run in runs if run]
    if not held:
        return Interval(0.0, 0.0, 0.0)
    rng = np.random.default_rng(seed)
    drawn = sum(_drawn_means(some, rng) for some in _sharing(held))
    low, high = np.percentile(drawn / len(held), [2.5, 97.5])
    return Interval(fmean(fmean(run.values()) for run in held), float(low), float(high))


def _sharing(runs: Sequence[Mapping[str, float]]) -> list[list[Mapping[str, float]]]:
    """The runs by whether they share tasks, be it through others."""
    groups: list[tuple[set[str], list[Mapping[str, float]]]] = []
    for run in runs:
        tasks, members, apart = set(run), [run], []
        for group in groups:
            if tasks.isdisjoint(group[0]):
                apart.append(group)
            else:
                tasks, members = tasks | group[0], group[1] + members
        groups = [*apart, (tasks, members)]
    return [members for _, members in groups]


def _drawn_means(runs: Sequence[Mapping[str, float]], rng: np.random.Generator) -> Any:
    """Sum of the runs' means over tasks drawn for all of them at once, shape (RESAMPLES,), float64."""
    import numpy as np

    tasks = list(dict.fromkeys(task for run in runs for task in run))
    drawn, rows = np.zeros(RESAMPLES), max(1, _AT_ONCE // len(tasks))
    for start in range(0, RESAMPLES, rows):
        shape = min(rows, RESAMPLES - start), len(tasks)
        places = rng.integers(0, len(tasks), shape)
        for run in runs:
            there = np.array([task in run for task in tasks])
            known = np.array([run.get(task, 0.0) for task in tasks], dtype=np.float64)
            met = there[places].sum(axis=1)
            means = known[places].sum(axis=1) / np.maximum(met, 1)
            drawn[start : start + shape[0]] += np.where(met, means, known.sum() / there.sum())
    return drawn


def task_values(rows: Sequence[Row], value: Value) -> dict[str, float]:
    """Task -> value of a figure, in the order in which the tasks come."""
    tasks: dict[str, list[Row]] = {}
    for row in rows:
        tasks.setdefault(row["task_id"], []).append(row)
    return {task_id: value(some) for task_id, some in tasks.items()}


def mean_of(name: str) -> Value:
    """The mean of a column."""
    return lambda rows: fmean(float(row[name]) for row in rows)


def every_of(name: str, k: int) -> Value:
    """How likely k attempts at a turn of the task all have a column true."""

    def value(rows: Sequence[Row]) -> float:
        turns: dict[str, list[bool]] = {}
        for row in rows:
            turns.setdefault(row["turn"], []).append(bool(row[name]))
        return pass_hat_k(list(turns.values()), k)

    return value


LIVE = {"success": "end-to-end success", "state_ok": "state ok", "facts_ok": "facts ok"}
RECORDED = {"all_calls_met": "all expected calls met"}


def figures_of(rows: Sequence[Row], k: int) -> dict[str, Value]:
    """Label -> figure, of those that the rows have: a recording has no end state, a served model no known tokens.

    Args:
        rows: of episodes.
        k: the most attempts of pass^k.
    """
    live = all(row["success"] is not None for row in rows)
    columns = (LIVE if live else RECORDED) | {"process_accuracy": "process accuracy"}
    figures = {label: mean_of(name) for name, label in columns.items()}
    for number in range(1, k + 1):
        figures[f"pass^{number}"] = every_of(next(iter(columns)), number)
    counted = {"calls": "calls", "malformed_calls": "malformed calls", "turns": "turns of the model"}
    known = all(row["thinking_tokens"] is not None for row in rows)
    counted |= {"thinking_tokens": "thinking tokens"} if known else {"thinking_words": "thinking words"}
    return figures | {label: mean_of(name) for name, label in counted.items()}


def done_label(labels: Collection[str]) -> str:
    """Which of the figures says whether a task was done."""
    return LIVE["success"] if LIVE["success"] in labels else RECORDED["all_calls_met"]


def attempts(rows: Sequence[Row]) -> int:
    """The attempts that every turn of every task has."""
    counted: dict[tuple[str, str, str], int] = {}
    for row in rows:
        place = (row["thinking"], row["task_id"], row["turn"])
        counted[place] = counted.get(place, 0) + 1
    return min(counted.values(), default=0)
