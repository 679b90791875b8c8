"""The judge in training: all answers of a step at once, what is logged of them, and a stop where nothing is learnt."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from statistics import fmean
from typing import Any

from curate.cli import say
from synth.asking.asker import RunStopped
from synth.judging import Case, Judge, JudgeOptions, Verdict, open_judge
from synth.judging.base import EMPTY, META
from train.ranks import rank, world

RANKS_WAIT = timedelta(days=30)
"""The other ranks wait while the first waits for the judge: longer than any --judge-give-up-s, which ends it."""
CLAMPED = (EMPTY, META)
"""Codes of answers that are worth 0 whoever judges: they say nothing of the judge."""


class StepJudge:
    """Judges the answers of a step; where training runs on several ranks, the first asks for all of them.

    So there is one journal, one budget and one pace, and what stops the judge stops every rank.

    Args:
        judge: who scores; None on all ranks but the first.
        options: what it was made of.
    """

    def __init__(self, judge: Judge | None, options: JudgeOptions) -> None:
        self.spent_usd = 0.0 if judge is None else judge.spent_usd
        self.told = {"name": options.judge, "rubric": str(options.identity()["rubric"])}
        self._judge = judge
        self._line: Any = None

    def judge(self, cases: Sequence[Case], log: Callable[[str, float], None]) -> list[Verdict]:
        """The verdicts, in the order of the cases.

        Args:
            cases: of the rollouts of this rank.
            log: takes the name of a metric and its value.

        Raises:
            RunStopped: if the judge cannot be asked now, or gave no answer of the step a score.
        """
        begin, before = time.perf_counter(), self.spent_usd
        if world() > 1:
            verdicts, before = self._of_all_ranks(cases)
        else:
            verdicts = self._checked(cases)
        log("judge/seconds", time.perf_counter() - begin)
        log("judge/usd", self.spent_usd - before)
        log("judge/usd_total", self.spent_usd)
        for name, value in judge_metrics(verdicts).items():
            log(name, value)
        return verdicts

    def _checked(self, cases: Sequence[Case]) -> list[Verdict]:
        assert self._judge is not None
        verdicts = self._judge.judge(cases)
        self.spent_usd = self._judge.spent_usd
        without = Counter(verdict.code for verdict in verdicts if verdict.score is None)
        told = ", ".join(f"{code} {count:,}" for code, count in sorted(without.items()))
        asked = sum(verdict.code not in CLAMPED for verdict in verdicts)
        if without and without.total() == asked:
            raise RunStopped(
                f"judge {self._judge.name} gave none of the {asked:,} answers of this step a score ({told}), "
                "so there is nothing to learn from; choose another --judge, mend its settings, or have it asked again "
                "with another --judge-journal"
            )
        if without:
            say(f"judge {self._judge.name}: no score for {without.total():,} of {len(verdicts):,} answers ({told})")
        return verdicts

    def _of_all_ranks(self, cases: Sequence[Case]) -> tuple[list[Verdict], float]:
        """The verdicts of this rank's cases, and what was spent before."""
        import torch.distributed as ranks

        if self._line is None:  # the training's own line gives up after minutes, and takes all ranks down
            self._line = ranks.new_group(backend="gloo", timeout=RANKS_WAIT)
        gathered: list[list[Case] | None] = [None] * world()
        ranks.all_gather_object(gathered, list(cases), group=self._line)
        there = [each or [] for each in gathered]
        came: list[tuple[list[Verdict], float, float] | RunStopped | None] = [None]
        if self._judge is not None:
            before = self.spent_usd
            try:
                came = [(self._checked([case for each in there for case in each]), before, self.spent_usd)]
            except RunStopped as error:
                came = [error]
            except BaseException:
                ranks.broadcast_object_list([RunStopped("stopped by an error of the first rank")], 0, self._line)
                raise
        ranks.broadcast_object_list(came, src=0, group=self._line)
        (result,) = came
        assert result is not None, "the first rank has a judge"
        if isinstance(result, RunStopped):
            raise result
        verdicts, before, self.spent_usd = result
        start = sum(map(len, there[: rank()]))
        return verdicts[start : start + len(cases)], before


@contextmanager
def open_step_judge(options: JudgeOptions) -> Iterator[StepJudge]:
    """The judge of a training run.

    Raises:
        UsageError: for a judge, a key or a price that is not there, or a journal that cannot be used.
    """
    if rank() > 0:
        yield StepJudge(None, options)
        return
    with open_judge(options) as judge:
        yield StepJudge(judge, options)


def judge_metrics(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Shares of all answers, and the distribution of the scores there are."""
    scores = [verdict.score for verdict in verdicts if verdict.score is not None]
    found = {
        "judge/no_score": fmean(verdict.score is None for verdict in verdicts),
        "judge/clamped": fmean(verdict.code in CLAMPED for verdict in verdicts),
    }
    if scores:
        found["judge/mean"] = fmean(scores)
        found["judge/share_at_0"] = fmean(score == 0.0 for score in scores)
        found["judge/share_at_1"] = fmean(score == 1.0 for score in scores)
    return found
