"""The judge that asks nobody: required facts and values of the reference. It is no judge of prose."""

from __future__ import annotations

from collections.abc import Sequence

from synth.answer_judge import answer_score
from synth.judging.base import OK, Case, Verdict, clamped

OFFLINE_RUBRIC = "facts-1"
"""Name of its rule; another way of scoring gets another."""


class OfflineJudge:
    """Scores by `synth.answer_judge.answer_score`."""

    name = "offline"
    version = OFFLINE_RUBRIC

    @property
    def spent_usd(self) -> float:
        """It costs nothing."""
        return 0.0

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """The verdicts, in the order of the cases."""
        return [
            clamped(case.answer) or Verdict(answer_score(case.answer, case.facts, case.reference), OK) for case in cases
        ]
