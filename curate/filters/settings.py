"""The thresholds of the filters, as flags; imports nothing heavy, because every `--help` reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated

import tyro

from curate.errors import UsageError


@dataclass(frozen=True)
class ContentSettings:
    """What the texts of a trajectory may hold.

    Attributes:
        max_leaked_turns: assistant turns whose visible text still holds thinking tags, ReAct or chat markup. None is
            fine by default: a model trained on such a turn shows its users the same.
        max_refusals: assistant turns that refuse as a model ("As an AI ..."), not as an agent bound by its policy. None
            is fine by default: the call that should have been made is missing.
        languages: ISO 639-1 codes that users and assistants may write in, e.g. en de; needs py3langid. By default all
            may: a language is no fault.
        max_ungrounded: argument values of a trajectory that no earlier message holds. Off by default: in open worlds a
            sensible guess (a known address, a title) looks the same as an invented id, and a slip that the agent
            mends is worth keeping. In closed worlds (shops, bookings) 0 is safe.
        keep_secrets: keep trajectories that hold a real-looking key, token or password, and only count them. By
            default they go: what is published or trained on cannot be taken back.
    """

    max_leaked_turns: int = 0
    max_refusals: int = 0
    languages: tuple[str, ...] = ()
    max_ungrounded: int | None = None
    keep_secrets: bool = False

    def check(self) -> None:
        """Refuse language codes that no text could have, and languages that cannot be told here.

        Raises:
            UsageError: naming the code, or the package that is missing.
        """
        if self.languages:
            from curate.filters.languages import check_languages

            check_languages(self.languages)


@dataclass(frozen=True)
class QualitySettings:
    """Which of the scores that a source carries a trajectory needs.

    Attributes:
        min_quality: PATH=VALUE, a dotted path into the metadata and the lowest number that is kept, e.g.
            question_quality_assessment.question_quality=4; give the flag once for each score.
        require_quality: turn away trajectories that lack one of these scores; by default a missing score is fine,
            because one run may read sources with and without scores.
    """

    min_quality: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    require_quality: bool = False

    def check(self) -> None:
        """Refuse what is no PATH=VALUE, and a demand for scores of which none is named.

        Raises:
            UsageError: naming the text that is wrong.
        """
        self.bounds()
        if self.require_quality and not self.min_quality:
            raise UsageError("--require-quality says nothing without --min-quality PATH=VALUE; name the scores")

    def bounds(self) -> list[tuple[str, float]]:
        """The scores as (path, lowest value)."""
        return [_bound(text) for text in self.min_quality]


def _bound(text: str) -> tuple[str, float]:
    path, _, value = text.rpartition("=")
    try:
        lowest = float(value)
    except ValueError:
        lowest = float("nan")
    if not re.fullmatch(r"[^.\s]+(?:\.[^.\s]+)*", path) or not isfinite(lowest):
        raise UsageError(f"--min-quality {text!r} is no PATH=VALUE; write e.g. response_quality.completeness=4")
    return path, lowest


@dataclass(frozen=True)
class FilterSettings:
    """Thresholds of the filters; a count is how many are still fine.

    Attributes:
        min_calls: tool calls a trajectory needs.
        max_unpaired: calls without a result, or results without a call (the call a truncated end lacks aside).
        max_unparsed: calls whose arguments are neither JSON nor a Python literal.
        max_unknown_tools: calls of a tool that the recorded schemas do not have.
        max_invalid: calls whose arguments do not fit the recorded schema, or for inferred ones the other calls.
        error_only: turn away trajectories of which every call failed.
        max_repeats: equal calls with equal results in one trajectory; more is a loop. Think tools aside.
        keep_incomplete: keep trajectories that end neither on a final turn, a stop message nor a terminal tool.
        keep_truncated: keep trajectories that end on a call without its result.
        min_reward: outcome below which a trajectory is turned away; None keeps all, also those without an outcome.
        min_messages: bounds of length, in messages.
        max_messages: bounds of length, in messages.
        max_chars: characters of all texts together, tool results included.
        content: refusals, languages, leaked thinking, ungrounded arguments and secrets.
        quality: scores that the source carries.
    """

    min_calls: int = 1
    max_unpaired: int = 0
    max_unparsed: int = 0
    max_unknown_tools: int = 0
    max_invalid: int = 0
    error_only: bool = True
    max_repeats: int = 3
    keep_incomplete: bool = False
    keep_truncated: bool = False
    min_reward: float | None = None
    min_messages: int = 2
    max_messages: int = 1_000
    max_chars: int = 4_000_000
    content: ContentSettings = field(default_factory=ContentSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)

    def check(self) -> None:
        """Refuse thresholds that nothing can be compared with.

        Raises:
            UsageError: naming the flag and its value.
        """
        if self.min_reward is not None and not isfinite(self.min_reward):
            raise UsageError(f"--min-reward must be a finite number, not {self.min_reward}")
        self.content.check()
        self.quality.check()
