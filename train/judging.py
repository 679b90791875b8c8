"""The judge in training: all answers of a step at once, what is logged of them, and a stop where nothing is learnt."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from curate.cli import say
from synth.asking.asker import RunStopped
from synth.judging import Case, Judge, Verdict
from synth.judging.base import EMPTY, META


def judge_step(judge: Judge, cases: Sequence[Case], log: Callable[[str, float], None]) -> list[Verdict]:
    """The verdicts on the answers of a step.

    Args:
        judge: who scores them.
        cases: of the rollouts, in their order.
        log: takes the name of a metric and its value.

    Raises:
        RunStopped: if the judge cannot be asked now, or gave no answer of the step a score.
    """
    begin, before = time.perf_counter(), judge.spent_usd
    verdicts = judge.judge(cases)
    for name, value in judge_metrics(verdicts).items():
        log(name, value)
    log("judge/seconds", time.perf_counter() - begin)
    log("judge/usd", judge.spent_usd - before)
    log("judge/usd_total", judge.spent_usd)
    without = Counter(verdict.code for verdict in verdicts if verdict.score is None)
    if without:
        told = ", ".join(f"{code} {count:,}" for code, count in sorted(without.items()))
        say(f"judge {judge.name}: no score for {without.total():,} of {len(verdicts):,} answers ({told})")
    if verdicts and without.total() == len(verdicts):
        raise RunStopped(
            f"judge {judge.name} gave none of the {len(verdicts):,} answers of this step a score ({told}), so there is "
            "nothing to learn from; choose another --judge or mend its settings"
        )
    return verdicts


def judge_metrics(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Shares of all answers, and the distribution of the scores there are."""
    scores = [verdict.score for verdict in verdicts if verdict.score is not None]
    found = {
        "judge/no_score": fmean(verdict.score is None for verdict in verdicts),
        "judge/clamped": fmean(verdict.code in (EMPTY, META) for verdict in verdicts),
    }
    if scores:
        found["judge/mean"] = fmean(scores)
        found["judge/share_at_0"] = fmean(score == 0.0 for score in scores)
        found["judge/share_at_1"] = fmean(score == 1.0 for score in scores)
    return found
