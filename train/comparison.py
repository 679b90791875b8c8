"""Two evaluations of the same tasks side by side, one pair or several, with paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.errors import UsageError
from curate.folder import DatasetFolder, FolderWriter, Manifest, folder_input
from curate.report import Cell, Report
from train.evaluation import LIVE, Interval, Row, Value, attempts, done_label, figures_of, pooled, task_values
from train.evaluation_report import ALL, INTERVALS, KIND, Table, cells, terms

_SHOWN = ("before", "after", "difference")
_POOLED = (
    "Every pair counts alike; pairs of the same tasks share their draws. The pairs themselves are not drawn: how far "
    "other training runs would differ is seen pair by pair, and is no part of the intervals."
)
_FIELDS: list[pa.Field[Any]] = [
    pa.field("figure", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("thinking", pa.string(), nullable=False),
    pa.field("tasks", pa.int32(), nullable=False),
    *(pa.field(f"{name}{end}", pa.float64(), nullable=False) for name in _SHOWN for end in ("", "_low", "_high")),
]
DIFFERENCE = pa.schema(_FIELDS)


@dataclass(frozen=True)
class Difference:
    """One figure before and after.

    Attributes:
        figure: its label, e.g. "end-to-end success".
        kind: of the tasks, "all" for all.
        thinking: how earlier thoughts were treated, "dropped", "kept", or "dropped, kept" where it differs.
        tasks: of all pairs, each once.
        before: mean with its interval.
        after: the same.
        difference: after less before, paired by task.
    """

    figure: str
    kind: str
    thinking: str
    tasks: int
    before: Interval
    after: Interval
    difference: Interval


@dataclass(frozen=True)
class Comparison:
    """What changed.

    Attributes:
        lines: every figure over all tasks, then tasks done by kind.
        by_pair: tasks done, of each pair by itself.
    """

    lines: list[Difference]
    by_pair: list[Difference]

    def of(self, figure: str, kind: str = ALL) -> Difference:
        """One of the lines.

        Raises:
            KeyError: if there is none.
        """
        for line in self.lines:
            if (line.figure, line.kind) == (figure, kind):
                return line
        raise KeyError(f"no figure {figure!r} of kind {kind!r}")

    @property
    def done(self) -> Difference:
        """Tasks done, over all tasks."""
        return self.by_kind()[0]

    def by_kind(self) -> list[Difference]:
        """Tasks done: all, then each kind."""
        done = done_label([line.figure for line in self.lines])
        return [line for line in self.lines if line.figure == done]

    def tables(self) -> list[tuple[str, Table]]:
        """(caption, (headers, rows)) of all that is to be shown."""
        figures, kinds = [line for line in self.lines if line.kind == ALL], self.by_kind()
        done = kinds[0].figure
        shown = [
            ("Figures over tasks", "figure", [(_named(line.figure, line, figures), line) for line in figures]),
            (f"{done} by kind of task", "kind", [(_named(line.kind, line, kinds), line) for line in kinds]),
        ]
        if self.by_pair:
            ways = len({line.thinking for line in self.by_pair})
            pairs = [
                (_named(f"{number // ways + 1}", line, self.by_pair), line) for number, line in enumerate(self.by_pair)
            ]
            shown.append((f"{done} by pair", "pair", pairs))
        return [(caption, _table(first, lines)) for caption, first, lines in shown]

    def plot(self) -> str:
        """Tasks done before and after, by kind, with error bars; SVG text."""
        from curate.plots import intervals

        kinds = self.by_kind()
        series = {"before": [line.before for line in kinds], "after": [line.after for line in kinds]}
        return intervals([_named(line.kind, line, kinds) for line in kinds], series, xlabel=f"{kinds[0].figure}")


def compare(pairs: Sequence[tuple[Path, Path]], seed: int = 0) -> Comparison:
    """Compare evaluations before and after; several pairs are pooled, each counts alike.

    Args:
        pairs: folders that `train.evaluate` wrote, (before, after); the tasks of one pair are the same, those of
            different pairs need not be.
        seed: of the bootstrap.

    Raises:
        UsageError: if there is no pair, or one is of different tasks, or the pairs have no figure in common.
    """
    if not pairs:
        raise UsageError("there is no pair of evaluations to compare")
    read = [_read(before, after) for before, after in pairs]
    modes = _modes(read)
    lines = [line for mode in modes for line in _lines([pair.only(mode) for pair in read], mode, seed)]
    by_pair = [_lines([pair.only(mode)], mode, seed) for pair in read for mode in modes] if len(read) > 1 else []
    return Comparison(lines, [Comparison(each, []).done for each in by_pair])


@dataclass(frozen=True)
class _Pair:
    """The episodes of two evaluations of the same tasks."""

    before: Sequence[Row]
    after: Sequence[Row]

    def only(self, mode: tuple[str, str]) -> _Pair:
        """The episodes of one way to treat earlier thoughts, before and after."""
        before, after = mode
        return _Pair(
            [row for row in self.before if row["thinking"] == before],
            [row for row in self.after if row["thinking"] == after],
        )

    def values(self, value: Value, kind: str) -> tuple[dict[str, float], dict[str, float]]:
        """The values of a figure by task, before and after."""
        before, after = (
            task_values([row for row in rows if kind in (ALL, row["kind"])], value)
            for rows in (self.before, self.after)
        )
        return before, after


def _read(before: Path, after: Path) -> _Pair:
    found = [list(DatasetFolder.open(path, kinds=(KIND,)).rows("episodes")) for path in (before, after)]
    known, other = ({(row["task_id"], row["turn"]) for row in rows} for rows in found)
    if known != other:
        raise UsageError(
            f"{before} and {after} are evaluations of different tasks: {len(known & other):,} in common, "
            f"{len(known - other):,} and {len(other - known):,} not; compare evaluations with the same --on, --preset, "
            "--tasks, --seed and --first-state"
        )
    return _Pair(found[0], found[1])


def _modes(pairs: Sequence[_Pair]) -> list[tuple[str, str]]:
    """Which way to treat earlier thoughts is compared with which; one with the other where each side has but one."""
    sides = {
        (frozenset(row["thinking"] for row in pair.before), frozenset(row["thinking"] for row in pair.after))
        for pair in pairs
    }
    if len(sides) == 1:
        ((before, after),) = sides
        if before == after:
            return [(mode, mode) for mode in sorted(before)]
        if len(before) == len(after) == 1:
            return [(*before, *after)]
    raise UsageError("the evaluations were played with different --thinking; compare those that were played alike")


def _lines(pairs: Sequence[_Pair], mode: tuple[str, str], seed: int) -> list[Difference]:
    """Every figure over all tasks, then tasks done by kind."""
    rows = [row for pair in pairs for side in (pair.before, pair.after) for row in side]
    least = min(attempts(side) for pair in pairs for side in (pair.before, pair.after))
    figures = figures_of(rows, least)
    kinds = sorted({row["kind"] for row in rows})
    done = done_label(figures)
    wanted = [(label, ALL) for label in figures] + [(done, kind) for kind in kinds]
    return [_line(pairs, label, figures[label], kind, mode, seed) for label, kind in wanted]


def _line(pairs: Sequence[_Pair], label: str, value: Value, kind: str, mode: tuple[str, str], seed: int) -> Difference:
    found = [pair.values(value, kind) for pair in pairs]
    return Difference(
        label,
        kind,
        mode[0] if mode[0] == mode[1] else ", ".join(mode),
        len({task for before, _ in found for task in before}),
        pooled([before for before, _ in found], seed),
        pooled([after for _, after in found], seed),
        pooled([{task: after[task] - value for task, value in before.items()} for before, after in found], seed),
    )


def _table(first: str, lines: Sequence[tuple[str, Difference]]) -> Table:
    headers = [first, "tasks", *(title for name in _SHOWN for title in (name, "95 %"))]
    rows: list[list[Cell]] = []
    for label, line in lines:
        shown = (line.before, line.after, line.difference)
        rows.append([label, line.tasks, *(cell for each in shown for cell in cells(each))])
    return headers, rows


def _named(name: str, line: Difference, lines: Sequence[Difference]) -> str:
    """The name of a line, with the way to treat earlier thoughts where there are several."""
    return name if len({each.thinking for each in lines}) == 1 else f"{name} ({line.thinking})"


def write(
    found: Comparison, pairs: Sequence[tuple[Path, Path]], out: Path, seed: int = 0, *, overwrite: bool = False
) -> None:
    """Write the differences and the report as a dataset folder."""
    inputs = [folder_input(DatasetFolder.open(path)) for pair in pairs for path in pair]
    manifest = Manifest("comparison", "train.compare", {"seed": seed}, inputs)
    reads = [path for pair in pairs for path in pair]
    with FolderWriter(out, manifest, overwrite=overwrite, reads=reads) as writer:
        writer.table("differences", DIFFERENCE).write(map(_as_row, found.lines))
        writer.add_report(report(found))


def _as_row(line: Difference) -> dict[str, Any]:
    row = {"figure": line.figure, "kind": line.kind, "thinking": line.thinking, "tasks": line.tasks}
    for name, each in zip(_SHOWN, (line.before, line.after, line.difference), strict=True):
        row |= {name: each.mean, f"{name}_low": each.low, f"{name}_high": each.high}
    return row


def report(found: Comparison) -> Report:
    """The comparison as a report."""
    made = Report("Two evaluations of the same tasks")
    made.text(
        f"Differences are after less before, paired by task. {INTERVALS}" + (f" {_POOLED}" if found.by_pair else "")
    )
    made.text(terms(live=found.done.figure == LIVE["success"], both=len({each.thinking for each in found.lines}) > 1))
    for caption, table in found.tables():
        made.table(caption, *table)
    made.plot(f"{found.done.figure} before and after, with 95 % intervals", found.plot())
    return made
