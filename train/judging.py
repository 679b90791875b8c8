"""The judge in training: all answers of a step at once, what is logged of them, and a stop where nothing is learnt."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean

from curate.cli import say
from synth.asking.asker import RunStopped
from synth.judging import Case, Judge, JudgeOptions, Verdict, open_judge
from synth.judging.base import EMPTY, META
from train.ranks import rank, world


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

    def judge(self, cases: Sequence[Case], log: Callable[[str, float], None]) -> list[Verdict]:
        """The verdicts, in the order of the cases.

        Args:
            cases: of the rollouts of this rank.
            log: takes the name of a metric and its value.

        Raises:
            RunStopped: if the judge cannot be asked now, or gave no answer of the step a score.
        """
        begin, before = time.perf_counter(), self.spent_usd
        verdicts = self._of_all_ranks(cases) if world() > 1 else self._checked(cases)
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
        if without and without.total() == len(verdicts):
            raise RunStopped(
                f"judge {self._judge.name} gave none of the {len(verdicts):,} answers of this step a score ({told}), "
                "so there is nothing to learn from; choose another --judge or mend its settings"
            )
        if without:
            say(f"judge {self._judge.name}: no score for {without.total():,} of {len(verdicts):,} answers ({told})")
        return verdicts

    def _of_all_ranks(self, cases: Sequence[Case]) -> list[Verdict]:
        import torch.distributed as ranks

        gathered: list[list[Case] | None] = [None] * world()
        ranks.all_gather_object(gathered, list(cases))
        there = [each or [] for each in gathered]
        came: list[tuple[list[Verdict], float] | RunStopped | None] = [None]
        if self._judge is not None:
            try:
                came = [(self._checked([case for each in there for case in each]), self.spent_usd)]
            except RunStopped as error:
                came = [error]
        ranks.broadcast_object_list(came, src=0)
        (result,) = came
        assert result is not None, "the first rank has a judge"
        if isinstance(result, RunStopped):
            raise result
        verdicts, self.spent_usd = result
        before = sum(map(len, there[: rank()]))
        return verdicts[before : before + len(cases)]


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
        "judge/clamped": fmean(verdict.code in (EMPTY, META) for verdict in verdicts),
    }
    if scores:
        found["judge/mean"] = fmean(scores)
        found["judge/share_at_0"] = fmean(score == 0.0 for score in scores)
        found["judge/share_at_1"] = fmean(score == 1.0 for score in scores)
    return found
