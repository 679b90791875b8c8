"""Judges of final answers: what an answer is worth, 0 to 1, by facts alone or by a model with a written rubric."""

from synth.judging.base import Case, Judge, Verdict
from synth.judging.making import JudgeOptions, open_judge

__all__ = ["Case", "Judge", "JudgeOptions", "Verdict", "open_judge"]
