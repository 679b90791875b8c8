"""Recorded results that must no longer be served: `python -m cachebuild.withdraw CACHE --tool NAME --reason TEXT`.

They move from table `entries` into table `withdrawn`, which nothing is served from; `--undo` moves them back to where
they stood. The folder is replaced in one step; what was counted per tool and field stays until the next compile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cachebuild.settings import WithdrawSettings
from curate.cli import out, parse, run
from curate.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.folder import DatasetFolder, FolderWriter
    from curate.report import Report

COLUMNS = {"trajectory": "trajectory_id", "task": "task_id", "source": "source", "tool": "tool"}
"""Flag -> the column of table `entries` that it speaks of."""


def main(argv: Sequence[str] | None = None) -> int:
    """Withdraw, or undo it, and say how many recorded calls that concerned."""
    settings = parse(WithdrawSettings, "python -m cachebuild.withdraw", __doc__ or "", argv)

    def command() -> int:
        change = withdraw(settings)
        verb = "served again" if settings.undo else "withdrawn"
        out(f"{settings.cache}: {change.moved:,} recorded calls {verb}; {change.entries:,} are served")
        for reason, count in sorted(change.reasons.items()):
            out(f"withdrawn, {reason}: {count:,} recorded calls")
        return 0

    return run(command)


@dataclass
class Change:
    """What a withdrawal did.

    Attributes:
        moved: recorded calls that it concerned.
        reasons: reason -> recorded calls that are withdrawn now.
    """

    moved: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    keys: set[str] = field(default_factory=set)
    trajectories: set[str] = field(default_factory=set)
    tasks: set[tuple[str, str]] = field(default_factory=set)
    places: list[tuple[int, str]] = field(default_factory=list)

    def serve(self, row: dict[str, Any]) -> None:
        """Count a row that is served."""
        self.entries += 1
        self.keys.add(row["key"])
        self.trajectories.add(row["trajectory_id"])
        self.tasks.add((row["env_id"], row["task_id"]))

    def counts(self) -> dict[str, int]:
        """The figures of the manifest that change."""
        return {
            "entries": self.entries,
            "trajectories": len(self.trajectories),
            "tasks": len(self.tasks),
            "keys": len(self.keys),
        }


def withdraw(settings: WithdrawSettings) -> Change:
    """Withdraw recorded calls from a cache folder, or serve them again.

    Raises:
        UsageError: for a wrong path or selection, one that names no recorded call, or a missing reason.
        FolderError: if the cache does not match its manifest.
    """
    from curate.canonical import compact_json, hash128
    from curate.folder import DatasetFolder, FolderWriter, Manifest

    column, values = _selected(settings)
    folder = DatasetFolder.open(settings.cache, kinds=("cache",))
    change = _planned(folder, settings, column, values)
    given = {name: value for name, value in folder.manifest.settings.items() if name != "withdrawn"}
    if change.places:
        given["withdrawn"] = hash128(compact_json([list(place) for place in change.places]))
    manifest = Manifest("cache", folder.manifest.command, given, folder.manifest.inputs)
    with FolderWriter(settings.cache, manifest, overwrite=True) as writer:
        _write(folder, dict(change.places), writer)
        counts = folder.manifest.counts | change.counts()
        writer.count(**counts)
        writer.add_report(_report(folder, counts, change))
    return change


def _selected(settings: WithdrawSettings) -> tuple[str, frozenset[str]]:
    """(column, values) of what is to be withdrawn."""
    given = {name: getattr(settings, name) for name in COLUMNS if getattr(settings, name)}
    if len(given) != 1:
        raise UsageError("give exactly one of --trajectory, --task, --source and --tool")
    if not settings.undo and not settings.reason.strip():
        raise UsageError("--reason says why, for those who read the report; give one")
    name, values = next(iter(given.items()))
    return COLUMNS[name], frozenset(values)


def _planned(folder: DatasetFolder, settings: WithdrawSettings, column: str, values: frozenset[str]) -> Change:
    """What will be withdrawn, by position among all recorded calls, and the figures of what is left."""
    change, found = Change(), set()
    for position, row, reason in all_rows(folder):
        if row[column] in values:
            found.add(row[column])
            wanted = None if settings.undo else reason or settings.reason.strip()
            change.moved += (reason is None) != (wanted is None)
            reason = wanted
        if reason is None:
            change.serve(row)
        else:
            change.reasons[reason] += 1
            change.places.append((position, reason))
    if missing := sorted(values - found):
        raise UsageError(f"{settings.cache} has no recorded call with {column} {missing[0]!r}")
    if not change.moved:
        state = "none of it is withdrawn" if settings.undo else "all of it is withdrawn already"
        raise UsageError(f"nothing to do in {settings.cache}: {state}")
    return change


def all_rows(folder: DatasetFolder) -> Iterator[tuple[int, dict[str, Any], str | None]]:
    """(position, entry, reason if it is withdrawn) of all recorded calls, in the order in which they were compiled."""
    served = folder.rows("entries")
    withdrawn = folder.rows("withdrawn") if "withdrawn" in folder.manifest.tables else iter(())
    waiting = next(withdrawn, None)
    for position in range(folder.manifest.rows("entries") + folder.manifest.rows("withdrawn")):
        if waiting is not None and waiting["position"] == position:
            reason = waiting.pop("withdrawn_because")
            del waiting["position"]
            yield position, waiting, reason
            waiting = next(withdrawn, None)
        else:
            yield position, next(served), None


def _write(folder: DatasetFolder, withdrawn: dict[int, str], writer: FolderWriter) -> None:
    """Write the tables anew, each recorded call into the one where it belongs; other tables as they are."""
    from cachebuild.schema import CALIBRATION, ENTRY, TOOL

    known = {"tools": TOOL, "calibration": CALIBRATION}
    for name in folder.manifest.tables:
        if name not in ("entries", "withdrawn"):
            writer.table(name, known.get(name) or _schema(folder, name)).write(folder.rows(name))
    entries = writer.table("entries", ENTRY)
    apart = writer.table("withdrawn", _withdrawn_schema(ENTRY)) if withdrawn else None
    for position, row, _ in all_rows(folder):
        if apart is not None and position in withdrawn:
            apart.write([row | {"position": position, "withdrawn_because": withdrawn[position]}])
        else:
            entries.write([row])


def _withdrawn_schema(entry: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    place = pa.field("position", pa.int64(), nullable=False)
    return entry.append(place).append(pa.field("withdrawn_because", pa.string(), nullable=False))


def _schema(folder: DatasetFolder, table: str) -> pa.Schema:
    import pyarrow.parquet as pq

    return pq.read_schema(folder.path / folder.manifest.tables[table][0].path)


def _report(folder: DatasetFolder, counts: dict[str, Any], change: Change) -> Report:
    from cachebuild.report import cache_report

    facts = {(row["env_id"], row["tool"]): row for row in folder.rows("tools")}
    report = cache_report(counts, counts["left_out"], facts)
    if change.reasons:
        report.heading("Withdrawn")
        report.text(
            "These recorded calls are never served. What was counted about tools and fields still includes them."
        )
        report.table("Recorded calls withdrawn", ["reason", "calls"], sorted(change.reasons.items()))
    return report


if __name__ == "__main__":
    raise SystemExit(main())
