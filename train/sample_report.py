"""What came of sampled rollouts: rewards, tiers, endings, best of k and pass@k, and what went wrong most often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeVar

from cachebuild.answer import TIERS
from curate.canonical import json_object
from curate.palette import SERIES, TIER_COLORS
from curate.plots import bars, histogram, stacked
from curate.report import Cell, Report
from curate.trajectory import Trajectory
from train.acting import MALFORMED, UNKNOWN_TOOL
from train.alike import alike_share

if TYPE_CHECKING:
    from train.sample_settings import SampleSettings

T = TypeVar("T")

THRESHOLDS = (0.5, 0.7, 0.9, 1.0)
"""Rewards at which a rollout counts as passed."""
ENDINGS = {
    "answered": "answered",
    "truncated": "cut off by the limit of a turn or of the completion",
    "unclosed_thinking": "thinking without an end",
    "turn_limit": "still calling tools in its last turn",
    "out_of_room": "no room for results and an answer",
    "crashed": "crashed",
}
SHOWN_FIGURES = {
    "reward": "mean reward",
    "answer": "mean R_answer",
    "process": "mean R_process",
    "calls_per_rollout": "calls a rollout",
    "without_variance": "share of prompts whose rollouts are all paid the same (GRPO learns nothing from them)",
    "word_for_word": "share of prompts whose rollouts are all the same, word for word",
    "always_full": "share of prompts whose rollouts are all paid 1",
}
NO_CALL = "no_call"
SHOWN = 12
"""Failures in the table."""
SAME = 1e-6
"""Rewards that differ by less are equal: a folder keeps them as 32-bit floats."""
_COLORS = {**TIER_COLORS, NO_CALL: SERIES[5]}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the report needs of a rollout.

    Attributes:
        trajectory_id: of the rollout.
        prompt: the trajectory and the message that it goes on from.
        reward: R.
        answer: R_answer.
        process: R_process.
        tier: the worst one, "no_call" without calls.
        status: how it ended.
        calls: how many it made.
        failures: what went wrong, in words.
        error: of a crash.
        content: a hash of what was said.
    """

    trajectory_id: str
    prompt: tuple[str, int]
    reward: float
    answer: float
    process: float
    tier: str
    status: str
    calls: int
    failures: tuple[str, ...]
    error: str | None
    content: str


def outcome_of(row: Trajectory) -> Outcome:
    """The outcome of a saved rollout."""
    told: dict[str, Any] = json_object(row["metadata"]) or {}
    parent = row["parent"]
    assert parent is not None and row["reward"] is not None, "a rollout has a parent and was paid"
    return Outcome(
        row["trajectory_id"],
        (parent["trajectory_id"], parent["message_index"]),
        row["reward"],
        told["reward"]["answer"],
        told["reward"]["process"],
        told["worst_tier"] or NO_CALL,
        told["status"],
        len(row["evidence"]),
        tuple(dict.fromkeys(_failures(row, told))),
        told["error"],
        row["content_hash"],
    )


def _failures(row: Trajectory, told: dict[str, Any]) -> Iterator[str]:
    status = told["status"]
    if status == "crashed":
        yield f"crashed: {str(told['error'])[:120]}"
    elif status != "answered":
        yield ENDINGS[status]
    elif told["reward"]["answer"] < 1:
        yield "answer not wholly right"
    for step in row["evidence"]:
        reason = step["reason"] or ""
        if reason.startswith((f"{MALFORMED}: ", f"{UNKNOWN_TOOL}: ")):
            yield reason[:120]
        elif step["tier"] == "unavailable":
            tool = row["messages"][step["message_index"]]["tool_calls"][step["call_index"]]["name"]
            yield f"the cache has nothing for a call of {tool[:80]}"
    if told["worst_tier"] is None and told["min_p"] == 0:
        yield "no call where the recorded reply makes one"


def best_of(groups: Sequence[Sequence[float]], k: int) -> float:
    """Mean over prompts of the expected best of k rollouts, drawn without putting back from those there are."""
    found = []
    for group in groups:
        total = comb(len(group), k)
        found.append(sum(reward * comb(at, k - 1) for at, reward in enumerate(sorted(group))) / total)
    return fmean(found)


def pass_at(groups: Sequence[Sequence[float]], k: int, threshold: float) -> float:
    """How likely one of k rollouts reaches a reward, 1 - C(n - c, k) / C(n, k) over prompts (arXiv 2107.03374)."""
    missed = [sum(reward < threshold - SAME for reward in group) for group in groups]
    return fmean(1 - comb(few, k) / comb(len(group), k) for few, group in zip(missed, groups, strict=True))


def figures_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures as plain values, in the order in which they are shown."""
    groups = _groups(outcomes, lambda each: each.reward)
    alike = alike_share(_groups(outcomes, lambda each: each.content))
    least = min(map(len, groups))
    ks = sorted({k for k in (1, 2, 4, 8, 16, 32, 64) if k < least} | {least})
    even = [group for group in groups if max(group) - min(group) <= SAME]
    return {
        "rollouts": len(outcomes),
        "prompts": len(groups),
        "reward": _mean(each.reward for each in outcomes),
        "answer": _mean(each.answer for each in outcomes),
        "process": _mean(each.process for each in outcomes),
        "calls_per_rollout": _mean(each.calls for each in outcomes),
        "without_variance": round(len(even) / len(groups), 6),
        "word_for_word": round(alike, 6),
        "always_full": round(sum(group[0] >= 1 - SAME for group in even) / len(groups), 6),
        "tiers": _shares([each.tier for each in outcomes], (*TIERS, NO_CALL)),
        "endings": _shares([each.status for each in outcomes], tuple(ENDINGS)),
        "best_of": {k: round(best_of(groups, k), 6) for k in ks},
        "pass_at": {k: {str(at): round(pass_at(groups, k, at), 6) for at in THRESHOLDS} for k in ks},
        "first_error": next((each.error for each in outcomes if each.error), None),
    }


def report_of(
    outcomes: Sequence[Outcome], figures: dict[str, Any], settings: SampleSettings, left_out: dict[str, int]
) -> Report:
    """The report of a run."""
    report = Report("Sampled rollouts")
    report.text(
        f"{figures['rollouts']:,} rollouts of {figures['prompts']:,} prompts, {settings.draw.samples} each, at "
        f"temperature {settings.draw.temperature:g}. Results came from the cache; the tier says how far to trust one."
    )
    report.table("Figures", ["figure", "value"], [(word, figures[name]) for name, word in SHOWN_FIGURES.items()])
    if left_out:
        report.table("User turns that were no prompt", ["reason", "count"], list(left_out.items()))
    report.heading("Rewards")
    report.plot("Reward of each rollout", histogram([each.reward for each in outcomes], xlabel="reward"))
    _add_chances(report, figures)
    report.heading("Evidence and endings")
    _add_tiers(report, outcomes, figures)
    _add_endings(report, outcomes, figures)
    report.heading("What went wrong most often")
    _add_failures(report, outcomes)
    return report


def _add_chances(report: Report, figures: dict[str, Any]) -> None:
    ks = list(figures["best_of"])
    headers = ["k", "best of k", *(f"pass@k at {at:g}" for at in THRESHOLDS)]
    rows = [[k, figures["best_of"][k], *figures["pass_at"][k].values()] for k in ks]
    report.table("The best of k rollouts of a prompt, and how likely one of k reaches a reward", headers, rows)
    labels = [f"best of {k}" for k in ks]
    report.plot("Expected best of k", bars(labels, list(figures["best_of"].values()), xlabel="mean reward"))


def _add_tiers(report: Report, outcomes: Sequence[Outcome], figures: dict[str, Any]) -> None:
    rows = [
        [tier, share, fmean(each.reward for each in outcomes if each.tier == tier)]
        for tier, share in figures["tiers"].items()
    ]
    report.table("The worst evidence of each rollout", ["tier", "share of rollouts", "mean reward"], rows)
    series = {tier: [share] for tier, share in figures["tiers"].items()}
    report.plot("Worst tier", stacked(["rollouts"], series, xlabel="share of rollouts", colors=_COLORS))


def _add_endings(report: Report, outcomes: Sequence[Outcome], figures: dict[str, Any]) -> None:
    rows = [
        [ENDINGS[status], share, fmean(each.reward for each in outcomes if each.status == status)]
        for status, share in figures["endings"].items()
    ]
    report.table("How rollouts ended", ["ending", "share of rollouts", "mean reward"], rows)


def _add_failures(report: Report, outcomes: Sequence[Outcome]) -> None:
    counted = Counter(failure for each in outcomes for failure in each.failures)
    if not counted:
        report.text("Nothing: every rollout answered, wholly right, on results that the cache has.")
        return
    shown = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    first = {failure: each.trajectory_id for each in reversed(outcomes) for failure in each.failures}
    rows: list[list[Cell]] = [[name, count, count / len(outcomes), first[name][:16]] for name, count in shown]
    headers = ["failure", "rollouts", "share", "one of them (curate.show OUT ID)"]
    report.table("Failures; a rollout may have several", headers, rows)


def _groups(outcomes: Sequence[Outcome], value: Callable[[Outcome], T]) -> list[list[T]]:
    """A value of each rollout by prompt, in the order in which prompts stand there."""
    found: dict[tuple[str, int], list[T]] = {}
    for each in outcomes:
        found.setdefault(each.prompt, []).append(value(each))
    return list(found.values())


def _shares(values: Sequence[str], order: Sequence[str]) -> dict[str, float]:
    counted = Counter(values)
    return {name: round(counted[name] / len(values), 6) for name in order if counted[name]}


def _mean(values: Iterator[float]) -> float:
    return round(fmean(values), 6)
