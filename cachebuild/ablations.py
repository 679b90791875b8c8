"""Simpler caches over the same recorded calls: what each rule of ours is worth, in one table.

Every answerer sees the same index, place and tool; ours is `Lookup.answer` itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from cachebuild.answer import Outcome
from cachebuild.fidelity import fidelity
from cachebuild.key import Place, read_arguments
from cachebuild.lookup import Lookup, Query, pick
from cachebuild.measures import HITS, SERVED, avoided_by_state, lost_to_state
from cachebuild.state import recorded_writes

if TYPE_CHECKING:
    from curate.report import Cell

RATIO_AT = 90.0
JACCARD_AT = 0.8
_TOKEN = re.compile(r"\w+")
_NEAR = 8


class Given(NamedTuple):
    """A result that was served, and whether it is that of an equal call."""

    result: str
    equal: bool = True


Answerer: TypeAlias = Callable[[Query], Given | None]
"""From a query to what it is answered with, None for a miss."""


class Ablations:
    """Answers queries with rules simpler than ours.

    Args:
        lookup: of the cache whose recorded calls they all see.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._texts: dict[tuple[Place, str], dict[str, list[str]]] = {}
        self.answerers: dict[str, Answerer] = {
            "stateless exact": self.stateless,
            "exact only": self.exact,
            "rapidfuzz ratio >= 90": self.ratio,
            "token Jaccard >= .8": self.jaccard,
            "nearest of the tool": self.nearest,
            "field-aware (ours)": self.ours,
        }

    def stateless(self, query: Query) -> Given | None:
        """Equal canonical arguments, whatever was written before."""
        if query.arguments.values is None:
            return None
        return self._pooled(query, query.arguments.canonical)

    def knows(self, query: Query, state: str) -> bool:
        """Whether other trajectories made all the writes of a state; `query` says where and whose are not seen."""
        calls = ((tool, read_arguments(arguments)) for tool, arguments in recorded_writes(state))
        return all(self.stateless(query._replace(tool=tool, arguments=call)) is not None for tool, call in calls)

    def exact(self, query: Query) -> Given | None:
        """Our exact tier alone."""
        answer = self._lookup.answer(query)
        return Given(answer.result) if answer.tier == "exact" else None

    def ratio(self, query: Query) -> Given | None:
        """The call whose argument text has the highest rapidfuzz ratio, at least 90; stateless."""
        return self._nearest(query, RATIO_AT)

    def nearest(self, query: Query) -> Given | None:
        """The call whose argument text has the highest ratio, however low; stateless."""
        return self._nearest(query, 0.0)

    def jaccard(self, query: Query) -> Given | None:
        """The call whose argument tokens have the highest Jaccard similarity, at least .8; stateless."""
        asked = _tokens(query.arguments.canonical)
        found = []
        for text in self._distinct(query):
            tokens = _tokens(text)
            similarity = len(asked & tokens) / (len(asked | tokens) or 1)
            if similarity >= JACCARD_AT:
                found.append((-similarity, text != query.arguments.canonical, text))
        return self._first(query, (text for *_, text in sorted(found)))

    def ours(self, query: Query) -> Given | None:
        """The exact, normalised or fuzzy tier."""
        answer = self._lookup.answer(query)
        return Given(answer.result, answer.tier in HITS) if answer.tier in SERVED else None

    def _nearest(self, query: Query, at_least: float) -> Given | None:
        from rapidfuzz import fuzz, process

        if query.arguments.values is None:
            return None
        texts = sorted(self._distinct(query))
        for limit in (_NEAR, len(texts)):  # all of them only where the nearest are the query's own
            found = process.extract(
                query.arguments.canonical,
                texts,
                scorer=fuzz.ratio,
                processor=None,
                limit=limit,
                score_cutoff=at_least,
            )
            given = self._first(query, (text for text, _, _ in found))
            if given is not None or len(found) < limit:
                return given
        return None

    def _first(self, query: Query, texts: Iterator[str]) -> Given | None:
        """The result of the first of these calls that another trajectory made."""
        return next((given for text in texts if (given := self._pooled(query, text)) is not None), None)

    def _distinct(self, query: Query) -> dict[str, list[str]]:
        """Canonical arguments of the tool's recorded calls -> their keys, one a state."""
        where = (self._lookup.place(query), query.tool)
        if where not in self._texts:
            texts = self._texts[where] = {}
            for call in self._lookup.index.distinct(*where):
                texts.setdefault(call.arguments, []).append(call.key)
        return self._texts[where]

    def _pooled(self, query: Query, text: str) -> Given | None:
        """One of the results that calls of these arguments had in any state, drawn by their counts."""
        merged: dict[str, Outcome] = {}
        for key in self._distinct(query).get(text, ()):
            for outcome in self._lookup.index.outcomes(key, query.exclude_trajectory):
                known = merged.get(outcome.result)
                count = outcome.count + (known.count if known else 0)
                merged[outcome.result] = Outcome(
                    outcome.result,
                    count,
                    outcome.success,
                    outcome.source_trajectory_id,
                    outcome.source_message_index,
                )
        if not merged:
            return None
        ordered = tuple(sorted(merged.values(), key=lambda outcome: (-outcome.count, outcome.result)))
        return Given(pick(ordered, query.seed, text).result, text == query.arguments.canonical)


@lru_cache(maxsize=100_000)
def _tokens(text: str) -> frozenset[str]:
    return frozenset(_TOKEN.findall(text))


class AblationTally:
    """Counts how every answerer fares on the same queries.

    Args:
        ablations: the answerers.
    """

    def __init__(self, ablations: Ablations) -> None:
        self._ablations = ablations
        self._sums = {name: dict.fromkeys(_SUMS, 0.0) for name in ablations.answerers}
        self.calls = 0

    def add(self, query: Query, recorded: str, chance: float, *, read_behind_write: bool, unknown_write: bool) -> None:
        """Ask every answerer about a call of a tool that is not volatile.

        Args:
            query: the call.
            recorded: what is right.
            chance: what two results of the tool share by accident.
            read_behind_write: whether it is a read behind a related write.
            unknown_write: whether no other trajectory made such a write.
        """
        self.calls += 1
        served = {name: answer(query) for name, answer in self._ablations.answerers.items()}
        equal = served["stateless exact"]
        stateless = equal.result if equal else None
        for name, given in served.items():
            sums, result = self._sums[name], given.result if given else None
            right, same = result == recorded, given is not None and given.equal
            lost = lost_to_state(stateless, recorded, result, equal=same)
            sums["lost"] += lost
            sums["lost_unknown"] += lost and unknown_write
            sums["avoided"] += avoided_by_state(stateless, recorded, equal=same)
            if result is None:
                continue
            sums["served"] += 1
            sums["right"] += right
            sums["fidelity"] += fidelity(recorded, result, chance)
            sums["miss_served"] += stateless is None
            sums["miss_right"] += stateless is None and right
            sums["behind"] += read_behind_write
            sums["behind_wrong"] += read_behind_write and not right
        self._sums["stateless exact"]["misses"] += stateless is None

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows of table `ablations`: sums, so that any share can be made of them."""
        misses = int(self._sums["stateless exact"]["misses"])
        for name, sums in self._sums.items():
            counted: dict[str, Any] = {key: int(sums[key]) for key in _SUMS if key not in ("fidelity", "misses")}
            yield {"answerer": name, "calls": self.calls, "misses": misses, **counted, "fidelity": sums["fidelity"]}

    def table(self) -> tuple[list[str], list[list[Cell]]]:
        """(headers, rows) for a terminal; percentages, points of all calls for the last three."""
        headers = [
            "cache",
            "served %",
            "right %",
            "fidelity",
            "behind %",
            "miss %",
            "m.right %",
            "lost",
            "unknown",
            "avoided",
        ]
        rows: list[list[Cell]] = []
        for row in self.rows():
            served, fid = row["served"], row["fidelity"]
            cells = [_percent(served, self.calls), _percent(row["right"], served)]
            cells.append(round(fid / served, 3) if served else None)
            cells.append(_percent(row["behind_wrong"], row["behind"]))
            cells.append(_percent(row["miss_served"], row["misses"]))
            cells.append(_percent(row["miss_right"], row["miss_served"]))
            cells.append(_percent(row["lost"], self.calls))
            cells.append(_percent(row["lost_unknown"], self.calls))
            cells.append(_percent(row["avoided"], self.calls))
            rows.append([row["answerer"], *cells])
        return headers, rows


_SUMS = "served right fidelity behind behind_wrong misses miss_served miss_right lost lost_unknown avoided".split()

LEGEND = (
    "Volatile tools are left out. right %, fidelity: when served. behind %: wrong when served, reads behind a related "
    "write. miss %: served of the calls that no trajectory made with equal arguments, m.right % of these right. Points "
    "of all calls: lost, hits lost to state keying (stateless is right, and this one serves no equal call and nothing "
    "right); unknown, those of them behind a write that no other trajectory made; avoided, calls that stateless gets "
    "wrong and this one does not answer with an equal call."
)


def _percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 2) if whole else None
