"""The report of a compiled cache: what it holds, and what was found about each tool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from curate.report import Cell, Report

MAX_BARS = 25


def tool_rows(tools: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[list[Cell]]]:
    """(headers, rows) of what was found about each tool that was called."""
    headers = ["env", "tool", "kind", "scope", "volatile", "calls", "keys", "succeeded", "may answer"]
    rows: list[list[Cell]] = [
        [
            row["env_id"],
            row["tool"],
            f"{row['kind']} ({row['kind_evidence']})",
            row["scope"],
            "yes" if row["volatile"] else "no",
            row["calls"],
            row["keys"],
            f"{row['success_share']:.1%}",
            ", ".join(row["policy"]),
        ]
        for row in tools
        if row["calls"]
    ]
    return headers, rows


def cache_report(
    totals: Mapping[str, int], left_out: Mapping[str, int], facts: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Report:
    """The report of a compile.

    Args:
        totals: entries, keys, trajectories, tasks.
        left_out: reason -> calls that are not in the cache.
        facts: the rows of table `tools`.
    """
    called = [row for row in facts.values() if row["calls"]]
    report = Report("Tool-result cache")
    report.text(
        f"{totals['entries']:,} recorded calls with {totals['keys']:,} distinct keys, from {totals['trajectories']:,} "
        f"trajectories of {totals['tasks']:,} tasks. {sum(left_out.values()):,} calls were left out."
    )
    if left_out:
        rows = [(reason.replace("_", " "), count) for reason, count in sorted(left_out.items())]
        report.table("Calls left out", ["reason", "calls"], rows)
    report.heading("Tools")
    report.table("What was found about each tool", *tool_rows(called))
    if called:
        _plots(report, called)
    report.heading("Scope and volatility")
    report.text(
        "Whether equal keys (same tool, arguments and related writes) had equal results. A tool whose keys agree "
        "within a task and not across tasks answers within its task only; one that does not agree with itself "
        "within a task is volatile. Two failures of one key agree here, however they are worded. Expected p, that of a "
        "key recorded once, is stricter: it compares the texts."
    )
    report.table("How often equal keys agree", *_scope_rows(called))
    return report


def history(report: Report, counts: Mapping[str, Any], withdrawn: Mapping[str, int]) -> None:
    """Say what became of a cache since it was compiled.

    Args:
        report: of the cache.
        counts: the figures of its manifest; `secrets` kind -> recorded calls, `added` one mapping a folder, `dropped`
            reason -> recorded calls.
        withdrawn: reason -> recorded calls that are out of service now.
    """
    if counts.get("secrets"):
        report.heading("Secrets")
        report.text(
            "Texts that look like keys, tokens or passwords stand in recorded results or arguments, and are served as "
            "they stand. Curate without --keep-secrets, or withdraw the calls: python -m cachebuild.withdraw."
        )
        report.table("Recorded calls with secrets", ["kind", "calls"], sorted(counts["secrets"].items()))
    if counts.get("added"):
        report.heading("Added")
        headers = ["calls", "trajectories", "in the cache already", "of those in another version"]
        rows: list[list[Cell]] = [
            [added[name] for name in ("entries", "trajectories", "known", "other_version")] for added in counts["added"]
        ]
        report.table("Folders that were added, in their order", headers, rows)
    if withdrawn:
        report.heading("Withdrawn")
        report.text("These recorded calls are never served, and nothing above counts them.")
        report.table("Recorded calls withdrawn", ["reason", "calls"], sorted(withdrawn.items()))
    if counts.get("dropped"):
        report.heading("Dropped")
        report.text("These recorded calls were withdrawn, and compacting removed them for good.")
        report.table("Recorded calls dropped", ["reason", "calls"], sorted(counts["dropped"].items()))


def _scope_rows(called: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[list[Cell]]]:
    headers = ["env", "tool", "within a task", "across tasks", "expected p", "ids decide", "scope", "evidence"]
    rows: list[list[Cell]] = [
        [
            row["env_id"],
            row["tool"],
            _measured(row["within_agreement"], row["within_groups"]),
            _measured(row["across_agreement"], row["across_keys"]),
            row["agreement"],
            "yes" if row["id_driven"] else "no",
            row["scope"],
            row["scope_evidence"],
        ]
        for row in called
    ]
    return headers, rows


def _measured(share: float | None, groups: int) -> str:
    return "-" if share is None else f"{share:.1%} of {groups:,}"


def _plots(report: Report, called: list[Mapping[str, Any]]) -> None:
    from curate import plots

    most = sorted(called, key=lambda row: (-row["calls"], row["env_id"], row["tool"]))[:MAX_BARS]
    names = [f"{row['env_id']}: {row['tool']}" for row in most]
    report.plot("Calls by tool", plots.bars(names, [row["calls"] for row in most], xlabel="recorded calls"))
    shares = [row["repeated_keys"] / row["keys"] for row in most]
    report.plot(
        "Keys recorded more than once",
        plots.bars(names, shares, xlabel="share of the tool's distinct keys, %", percent=True),
    )
