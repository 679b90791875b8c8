"""The tiers: from a call and the state it is made in to the best recorded answer, and why.

exact -> normalised -> fuzzy -> best_effort -> unavailable; a tool's policy says which of them may answer for it. In a
state that is not known, an equal call is best effort too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Literal, NamedTuple

from cachebuild.answer import TIERS, Answer, Outcome, Tier, unavailable
from cachebuild.calibration import NEVER_FUZZY, CalibrationSettings, FieldDifference, ToolCalibration, product
from cachebuild.ids import id_values
from cachebuild.key import CallArguments, Place, exact_key, normalised_arguments, normalised_key, repr_short
from cachebuild.normalising import Normalising
from cachebuild.policies import read_policies
from cachebuild.state import Dependence
from curate.canonical import hash128
from curate.errors import UsageError

if TYPE_CHECKING:
    from cachebuild.candidates import CandidateSearch, Found
    from cachebuild.index import Candidate, EntryIndex

_HIT = {tier: f"{tier} hit" for tier in TIERS}
_NONE = "no equal call was recorded in this state"
FEW, MANY = 32, 1_024
"""Recorded calls that are taken as near: a few, and many where a few all stand at the bar."""
TIED = 16
"""Of those that p and closeness do not tell apart, so many are read to find the likest text."""
_SLACK = 1e-9

_STATE_UNKNOWN = "state_unknown: a related write may or may not have happened"
_LISTS_WRITTEN = "recorded in another state: the result lists what was written since"


@dataclass(frozen=True)
class LookupSettings:
    """What a session may serve.

    Attributes:
        fuzzy_at: lowest p of a fuzzy or normalised answer.
        exact_at: lowest p of an exact answer, where the tool is not volatile: below it stand calls that were recorded
            with several results in one state, and these are best effort.
        best_effort: serve the nearest recorded result of an unlike call, and that of an equal one where nobody knows
            whether a related write happened, marked so; else unavailable.
        unknown_state_p: highest p of an answer that depends on a write of which nobody knows whether it happened, or
            that was recorded in another state.
        max_candidates: for best effort, up to so many recorded calls of one tool are all compared; among more, some
            that share values or rare words with the call. A fuzzy answer is the best of all, however many.
        volatile: of the outcomes recorded for a volatile tool: "drawn" by the session's seed as for any other tool;
            "session", where the first answer to a call stands for the whole session, whatever is written meanwhile; or
            always the "commonest", whatever the seed.
        policies: per tool, the tiers that may answer and the lowest p, as TOOL=TIER,TIER@P, or ENV/TOOL=... for that
            of one env; * stands for the tools that are not named, e.g. `get_quote=exact@.9 desk/*=exact *=@.5`.
    """

    fuzzy_at: float = 0.8
    exact_at: float = 0.5
    best_effort: bool = True
    unknown_state_p: float = 0.5
    max_candidates: int = 2_000
    volatile: Literal["drawn", "session", "commonest"] = "drawn"
    policies: tuple[str, ...] = ()

    def bar(self, tier: Tier) -> float:
        """Lowest p of an equal call in the tier; below it the answer is best effort."""
        return self.exact_at if tier == "exact" else self.fuzzy_at if tier == "normalised" else 0.0

    def check(self) -> None:
        """Refuse bounds that no p can have, and look-ups that compare nothing.

        Raises:
            UsageError: naming the setting.
        """
        for name in ("fuzzy_at", "exact_at", "unknown_state_p"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"--{name.replace('_', '-')} must be between 0 and 1, not {getattr(self, name)}")
        if self.max_candidates < 1:
            raise UsageError(f"--max-candidates must be at least 1, not {self.max_candidates}")
        read_policies(self.policies)


@dataclass(frozen=True)
class ToolFacts:
    """What look-up needs of one row of table `tools`."""

    kind: str
    task_scoped: bool
    volatile: bool
    policy: frozenset[str]
    agreement: float
    calibration: ToolCalibration
    normalising: Normalising = field(default_factory=Normalising)
    bystanders: Mapping[str, float] = field(default_factory=dict)
    lowest_p: float = 0.0


NOTHING_KNOWN = ToolFacts("write", False, False, frozenset(), 0.0, ToolCalibration({}, CalibrationSettings()))


class Query(NamedTuple):
    """One call as look-up sees it; `task_id` None where the session has no task."""

    env_id: str
    initial_state_id: str | None
    task_id: str | None
    tool: str
    arguments: CallArguments
    dependence: Dependence
    seed: int = 0
    exclude_trajectory: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A recorded call beside the query.

    Attributes:
        candidate: the recorded call.
        differences: the fields that differ.
        p: the product of what they cost; capped if the state differs.
        same_state: whether the related writes before it are the query's.
    """

    candidate: Candidate
    differences: tuple[FieldDifference, ...]
    p: float
    same_state: bool

    @property
    def hard(self) -> bool:
        """Whether an id or a number differs."""
        return any(difference.type in NEVER_FUZZY for difference in self.differences)


class Lookup:
    """Answers queries from an index; holds no session."""

    def __init__(self, index: EntryIndex, tools: Mapping[tuple[str, str], ToolFacts], settings: LookupSettings) -> None:
        self.index = index
        self.tools = tools
        self.settings = settings
        self._searches: dict[tuple[Place, str], CandidateSearch] = {}

    def facts(self, query: Query) -> ToolFacts:
        """What is known of the query's tool."""
        return self.tools.get((query.env_id, query.tool), NOTHING_KNOWN)

    def place(self, query: Query) -> Place:
        """Where the query's result would be true."""
        scope_value = (query.task_id or "") if self.facts(query).task_scoped else ""
        return Place(query.env_id, query.initial_state_id, scope_value)

    def answer(self, query: Query) -> Answer:
        """The best answer that the tool's policy allows."""
        facts = self.tools.get((query.env_id, query.tool))
        if facts is None or query.arguments.values is None or (facts.task_scoped and query.task_id is None):
            return unavailable(query.tool, self._refusal(query))
        found = self._equal(query) or self._similar(query)
        if found.tier == "best_effort" and not self.settings.best_effort:
            return unavailable(query.tool, _NONE, found.reason)
        lowest = facts.lowest_p
        if found.p < lowest and found.tier != "unavailable":
            reason = f"{found.reason}; p {found.p:.2f} is below {lowest}, the tool's lowest"
            return unavailable(query.tool, "what was recorded is not sure enough", reason)
        return found

    def _refusal(self, query: Query) -> str:
        """Why no tier can answer, whatever was recorded."""
        if (query.env_id, query.tool) not in self.tools:
            return f"no call of tool {repr_short(query.tool)} was recorded in env {repr_short(query.env_id)}"
        if query.arguments.values is None:
            return f"the arguments are no JSON object: {repr_short(query.arguments.recorded)}"
        return f"results of {query.tool} hold within one task, and this session has no task_id"

    def _equal(self, query: Query) -> Answer | None:
        """The exact or the normalised hit; else the record of the state without the bystanders among the writes."""
        found = self._in_state(query)
        if found is None or found.tier == "best_effort":
            facts = self.facts(query)
            ids = id_values(query.arguments.values, facts.normalising.id_fields)
            before = query.dependence.without(facts.bystanders.keys(), ids)
            if before is not query.dependence:
                unmoved = self._in_state(query._replace(dependence=before))
                if unmoved is not None and unmoved.tier != "best_effort":
                    return self._unmoved(unmoved, facts)
        return found

    def _unmoved(self, found: Answer, facts: ToolFacts) -> Answer:
        """The answer of a state without bystanders, as likely as they leave a read unchanged."""
        p = min(found.p, min(facts.bystanders.values()))
        reason = f"{found.reason}; writes that such reads were never seen to depend on were left out"
        return found._replace(p=p, reason=reason)

    def _in_state(self, query: Query) -> Answer | None:
        """The hit of the query's state.

        What a read depends on is known in full only when there is a result: one that lists what was written since
        sends on to the call's record behind these writes.
        """
        found = self._recorded(query)
        if found is None:
            everything = query.dependence.everything()
            if everything is query.dependence:
                return None
            found = self._recorded(query._replace(dependence=everything))
            lists_all = found is not None and query.dependence.given(found.result).digest == everything.digest
            return found if lists_all else None
        given = query.dependence.given(found.result)
        if given.digest == query.dependence.digest:
            return found
        return self._recorded(query._replace(dependence=given)) or found

    def _recorded(self, query: Query) -> Answer | None:
        """The answer of an equal call that was recorded in the query's state."""
        facts, place, exclude = self.facts(query), self.place(query), query.exclude_trajectory
        digest, policy, arguments = query.dependence.digest, facts.policy, query.arguments
        if "exact" in policy:
            key = exact_key(place, query.tool, arguments.canonical, digest)
            outcomes = self.index.outcomes(key, exclude)
            if outcomes:
                return self._served(query, "exact", key, arguments.canonical, outcomes, 1.0)
        if "normalised" not in policy:
            return None
        key = normalised_key(place, query.tool, normalised_arguments(arguments.values or {}), digest)
        for call in self.index.normalised(key):
            outcomes = self.index.outcomes(call.key, exclude)
            if outcomes:
                p = facts.normalising.p(arguments.values or {}, call.values())
                return self._served(query, "normalised", call.key, call.arguments, outcomes, p)
        return None

    def _served(
        self,
        query: Query,
        tier: Tier,
        key: str,
        arguments: str,
        outcomes: tuple[Outcome, ...],
        p_call: float,
        because: str = "",
    ) -> Answer:
        """The answer from the outcomes of one recorded call; `p_call` is p that it stands for the query."""
        facts = self.facts(query)
        commonest = facts.volatile and self.settings.volatile == "commonest"
        picked = outcomes[0] if commonest or len(outcomes) == 1 else pick(outcomes, query.seed, key)
        p = p_call * share(picked, outcomes, facts.agreement)
        reason = because or _HIT[tier]
        if len(outcomes) > 1:
            total = sum(outcome.count for outcome in outcomes)
            reason += f"; {picked.count} of {total} records have this result"
        if facts.volatile:
            reason += "; the tool is volatile" + (", the commonest is served" if commonest else "")
        given = query.dependence.given(picked.result)
        if given.doubtful or given.digest != query.dependence.digest:
            tier, p = "best_effort", min(p, self.settings.unknown_state_p)
            reason += f"; {_STATE_UNKNOWN if given.doubtful else _LISTS_WRITTEN}"
        elif p < self.settings.bar(tier) and not facts.volatile:
            if tier == "normalised" and "best_effort" not in facts.policy:
                return unavailable(query.tool, _NONE, f"{reason}, but its p {p:.2f} is below {self.settings.bar(tier)}")
            tier = "best_effort"
        result, _, success, trajectory_id, message_index = picked
        return Answer(result, tier, p, reason, not success, arguments, trajectory_id, message_index, outcomes)

    def _similar(self, query: Query) -> Answer:
        """A fuzzy or a best-effort answer, else unavailable with the reason."""
        facts, settings = self.facts(query), self.settings
        if "fuzzy" not in facts.policy:
            return unavailable(query.tool, f"{query.tool} is a {facts.kind} tool and no equal call was recorded")
        search = self._search(query)
        row = search.row(query.arguments.values or {}, query.dependence.digest)
        found = search.serving(row, FEW)
        found = found if len(found) < FEW else search.serving(row, MANY)
        for call, p in self._likest(query, search, found):
            outcomes = self._successes(call, query)
            if not outcomes or p * share(outcomes[0], outcomes, facts.agreement) < settings.fuzzy_at - _SLACK:
                continue  # whatever is picked: the commonest has the highest share
            match = self._match(query, call)
            if match.same_state and not match.hard:
                fuzzy = self._unlike(query, "fuzzy", match, outcomes)
                if fuzzy.p >= settings.fuzzy_at:
                    return fuzzy
        for match in self._matched(query, search, search.nearest(row, FEW)):
            outcomes = self._successes(match.candidate, query)
            if not outcomes:
                continue
            if settings.best_effort and "best_effort" in facts.policy:
                return self._unlike(query, "best_effort", match, outcomes)
            return unavailable(query.tool, _NONE, f"{_NONE}; the nearest: {describe(match)}")
        because = f"no equal call of {query.tool} was recorded in this state, and no other that succeeded"
        return unavailable(query.tool, because)

    def _unlike(self, query: Query, tier: Tier, match: Match, outcomes: tuple[Outcome, ...]) -> Answer:
        call = match.candidate
        because = f"the nearest recorded call: {describe(match)}"
        recorded = self.index.outcomes(call.key, query.exclude_trajectory)
        succeeded = sum(outcome.count for outcome in outcomes) / sum(outcome.count for outcome in recorded)
        return self._served(query, tier, call.key, call.arguments, outcomes, match.p * succeeded, because)

    def _successes(self, call: Candidate, query: Query) -> tuple[Outcome, ...]:
        """Only what succeeded may answer another call: a recorded error speaks of its own arguments."""
        outcomes = self.index.outcomes(call.key, query.exclude_trajectory)
        return tuple(outcome for outcome in outcomes if outcome.success)

    def matches(self, query: Query) -> list[Match]:
        """Recorded calls of the same place that come near the query, best first: by p, then by closeness."""
        return list(self.near(query))

    def near(self, query: Query) -> Iterator[Match]:
        """The same, compared one at a time."""
        search = self._search(query)
        row = search.row(query.arguments.values or {}, query.dependence.digest)
        return self._matched(query, search, search.nearest(row, FEW))

    def _search(self, query: Query) -> CandidateSearch:
        """The tool's recorded calls at the query's place; opened at the first query."""
        from cachebuild.candidate_store import open_search

        at = (self.place(query), query.tool)
        if at not in self._searches:
            self._searches[at] = open_search(self.index, *at, self.facts(query).calibration, self.settings)
        return self._searches[at]

    def _matched(self, query: Query, search: CandidateSearch, found: list[Found]) -> Iterator[Match]:
        """The calls that were found, beside the query, in the order of `_likest`."""
        return (self._match(query, call) for call, _ in self._likest(query, search, found))

    def _likest(self, query: Query, search: CandidateSearch, found: list[Found]) -> Iterator[tuple[Candidate, float]]:
        """The calls that were found, with their p; those that nothing tells from the first by likeness."""
        tied = sum(1 for _ in takewhile(lambda each: each[1:] == found[0][1:], found[:TIED]))
        calls = [(search.calls[position], p) for position, p, _ in found[:tied]]
        if tied > 1:
            from rapidfuzz import fuzz

            asked = query.arguments.canonical
            calls.sort(key=lambda each: -fuzz.ratio(asked, each[0].arguments))
        return chain(calls, ((search.calls[position], p) for position, p, _ in found[tied:]))

    def _match(self, query: Query, call: Candidate) -> Match:
        """A recorded call beside the query."""
        differences = tuple(self.facts(query).calibration.differences(query.arguments.values or {}, call.values()))
        same_state = call.state_digest == query.dependence.digest
        p = product(differences) if same_state else min(product(differences), self.settings.unknown_state_p)
        return Match(call, differences, p, same_state)


def pick(outcomes: tuple[Outcome, ...], seed: int, key: str) -> Outcome:
    """One of a key's outcomes, drawn by their counts with hash(seed, key): equal calls get equal answers."""
    total = sum(outcome.count for outcome in outcomes)
    drawn = int(hash128(str(seed), key)[:16], 16) * total >> 64
    for outcome in outcomes:
        drawn -= outcome.count
        if drawn < 0:
            return outcome
    raise AssertionError("counts add up to the total")


def share(picked: Outcome, outcomes: tuple[Outcome, ...], agreement: float) -> float:
    """How likely a live call of this key gives the picked outcome: (count - 1 + agreement) / records.

    The other records of the key vote; the picked record cannot vote for itself, so the tool's own agreement (how
    often equal keys had equal results) votes in its place. A single record thus has p = agreement.
    """
    total = picked.count if len(outcomes) == 1 else sum(outcome.count for outcome in outcomes)
    return (picked.count - 1 + agreement) / total


def describe(match: Match) -> str:
    """One line for a person: what differs from the nearest recorded call and what each difference costs."""
    parts = [
        f"{difference.field} ({difference.type}) is {_shown(difference.asked)}, "
        f"recorded {_shown(difference.recorded)}, p {difference.p:.2f}"
        for difference in match.differences
    ]
    if not match.same_state:
        parts.append("recorded in another state")
    return "; ".join(parts) or "equal arguments"


def _shown(text: str | None, limit: int = 60) -> str:
    if text is None:
        return "not given"
    return text if len(text) <= limit else text[: limit - 3] + "..."
