"""Shares of the tiers and how often each was right: the table that audit and demo print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from cachebuild.answer import TIERS
from curate.report import Cell

_SHORT = {"normalised": "norm.", "best_effort": "best", "unavailable": "none"}
HEADERS = ["queries", "calls", *(f"{_SHORT.get(tier, tier)} %" for tier in TIERS)]
HEADERS += ["right %", "if exact", "if fuzzy", "fidelity"]
"""norm.: normalised; best: best effort; none: unavailable; fidelity: the mean over what was served, best effort too."""

GROUPS = EVERY, SEEN, ALONE, HELD_OUT, BEHIND, VOLATILE = (
    "all calls",
    "tasks seen",
    "tasks seen in own alone",
    "held-out tasks",
    "reads behind a write",
    "volatile tools",
)
"""The overall lines of the table: a task is seen if another trajectory of it stands in the cache, held out if none.

Where its own is the only one, its results are left out, but scope, kinds and p were counted with them. The write that
a read stands behind shares an id with it. Volatile tools count in all lines.
"""


class TierTally:
    """Counts audit rows by group: all, tasks seen, seen alone and held out, reads behind a write, and each tool."""

    def __init__(self) -> None:
        self._tiers: dict[str, Counter[str]] = {}
        self._right: dict[str, Counter[str]] = {}
        self._fidelity: dict[str, float] = {}
        self._tools: set[str] = set()
        self.own_in_cache = 0
        self.own_found = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row of table `audit`."""
        self.own_in_cache += row["own_in_cache"]
        self.own_found += row["own_found"]
        groups = [EVERY, SEEN if row["seen_task"] else ALONE if row["own_in_cache"] else HELD_OUT]
        if row["after_write"] and row["kind"] == "read":
            groups.append(BEHIND)
        if row["volatile"]:
            groups.append(VOLATILE)
        tool = f"{row['env_id']}: {row['tool']}"
        self._tools.add(tool)
        for group in [*groups, tool]:
            self._tiers.setdefault(group, Counter())[row["tier"]] += 1
            self._right.setdefault(group, Counter())[row["tier"]] += row["right"]
            self._fidelity[group] = self._fidelity.get(group, 0.0) + row["fidelity"]

    def table(self, *, tools: bool = True) -> tuple[list[str], list[list[Cell]]]:
        """(headers, rows): the overall groups first, then the tools by name; percentages of the group's calls."""
        groups = [group for group in GROUPS if group in self._tiers]
        return HEADERS, [self._row(group) for group in [*groups, *(sorted(self._tools) if tools else ())]]

    def shares(self, tier: str) -> dict[str, float]:
        """Tool -> percentage of its calls that the tier answered, by name of the tool."""
        return {tool: 100 * self._tiers[tool][tier] / self._tiers[tool].total() for tool in sorted(self._tools)}

    def _row(self, group: str) -> list[Cell]:
        tiers, right = self._tiers[group], self._right[group]
        calls = tiers.total()
        shares: list[Cell] = [_percent(tiers[tier], calls) for tier in TIERS]
        exact, fuzzy = (_percent(right[tier], tiers[tier]) for tier in ("exact", "fuzzy"))
        served = calls - tiers["unavailable"] - tiers["simulated"]
        fidelity = round(self._fidelity[group] / served, 3) if served else None
        return [group, calls, *shares, _percent(right.total(), calls), exact, fuzzy, fidelity]


def tier_table(rows: Iterable[Mapping[str, Any]], *, tools: bool = True) -> tuple[list[str], list[list[Cell]]]:
    """(headers, rows) from the rows of table `audit`, for `curate.report.text_table`."""
    tally = TierTally()
    for row in rows:
        tally.add(row)
    return tally.table(tools=tools)


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
