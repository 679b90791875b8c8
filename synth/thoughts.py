"""Where a row's written thoughts come from: the rule-based teacher, here and now, or what a model said, journaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from curate.env import EnvRules
from curate.trajectory import Origin, Trajectory
from synth.checks.row import RowChecks
from synth.teachers.base import turn_view
from synth.turn_rule import NOT_ASKED, Turn, Written

if TYPE_CHECKING:
    from synth.asking.turns import Outcome, Workshop
    from synth.checks.settings import CheckSettings
    from synth.teachers.offline import OfflineTeacher


class Thoughts(Protocol):
    """Gives the thoughts of one row after the other."""

    @property
    def name(self) -> str:
        """The teacher's."""
        ...

    @property
    def origin(self) -> Origin:
        """Of its thoughts: "rule" or "teacher"."""
        ...

    def of(self, row: Trajectory, turns: Sequence[Turn], rules: EnvRules) -> dict[int, Written]:
        """What was written for each turn that needs a teacher, by message index."""
        ...


@dataclass
class OfflineThoughts:
    """Thoughts by rules; each is judged like a model's, and one that fails is left out.

    Args:
        checks: thresholds.
    """

    checks: CheckSettings
    name: str = field(default="offline", init=False)
    origin: Origin = field(default="rule", init=False)

    @cached_property
    def _teacher(self) -> OfflineTeacher:
        from synth.teachers.offline import OfflineTeacher

        return OfflineTeacher()

    def of(self, row: Trajectory, turns: Sequence[Turn], rules: EnvRules) -> dict[int, Written]:
        """Write and judge."""
        checks, teacher = RowChecks(row, self.checks, rules), self._teacher
        written = {}
        for index in asked(turns):
            thought = teacher.write(turn_view(row, index, rules))
            text = None if thought is None else thought.text
            codes = checks.failed(index, text)
            written[index] = Written(
                None if codes else text,
                codes,
                teacher.prompt_version,
                tried=(codes,),
                sources=() if thought is None else thought.sources,
            )
        return written


@dataclass(frozen=True)
class JournaledThoughts:
    """What a model teacher said, as far as it did; nobody is asked here."""

    shop: Workshop
    origin: Origin = "teacher"

    @property
    def name(self) -> str:
        """The teacher's id."""
        return self.shop.api.name

    def of(self, row: Trajectory, turns: Sequence[Turn], rules: EnvRules) -> dict[int, Written]:
        """Look the outcomes up."""
        from synth.asking.turns import RowAsks

        asks = RowAsks(row, asked(turns), self.shop, rules)
        return {index: self._written(asks.open(index).outcome) for index in asks.indices}

    def _written(self, outcome: Outcome | None) -> Written:
        if outcome is None:
            return NOT_ASKED
        first = len(outcome.tried) <= 1
        return Written(
            outcome.text,
            outcome.codes,
            self.shop.version if first else self.shop.turn_version,
            outcome.tried,
            tokens=(outcome.tokens_in, outcome.tokens_out),
            usd=outcome.usd,
            model=outcome.model,
            at=outcome.at,
        )


def asked(turns: Sequence[Turn]) -> list[int]:
    """Message indices of the turns that need a teacher."""
    return [turn.message_index for turn in turns if turn.origin == "teacher"]


def rules_of(rules: Mapping[str, EnvRules], row: Trajectory) -> EnvRules:
    """What is known of a row's env."""
    from curate.env import DEFAULT_RULES

    return rules.get(row["env_id"], DEFAULT_RULES)
