"""Why a call is answered as it is: what may answer, what was recorded for it, and what the nearest calls cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cachebuild.answer import Answer, Outcome
from cachebuild.lookup import Match, ToolFacts, describe

_ORDER = ("exact", "normalised", "fuzzy", "best_effort")
_SHOWN = 100
_MOST_OUTCOMES = 5


@dataclass(frozen=True)
class Explanation:
    """Why a call is answered as it is.

    Attributes:
        answer: what the cache answers now.
        canonical_arguments: the arguments as the key sees them.
        state: JSON list of the related writes that the key stands on, empty without any.
        nearest: the recorded calls of the tool that come nearest, best first.
        facts: what is known of the tool, with the policy in force.
    """

    answer: Answer
    canonical_arguments: str
    state: str
    nearest: tuple[Match, ...]
    facts: ToolFacts

    def __str__(self) -> str:
        lines = [
            f"{self.answer.tier}, p {self.answer.p:.2f}: {self.answer.reason}",
            f"arguments: {self.canonical_arguments}",
            f"related writes before this turn: {self.state or 'none'}",
            self._policy(),
            *self._outcomes(),
        ]
        lines += [f"near: p {match.p:.2f} {match.candidate.arguments}; {describe(match)}" for match in self.nearest]
        return "\n".join(lines)

    def _policy(self) -> str:
        tiers = ", ".join(tier for tier in _ORDER if tier in self.facts.policy) or "nothing"
        lowest = f", from p {self.facts.lowest_p} on" if self.facts.lowest_p else ""
        return f"a {self.facts.kind} tool{', volatile' if self.facts.volatile else ''}; may answer: {tiers}{lowest}"

    def _outcomes(self) -> Iterator[str]:
        """One line an outcome of the matched key, the served one marked."""
        for outcome in self.answer.outcomes[:_MOST_OUTCOMES]:
            mark = "served" if outcome.result == self.answer.result else "also recorded"
            yield f"{mark}: {_times(outcome)}, first in {_place(outcome)}: {_shown(outcome.result)}"
        if len(self.answer.outcomes) > _MOST_OUTCOMES:
            yield f"and {len(self.answer.outcomes) - _MOST_OUTCOMES:,} other results"


def _times(outcome: Outcome) -> str:
    return f"{outcome.count:,} record{'s' if outcome.count > 1 else ''}{'' if outcome.success else ' (failed)'}"


def _place(outcome: Outcome) -> str:
    return f"{outcome.source_trajectory_id} message {outcome.source_message_index}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
