"""Why a call is answered as it is: what may answer, what was recorded for it, and what the nearest calls cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cachebuild.answer import Answer, Outcome
from cachebuild.calibration import NEVER_FUZZY, FieldDifference
from cachebuild.lookup import Match, ToolFacts

_ORDER = ("exact", "normalised", "fuzzy", "best_effort")
_SHOWN = 100
_MOST_CHARACTERS = 300
"""Of the arguments of a call; think tools have pages."""
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
        fuzzy_at: lowest p of a fuzzy answer.
    """

    answer: Answer
    canonical_arguments: str
    state: str
    nearest: tuple[Match, ...]
    facts: ToolFacts
    fuzzy_at: float = 0.8

    def __str__(self) -> str:
        lines = [
            f"{self.answer.tier}, p {self.answer.p:.2f}: {self.answer.reason}",
            f"arguments: {_cut(self.canonical_arguments)}",
            f"related writes before this turn: {self.state or 'none'}",
            self._policy(),
            *self._share(),
            *self._outcomes(),
            *self._not_fuzzy(),
        ]
        for match in self.nearest:
            lines += [_near(match), *(f"  {self._cost(difference)}" for difference in match.differences)]
        return "\n".join(lines)

    def _share(self) -> Iterator[str]:
        """What p says beyond the fields that differ."""
        if self.answer.outcomes and self.facts.agreement < 1:
            agreed = f"{100 * self.facts.agreement:.1f} %"
            yield f"p counts that equal calls of this tool had equal results {agreed} of the time"

    def _not_fuzzy(self) -> Iterator[str]:
        """Why the nearest call is no fuzzy answer."""
        if not self.nearest or self.answer.tier not in ("best_effort", "unavailable"):
            return
        if "fuzzy" not in self.facts.policy:
            return
        near = self.nearest[0]
        hard = sorted({each.type for each in near.differences if each.type in NEVER_FUZZY})
        if hard:
            yield f"not fuzzy: another {' or '.join(hard)} is another thing, whatever p"
        elif not near.same_state:
            yield "not fuzzy: the nearest call was recorded in another state"
        elif near.p < self.fuzzy_at:
            yield f"not fuzzy: the nearest call has p {near.p:.2f}, below {self.fuzzy_at}"

    def _cost(self, difference: FieldDifference) -> str:
        """What a field costs, and what was recorded to say so."""
        counts = self.facts.calibration.fields.get(difference.field)
        asked, recorded = (_cut(text or "not given", _SHOWN) for text in (difference.asked, difference.recorded))
        said = f"{difference.field} ({difference.type}): asked {asked}, recorded {recorded}; p {difference.p:.2f}"
        if counts is None:
            return f"{said}, no successful call had this field"
        pairs = round(sum(counts.sums.pairs))
        alike = f" at similarity {difference.similarity:.2f}" if difference.type == "text" else ""
        if not pairs:
            return f"{said}{alike}, no two calls differ in it alone"
        of = f"from {pairs:,} pair{'s' if pairs > 1 else ''} of calls that differ in it alone"
        return f"{said}{alike}, {of}, {counts.equal:,} with equal results"

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


def _near(match: Match) -> str:
    """A recorded call and what it differs in besides its fields."""
    marks = [] if match.differences else ["equal arguments"]
    marks += [] if match.same_state else ["recorded in another state, which bounds p"]
    return "; ".join([f"near: p {match.p:.2f} {_cut(match.candidate.arguments)}", *marks])


def _cut(text: str, limit: int = _MOST_CHARACTERS) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _times(outcome: Outcome) -> str:
    return f"{outcome.count:,} record{'s' if outcome.count > 1 else ''}{'' if outcome.success else ' (failed)'}"


def _place(outcome: Outcome) -> str:
    return f"{outcome.source_trajectory_id} message {outcome.source_message_index}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
