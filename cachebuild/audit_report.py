"""What an audit counted, as lines for a terminal and as a report with plots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from cachebuild.ablations import LEGEND, AblationTally
from cachebuild.answer import TIERS
from cachebuild.measures import HITS, Calibration, Headlines, Row, share_table
from cachebuild.tiers import TierTally
from curate.report import Cell, Report, text_table

_ECE = (
    "ECE = sum over the ten bins of answers in the bin / all answers * |mean p - mean of what came true|. Unavailable "
    "answers promise nothing and are left out."
)
_MOST_FAULTS = 12


RECORDED, PLAYED, CHANGED = "recorded", "as played", "as changed"
"""Where calls come from; `PLAYED` is also the variant of the rows of a live audit that are not changed."""


class Figures:
    """The shares and the calibration of one group of calls.

    Args:
        seed: of the intervals.
    """

    def __init__(self, seed: int) -> None:
        self.headlines = Headlines(seed)
        self.calibration = Calibration()
        self.by_tool: dict[str, Calibration] = {}

    def add(self, row: Row, tool: str) -> None:
        """Count one row of table `audit`."""
        self.headlines.add(row)
        for calibration in (self.calibration, self.by_tool.setdefault(tool, Calibration())):
            calibration.add(row)

    def ece(self) -> Iterator[tuple[str, float | None]]:
        """(what p is held against, calibration error)."""
        for of, name in (("right", "exactly right"), ("fidelity", "fidelity")):
            yield name, self.calibration.ece(of)


class AuditTally:
    """All that one audit counts.

    Args:
        seed: of the intervals.
        live: whether a live world was asked.
    """

    def __init__(self, seed: int, *, live: bool = False) -> None:
        self.live = live
        self.calls = 0
        self.tiers = TierTally()
        self.figures = {name: Figures(seed) for name in ((PLAYED, CHANGED) if live else (RECORDED,))}
        self.variants = TierTally()
        self.left_out: Counter[str] = Counter()
        self.episodes: list[dict[str, Any]] = []
        self.elsewhere: Counter[str] = Counter()
        self.ablations: AblationTally | None = None
        self.causes: Counter[str] = Counter()
        self.faults: list[tuple[str, str, str]] = []

    def add(self, row: Row) -> None:
        """Count one row of table `audit`."""
        self.calls += 1
        self.tiers.add(row)
        tool = f"{row['env_id']}: {row['tool']}"
        group = RECORDED if row["variant"] is None else PLAYED if row["variant"] == PLAYED else CHANGED
        self.figures[group].add(row, tool)
        if row["variant"]:
            self.variants.add({**row, "env_id": "replay", "tool": row["variant"]})
        if row["tier"] == "exact" and not row["right"]:
            cause = row["cause"] or ("volatile tool" if row["volatile"] else "another result was recorded")
            self.causes[cause] += 1
            if cause != "volatile tool" and len(self.faults) < _MOST_FAULTS:
                place = f"{row['task_id']}, message {row['message_index']}, call {row['call_index']}"
                self.faults.append((cause, tool, place))

    def counts(self) -> dict[str, Any]:
        """What the manifest keeps."""
        counted: dict[str, Any] = {
            "own_in_cache": self.tiers.own_in_cache,
            "own_found": self.tiers.own_found,
            "left_out": dict(sorted(self.left_out.items())),
            "wrong_exact_hits": dict(sorted(self.causes.items())),
        }
        for group, figures in self.figures.items():
            shares = {share.name: _rounded(share.value) for share in figures.headlines.shares()}
            ece = {f"ECE, {name}": _rounded(value) for name, value in figures.ece()}
            counted[group.replace(" ", "_")] = shares | ece
        if self.live:
            counted["episodes"] = episode_counts(self.episodes)
            counted["unknown_start_states"] = dict(sorted(self.elsewhere.items()))
        return counted

    def lines(self) -> Iterator[str]:
        """What the command prints."""
        yield text_table(*self.tiers.table())
        if self.live:
            yield "\nEpisodes as played and as changed"
            yield text_table(*_only_tools(self.variants))
        for group, figures in self.figures.items():
            yield f"\nShares of the calls {group}, volatile tools left out"
            yield text_table(*share_table(figures.headlines.shares()))
            for name, value in figures.ece():
                yield f"calibration error (ECE) of p against {name}: {'-' if value is None else f'{value:.3f}'}"
        yield ""
        for cause, count in sorted(self.causes.items()):
            yield f"wrong exact hits, {cause}: {count:,}"
        if self.live:
            yield ""
            yield text_table(["episodes played on the cache alone", ""], _episode_lines(self.episodes))
            yield f"start states that the cache lacks: {_elsewhere(self.elsewhere)}"
        if self.ablations is not None:
            yield "\nThe same calls, answered by simpler caches"
            yield text_table(*self.ablations.table())
            yield from wrap(LEGEND, 100)
        for reason, count in sorted(self.left_out.items()):
            yield f"not asked, {reason.replace('_', ' ')}: {count:,} calls"
        if self.tiers.own_in_cache:
            found, own = self.tiers.own_found, self.tiers.own_in_cache
            yield f"with their own trajectory: {found:,} of {own:,} calls find their own result"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _only_tools(tally: TierTally) -> tuple[list[str], list[list[Cell]]]:
    headers, rows = tally.table()
    return headers, [row for row in rows if str(row[0]).startswith("replay: ")]


def episode_counts(episodes: list[dict[str, Any]]) -> dict[str, int]:
    """How the episodes fared: live, on the cache alone, and how often the checker says the same of both."""
    return {
        "episodes": len(episodes),
        "live_solved": sum(row["live_reward"] > 0 for row in episodes),
        "cache_solved": sum(row["cache_reward"] > 0 for row in episodes),
        "judged_alike": sum(row["live_reward"] == row["cache_reward"] for row in episodes),
        "state_judged_alike": sum(row["live_state_ok"] == row["cache_state_ok"] for row in episodes),
        "solved_wrongly": sum(row["cache_reward"] > row["live_reward"] for row in episodes),
        "all_answers_right": sum(row["right_calls"] == row["cache_calls"] for row in episodes),
        "calls": sum(row["cache_calls"] for row in episodes),
        "calls_before_first_wrong": sum(row["right_calls"] for row in episodes),
        "agent_broke": sum(row["broke"] for row in episodes),
    }


def _episode_lines(episodes: list[dict[str, Any]]) -> list[list[Cell]]:
    return [[name.replace("_", " "), count] for name, count in episode_counts(episodes).items()]


def _elsewhere(tiers: Counter[str]) -> str:
    """What calls from unknown start states were served; a hit would be a fault."""
    return f"{sum(tiers[tier] for tier in HITS):,} of {tiers.total():,} calls are exact or normalised hits"


def audit_report(tally: AuditTally) -> Report:
    """The report of an audit."""
    report = Report("Cache audit")
    report.text(_HOW_LIVE if tally.live else _HOW_RECORDED)
    for group, figures in tally.figures.items():
        caption = f"Shares of the calls {group}, volatile tools left out"
        report.table(caption, *share_table(figures.headlines.shares()))
    report.text(_SHARES)
    report.table("Tiers", *tally.tiers.table())
    _tier_plot(report, tally.tiers)
    _calibration(report, tally)
    if tally.live:
        report.table("Episodes as played and as changed", *_only_tools(tally.variants))
        report.table("Episodes played on the cache alone", ["episodes", "count"], _episode_lines(tally.episodes))
        report.text(_BROKE)
        report.text(f"Start states that the cache lacks: {_elsewhere(tally.elsewhere)}.")
    if tally.causes:
        report.table("Wrong exact hits", ["cause", "calls"], sorted(tally.causes.items()))
    if tally.faults:
        report.table("The first of them, volatile tools left out", ["cause", "tool", "where"], tally.faults)
    if tally.ablations is not None:
        headers, rows = tally.ablations.table()
        report.heading("Simpler caches")
        report.table("The same calls, answered by simpler caches", headers, rows)
        report.text(LEGEND)
    _whole(report, tally)
    return report


_HOW_RECORDED = (
    "Every answered call was asked again with the recorded messages before its turn as history. Results that its "
    "own trajectory had recorded were not seen. Right: the result is the recorded one, byte for byte."
)
_HOW_LIVE = (
    "Scripted agents played new episodes in start states that the cache knows. Every call, as played and as changed, "
    "was put to the live desk and to a cache session side by side. Right: the live desk says the same, byte for byte."
)


_SHARES = (
    "Intervals: 95 % of 1,000 resamples of the trajectories. Hits lost to state keying: a key without the state has "
    "the right result, and no equal call was served, nor anything right. The cache does not know a write that no other "
    "trajectory made. Wrong stateless hits avoided: a key without the state has a wrong result, and no equal call was "
    "served."
)
_BROKE = (
    "Agent broke: a scripted agent went on to use a record that the cache had not given it (unavailable, or that of "
    "another call); the episode ends there and is not solved."
)


def _tier_plot(report: Report, tiers: TierTally) -> None:
    from curate import plots
    from curate.palette import TIER_COLORS

    shares = {tier: tiers.shares(tier) for tier in TIERS}
    if shares["exact"]:
        series: dict[str, list[float]] = {tier: list(found.values()) for tier, found in shares.items()}
        svg = plots.stacked(list(shares["exact"]), series, xlabel="share of the tool's calls, %", colors=TIER_COLORS)
        report.plot("Tiers by tool", svg)


def _calibration(report: Report, tally: AuditTally) -> None:
    from curate import plots

    report.heading("Is p honest?")
    report.text(_ECE)
    for group, figures in tally.figures.items():
        rows, caption = figures.calibration.rows(), f"What p promised and what came true, calls {group}"
        report.table(caption, ["p", "answers", "mean p", "exactly right", "fidelity"], rows)
        if rows:
            series = {"exactly right": [row[3] for row in rows], "fidelity": [row[4] for row in rows]}
            counts, promised = [row[1] for row in rows], [row[2] for row in rows]
            svg = plots.calibration(promised, series, counts, xlabel="mean p (answers below)", ylabel="came true")
            report.plot(caption, svg)
        tools: list[list[Cell]] = [
            [tool, sum(found.counts), *(_short(found.ece(of)) for of in ("right", "fidelity"))]
            for tool, found in [("all tools", figures.calibration), *sorted(figures.by_tool.items())]
        ]
        caption = f"Calibration error (ECE), calls {group}"
        report.table(caption, ["tool", "answers", "exactly right", "fidelity"], tools)


def _whole(report: Report, tally: AuditTally) -> None:
    if tally.tiers.own_in_cache:
        report.text(
            f"With their own trajectory seen, {tally.tiers.own_found:,} of {tally.tiers.own_in_cache:,} calls are "
            "exact hits with their own result among the outcomes."
        )
    if tally.left_out:
        rows = [(reason.replace("_", " "), count) for reason, count in sorted(tally.left_out.items())]
        report.table("Calls that could not be asked", ["reason", "calls"], rows)
