"""What is judged, what comes of it, and what all judges share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from curate.trajectory import Message
from synth.answer_judge import is_meta_reasoning

MOST_POINTS = 5
"""The end of the rubric's scale."""
OK, EMPTY, META = "ok", "empty", "meta_reasoning"
"""Codes of an answer that was judged, of one that says nothing, and of one that talks about how to answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """A final answer to be judged.

    Attributes:
        answer: what the user is told at the end.
        dialogue: the messages up to and with the user's request.
        reference: a good answer, "" where none is known.
        facts: what must be said; `a|b` means either.
    """

    answer: str
    dialogue: Sequence[Message] = ()
    reference: str = ""
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says.

    Attributes:
        score: 0 to 1; None if no score could be had.
        code: "ok", why the score is 0 without a judge ("empty", "meta_reasoning"), or why there is none.
        said: the model's words, "" where none was asked.
    """

    score: float | None
    code: str
    said: str = ""


class Judge(Protocol):
    """Scores final answers.

    Attributes:
        name: "offline", "openai:MODEL" or "anthropic:MODEL"; never a host or port.
        version: of the rubric.
    """

    name: str
    version: str

    @property
    def spent_usd(self) -> float:
        """The most that everything so far may have cost, earlier runs with the same journal included."""
        ...

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """The verdicts, in the order of the cases.

        Raises:
            RunStopped: if the judge cannot be asked now; what was paid is kept.
            KeyboardInterrupt: if a signal has stopped it.
        """
        ...


def clamped(answer: str) -> Verdict | None:
    """The verdict on an answer that is worth 0 whatever a judge says; None for one that must be judged."""
    if not answer.strip():
        return Verdict(0.0, EMPTY)
    return Verdict(0.0, META) if is_meta_reasoning(answer) else None
