"""Recorded results that must no longer be served: `python -m cachebuild.withdraw CACHE --tool NAME --reason TEXT`.

Their places go into table `withdrawn`; the shards stay as they are, and `--undo` serves them again. What is known of
tools and fields is counted anew without them. The folder is replaced in one step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachebuild.settings import WithdrawSettings
from curate.cli import out, parse, run
from curate.errors import UsageError

if TYPE_CHECKING:
    from curate.folder import DatasetFolder

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


@dataclass(frozen=True)
class Change:
    """What a withdrawal did.

    Attributes:
        moved: recorded calls that it concerned.
        entries: recorded calls that are served now.
        reasons: reason -> recorded calls that are withdrawn now.
    """

    moved: int
    entries: int
    reasons: Counter[str]


def withdraw(settings: WithdrawSettings) -> Change:
    """Withdraw recorded calls from a cache folder, or serve them again.

    Raises:
        UsageError: for a wrong path or selection, one that names no recorded call, or a missing reason.
        FolderError: if the cache does not match its manifest.
    """
    column, values = _selected(settings)

    from cachebuild.revision import Revision, open_cache, revising, withdrawn_rows, worlds_of, write_revision

    base = open_cache(settings.cache)
    chosen = _chosen(base, column, values)
    before = {row["position"]: row for row in withdrawn_rows(base)}
    after = dict(before)
    for row in chosen:
        if settings.undo:
            after.pop(row["position"], None)
        else:
            after.setdefault(row["position"], row | {"reason": settings.reason.strip()})
    moved = len(before.keys() ^ after.keys())
    if not moved:
        state = "none of it is withdrawn" if settings.undo else "all of it is withdrawn already"
        raise UsageError(f"nothing to do in {settings.cache}: {state}")
    rows = [after[position] for position in sorted(after)]
    with revising(base) as writer:
        write_revision(Revision(base, worlds_of(base), rows), writer)
    return Change(moved, writer.counts["entries"], Counter(row["reason"] for row in rows))


def _selected(settings: WithdrawSettings) -> tuple[str, frozenset[str]]:
    """(column, values) of what is to be withdrawn."""
    given = {name: getattr(settings, name) for name in COLUMNS if getattr(settings, name)}
    if len(given) != 1:
        raise UsageError("give exactly one of --trajectory, --task, --source and --tool")
    if not settings.undo and not settings.reason.strip():
        raise UsageError("--reason says why, for those who read the report; give one")
    name, values = next(iter(given.items()))
    return COLUMNS[name], frozenset(values)


def _chosen(folder: DatasetFolder, column: str, values: frozenset[str]) -> list[dict[str, Any]]:
    """The recorded calls with one of the values, as rows of table `withdrawn` without their reason."""
    rows = list(_found(folder, column, values))
    if missing := sorted(values - {row["value"] for row in rows}):
        raise UsageError(f"{folder.path} has no recorded call with {column} {missing[0]!r}")
    return [{name: value for name, value in row.items() if name != "value"} for row in rows]


def _found(folder: DatasetFolder, column: str, values: frozenset[str]) -> Iterator[dict[str, Any]]:
    import polars as pl

    places = ["trajectory_id", "message_index", "call_index", "tool"]
    found = (
        folder.scan("entries")
        .select(*places, value=pl.col(column))
        .with_row_index("position")
        .filter(pl.col("value").is_in(sorted(values)))
        .collect()
    )
    yield from found.iter_rows(named=True)


if __name__ == "__main__":
    raise SystemExit(main())
