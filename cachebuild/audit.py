"""How good is a cache? Recorded calls, asked again: `python -m cachebuild.audit CACHE --queries DIR`.

Every answered call of the queries is looked up with the recorded messages before its turn as history, and nothing that
its own trajectory recorded is seen. Right means that the result is the recorded one, byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cachebuild.settings import AuditSettings, chosen_splits
from curate.cli import out, parse, run, say

if TYPE_CHECKING:
    from cachebuild.answer import Answer
    from cachebuild.cache import ToolCache
    from cachebuild.entries import RecordedCall
    from cachebuild.tiers import TierTally
    from curate.folder import DatasetFolder, FolderWriter
    from curate.report import Report
    from curate.trajectory import Trajectory

_P_BINS = (0.0, 0.2, 0.5, 0.8, 0.95)


def main(argv: Sequence[str] | None = None) -> int:
    """Replay the queries, print the tier table, and write rows and report where asked to."""
    settings = parse(AuditSettings, "python -m cachebuild.audit", __doc__ or "", argv)

    def command() -> int:
        from curate.report import text_table

        tally, left_out = audit(settings)
        out(text_table(*tally.table()))
        for reason, count in sorted(left_out.items()):
            out(f"not asked, {reason.replace('_', ' ')}: {count:,} calls")
        if tally.own_in_cache:
            out(f"with their own trajectory: {tally.own_found:,} of {tally.own_in_cache:,} calls find their own result")
        if settings.out is not None:
            out(f"\n{settings.out}: one row a call; {settings.out / 'report.html'}")
        return 0

    return run(command)


def audit(settings: AuditSettings) -> tuple[TierTally, Counter[str]]:
    """Audit a cache against recorded calls.

    Returns:
        (tally of the rows, calls that could not be asked by reason).

    Raises:
        UsageError: for a wrong path, split or output folder.
        FolderError: if a folder does not match its manifest.
        UpToDate: if OUT already is what these settings and folders give.
    """
    from cachebuild.cache import ToolCache
    from cachebuild.schema import AUDIT
    from cachebuild.sources import KINDS
    from cachebuild.tiers import TierTally
    from curate.folder import DatasetFolder
    from curate.progress import track

    splits = chosen_splits(settings.splits)
    settings.lookup.check()
    queries = DatasetFolder.open(settings.queries, kinds=KINDS)
    tally, left_out, calibration = TierTally(), Counter[str](), PTally()
    with ExitStack() as stack:
        writer = _writer(settings, queries, stack)
        table = writer.table("audit", AUDIT) if writer else None
        cache = ToolCache.open(settings.cache, settings.lookup)
        rows = audit_rows(cache, queries, splits, settings.seed, left_out)
        for row in track(rows, "asking", unit="call"):
            tally.add(row)
            calibration.add(row)
            if table is not None:
                table.write([row])
        if writer is not None:
            writer.count(
                own_in_cache=tally.own_in_cache, own_found=tally.own_found, left_out=dict(sorted(left_out.items()))
            )
            writer.add_report(_report(tally, calibration, left_out))
    if not sum(calibration.calls):
        say(f"warning: no call was asked; {settings.queries} has none in split {', '.join(sorted(splits))}")
    return tally, left_out


def _writer(settings: AuditSettings, queries: DatasetFolder, stack: ExitStack) -> FolderWriter | None:
    """The writer of OUT, if there is to be one."""
    from curate.folder import DatasetFolder, FolderWriter, Manifest, folder_input

    if settings.out is None:
        return None
    recorded = {
        "splits": sorted(chosen_splits(settings.splits)),
        "seed": settings.seed,
        "lookup": asdict(settings.lookup),
    }
    inputs = [folder_input(DatasetFolder.open(settings.cache, kinds=("cache",))), folder_input(queries)]
    manifest = Manifest("audit", "cachebuild.audit", recorded, inputs)
    reads = [settings.cache, settings.queries, settings.config]
    return stack.enter_context(FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads))


def audit_rows(
    cache: ToolCache, queries: DatasetFolder, splits: frozenset[str], seed: int, left_out: Counter[str]
) -> Iterator[dict[str, Any]]:
    """One row of table `audit` a call; calls without a result to compare with are counted in `left_out`."""
    from cachebuild.entries import ROW_COLUMNS, recorded_calls
    from cachebuild.sources import chosen_rows

    for row in chosen_rows(queries, splits, ROW_COLUMNS):
        trajectories = cache.lookup.index.trajectories(row["task_group"])
        seen_task = bool(trajectories - {row["trajectory_id"]})
        own = row["trajectory_id"] in trajectories
        state = cache.state(row["env_id"])
        for call in recorded_calls(row, state, left_out):
            kind = state.kind(call.pair.call["name"])
            yield _asked(cache, row, call, seed, own) | {"kind": kind, "seen_task": seen_task}


def _asked(cache: ToolCache, row: Trajectory, call: RecordedCall, seed: int, own: bool) -> dict[str, Any]:
    """The answer to one recorded call, without and with its own trajectory, beside the recorded result."""
    from cachebuild.lookup import Query

    def answer(exclude: str | None) -> Answer:
        place = (row["env_id"], row["initial_state_id"], row["task_id"])
        tool = call.pair.call["name"]
        return cache.lookup.answer(Query(*place, tool, call.arguments, call.dependence, seed, exclude))

    recorded = call.result["content"]
    found = answer(row["trajectory_id"])
    whole = answer(None) if own else None
    return {
        "trajectory_id": row["trajectory_id"],
        "message_index": call.pair.message_index,
        "call_index": call.pair.call_index,
        "env_id": row["env_id"],
        "task_id": row["task_id"],
        "split": row["split"],
        "tool": call.pair.call["name"],
        "after_write": bool(call.dependence.state),
        "tier": found.tier,
        "p": found.p,
        "right": found.result == recorded,
        "reason": found.reason,
        "outcomes": len(found.outcomes),
        "source_trajectory_id": found.source_trajectory_id,
        "source_message_index": found.source_message_index,
        "own_in_cache": own,
        "own_found": whole is not None
        and whole.tier == "exact"
        and any(outcome.result == recorded for outcome in whole.outcomes),
    }


class PTally:
    """Is p honest? Calls and right answers by what p promised."""

    def __init__(self) -> None:
        self.calls = [0] * len(_P_BINS)
        self._right = [0] * len(_P_BINS)
        self._promised = [0.0] * len(_P_BINS)

    def add(self, row: dict[str, Any]) -> None:
        """Count one row that was answered; unavailable promises nothing."""
        at = max(index for index, start in enumerate(_P_BINS) if row["p"] >= start)
        self.calls[at] += 1
        self._right[at] += row["right"]
        self._promised[at] += row["p"]

    def rows(self) -> list[tuple[str, int, float, float]]:
        """(p from, calls, mean p, share that was right) of the bins that are not empty."""
        bins = zip(_P_BINS, self.calls, self._promised, self._right, strict=True)
        return [
            (f"from {start}", calls, promised / calls, right / calls) for start, calls, promised, right in bins if calls
        ]


def _report(tally: TierTally, calibration: PTally, left_out: Counter[str]) -> Report:
    from cachebuild.answer import TIERS
    from curate import plots
    from curate.palette import TIER_COLORS
    from curate.report import Report

    report = Report("Cache audit")
    report.text(
        "Every answered call was asked again with the recorded messages before its turn as history. Results that its "
        "own trajectory had recorded were not seen. Right: the result is the recorded one, byte for byte."
    )
    report.table("Tiers", *tally.table())
    shares = {tier: tally.shares(tier) for tier in TIERS}
    if shares["exact"]:
        series: dict[str, list[float]] = {tier: list(found.values()) for tier, found in shares.items()}
        svg = plots.stacked(list(shares["exact"]), series, xlabel="share of the tool's calls, %", colors=TIER_COLORS)
        report.plot("Tiers by tool", svg)
    report.heading("Is p honest?")
    report.table("What p promised and what came true", ["p", "calls", "mean p", "right"], calibration.rows())
    if tally.own_in_cache:
        report.text(
            f"With their own trajectory seen, {tally.own_found:,} of {tally.own_in_cache:,} calls are exact hits with "
            "their own result among the outcomes."
        )
    if left_out:
        rows = [(reason.replace("_", " "), count) for reason, count in sorted(left_out.items())]
        report.table("Calls that could not be asked", ["reason", "calls"], rows)
    return report


if __name__ == "__main__":
    raise SystemExit(main())
