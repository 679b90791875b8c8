"""The report of a curation: the funnel, the reasons, what is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from curate import plots
from curate.report import Cell, Report
from curate.stats import TURN_KINDS, Summary, figure_rows

ReportTable: TypeAlias = tuple[str, Sequence[str], Sequence[Sequence[Cell]]]
"""Caption, headers and rows."""


def funnel_rows(counts: Mapping[str, Any]) -> list[tuple[str, str, int, int]]:
    """(step, reason, rejected, left), from the records read to the rows kept."""
    steps = [(step["step"], step["reason"], step["rejected"], step["left"]) for step in counts["funnel"]]
    return [("read", "records", 0, counts["records"]), *steps, ("kept", "", 0, counts["kept"])]


def curation_report(
    counts: Mapping[str, Any], summary: Summary, damaged: Mapping[str, str], tables: Iterable[ReportTable] = ()
) -> Report:
    """The report from the counts that stand in the manifest.

    Args:
        counts: records, kept, funnel, sources, as in the manifest.
        summary: of the kept rows.
        damaged: name of a file -> why it was not read to its end.
        tables: (caption, headers, rows) of steps that were asked for.
    """
    report = Report("Curation report")
    kept, records = counts["kept"], counts["records"]
    share = f"{kept / records:.1%}" if records else "none"
    report.text(f"{records:,} records were read and {kept:,} trajectories kept ({share}).")
    for source, why in damaged.items():
        report.text(f"{source} was not read to its end: {why}")
    if counts["repeated_ids"]:
        report.text(
            f"{counts['repeated_ids']:,} records repeat an earlier record of their source; their ids end in #n."
        )
    report.heading("Funnel")
    report.table("What each step turned away", ["step", "reason", "rejected", "left"], funnel_rows(counts))
    names = ["read", *(f"{step['reason']}" for step in counts["funnel"])]
    left = [records, *(step["left"] for step in counts["funnel"])]
    report.plot("Trajectories left after each step", plots.bars(names, left, xlabel="trajectories"))
    report.table(
        "Sources",
        ["source", "format", "sure", "files", "records", "kept"],
        [
            (name, *(item[key] for key in ("format", "sure", "files", "records", "kept")))
            for name, item in counts["sources"].items()
        ],
    )
    for table in tables:
        report.table(*table)
    if counts["near_duplicates"]:
        found = [(name.replace("_", " "), count) for name, count in counts["near_duplicates"].items()]
        report.table("Search for near-duplicates", ["figure", "value"], found)
    report.heading("What is left")
    report.table("Figures", ["figure", "value"], figure_rows(summary.figures()))
    if kept:
        _plots(report, summary)
    return report


def _plots(report: Report, summary: Summary) -> None:
    frame = summary.frame
    tools = list(summary.calls.items())[:25]
    report.plot("Calls by tool", plots.bars([name for name, _ in tools], [count for _, count in tools], xlabel="calls"))
    counts = ((kind, int(frame[kind].sum())) for kind in TURN_KINDS)
    turns = sorted(((kind, count) for kind, count in counts if count), key=lambda item: -item[1])
    report.plot(
        "Assistant turns by kind", plots.bars([k for k, _ in turns], [c for _, c in turns], xlabel="assistant turns")
    )
    report.plot("Calls in a trajectory", plots.histogram(frame["calls"].to_list(), xlabel="calls"))
    report.plot("Length of a trajectory", plots.histogram(frame["messages"].to_list(), xlabel="messages"))
    unit = "tokens" if summary.counted else "tokens, estimated from bytes"
    report.plot("Tokens of a trajectory", plots.histogram(frame["tokens"].to_list(), xlabel=unit))
    if frame["thinking_tokens"].sum():
        thinking = frame["thinking_tokens"].to_list()
        report.plot("Thinking tokens of a trajectory", plots.histogram(thinking, xlabel=unit))
