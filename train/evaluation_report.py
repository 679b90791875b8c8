"""What an evaluation shows: figures with their intervals, by kind of task, endings, tiers; and the folder it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from cachebuild.answer import TIERS
from curate.folder import FolderWriter, Manifest, folder_input, sha256_file
from curate.manifest import MANIFEST
from curate.palette import TIER_COLORS
from curate.report import Cell, Report
from train.evaluation import Interval, Row, Value, attempts, every_of, figures_of, interval, mean_of, task_values

if TYPE_CHECKING:
    from curate.folder import DatasetFolder
    from curate.trajectory import Trajectory
    from train.evaluate_settings import EvaluateSettings

Table = tuple[list[str], list[list[Cell]]]
KIND, ALL = "evaluation", "all"
INTERVALS = "Intervals are 95 %, by bootstrap over tasks; over few tasks, or where all agree, they are too narrow."
NOT_DECIDING = ("out", "overwrite", "config", "model", "server")


def figure_table(rows: Sequence[Row], seed: int = 0) -> Table:
    """(headers, rows): each figure with its interval; with both ways to treat earlier thoughts, side by side."""
    modes = _modes(rows)
    headers = ["figure"]
    for mode in modes:
        headers += [_titled("mean", mode, modes), _titled("95 %", mode, modes)]
    headers += ["kept less dropped", "95 % of it"] if len(modes) == 2 else []
    lines: list[list[Cell]] = []
    for label, value in figures_of(rows, attempts(rows)).items():
        found = [task_values([row for row in rows if row["thinking"] == mode], value) for mode in modes]
        shown = [interval(list(values.values()), seed) for values in found]
        if len(found) == 2:
            shown.append(interval([found[1][task] - found[0][task] for task in found[0]], seed))
        lines.append([label, *(cell for each in shown for cell in cells(each))])
    return headers, lines


def kind_table(rows: Sequence[Row], seed: int = 0) -> Table:
    """(headers, rows): tasks done by kind of task, or by env where there is no end state."""
    done, k, modes = done_column(rows), attempts(rows), _modes(rows)
    lines: list[list[Cell]] = []
    for kind in _kinds(rows):
        for mode in modes:
            some = [row for row in rows if kind in (ALL, row["kind"]) and row["thinking"] == mode]
            line: list[Cell] = [kind, mode] if len(modes) == 2 else [kind]
            line += [len({row["task_id"] for row in some}), *cells(_over_tasks(some, mean_of(done), seed))]
            for value in every_of(done, k), mean_of("process_accuracy"), mean_of("calls"):
                line.append(round(_over_tasks(some, value, seed).mean, 3))
            lines.append(line)
    live = done == "success"
    first = ["kind of task" if live else "env", *(["earlier thinking"] if len(modes) == 2 else []), "tasks"]
    title = "success" if live else "all calls met"
    return [*first, title, "95 %", f"pass^{k}", "process accuracy", "calls"], lines


def ending_table(rows: Sequence[Row], seed: int = 0) -> Table:
    """(headers, rows): how episodes ended, commonest first."""
    modes = _modes(rows)
    lines: list[list[Cell]] = []
    for mode in modes:
        some = [row for row in rows if row["thinking"] == mode]
        counted = Counter(row["status"] for row in some)
        for status, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
            first: list[Cell] = [status, mode] if len(modes) == 2 else [status]
            lines.append([*first, count, *cells(_over_tasks(some, _ended(status), seed))])
    return ["ending", *(["earlier thinking"] if len(modes) == 2 else []), "episodes", "share", "95 %"], lines


def _ended(status: str) -> Value:
    return lambda rows: fmean(row["status"] == status for row in rows)


def tier_table(rows: Sequence[Row]) -> Table:
    """(headers, rows): calls by the tier of what answered them."""
    counted = {tier: sum(row[f"tier_{tier}"] for row in rows) for tier in TIERS}
    total = max(1, sum(counted.values()))
    lines: list[list[Cell]] = [[tier, count, round(count / total, 3)] for tier, count in counted.items() if count]
    return ["tier", "calls", "share"], lines


def cells(found: Interval) -> tuple[float, str]:
    """A figure as two cells: the mean, and its interval in words."""
    return round(found.mean, 3), f"{found.low:.3f} to {found.high:.3f}"


def opened(settings: EvaluateSettings, data: DatasetFolder | None) -> FolderWriter:
    """The folder to write; what decides its bytes is its identity."""
    from train.model_folder import trained_identity

    assert settings.out is not None, "only called with --out"
    told = {name: value for name, value in asdict(settings).items() if name not in NOT_DECIDING}
    server = settings.server
    if settings.model is not None:
        told["model"] = trained_identity(settings.model) or settings.model
    else:
        told["model"] = {name: getattr(server, name) for name in ("base_url", "served_model", "extra_body")}
    told.pop("recorded" if data is None else "live")
    if data is not None:
        told["on"] = "recorded"
        told["recorded"]["cache"] = _cache_hash(settings)
    manifest = Manifest(KIND, "train.evaluate", told, [] if data is None else [folder_input(data)])
    reads = [data.path if data is not None else None, settings.recorded.cache]
    return FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads)


def _cache_hash(settings: EvaluateSettings) -> str | None:
    path = settings.recorded.cache
    if path is None or not (path / MANIFEST).is_file():
        return None  # opening it will say what is wrong
    return sha256_file(path / MANIFEST)


def write(
    writer: FolderWriter, rows: Sequence[dict[str, Any]], trajectories: Sequence[Trajectory], settings: EvaluateSettings
) -> None:
    """Write the tables and the report."""
    from curate.schema import TRAJECTORY
    from train.episode_rows import EPISODE

    writer.table("episodes", EPISODE).write(rows)
    writer.table("trajectories", TRAJECTORY).write(trajectories)
    writer.count(episodes=len(rows), tasks=len({row["task_id"] for row in rows}))
    writer.add_report(report(rows, settings))


def tables(rows: Sequence[Row], seed: int = 0) -> list[tuple[str, Table]]:
    """(caption, (headers, rows)) of all that is to be shown."""
    live = done_column(rows) == "success"
    found = [
        ("Figures over tasks", figure_table(rows, seed)),
        (f"By {'kind of task' if live else 'env'}", kind_table(rows, seed)),
        ("How episodes ended", ending_table(rows, seed)),
    ]
    answered = tier_table(rows)
    return found if live or not answered[1] else [*found, ("What answered the calls", answered)]


def report(rows: Sequence[Row], settings: EvaluateSettings) -> Report:
    """The evaluation as a report."""
    from curate.plots import intervals, stacked

    live, seed = done_column(rows) == "success", settings.seed
    made = Report(f"Evaluation on {f'the {settings.live.preset} desk' if live else 'recorded user turns'}")
    made.text(_what(rows, settings))
    made.text(terms(live=live, both=len(_modes(rows)) == 2))
    for caption, table in tables(rows, seed):
        made.table(caption, *table)
    shares = intervals(_kinds(rows), _by_kind(rows, seed), xlabel="share of tasks")
    made.plot("Share of tasks done, with 95 % intervals", shares)
    tiers = {str(tier): [float(share or 0)] for tier, _, share in tier_table(rows)[1]}
    if not live and tiers:
        made.plot("Calls by tier", stacked(["calls"], tiers, xlabel="share of calls", colors=TIER_COLORS))
    return made


def _by_kind(rows: Sequence[Row], seed: int) -> dict[str, list[Interval]]:
    """Way to treat earlier thoughts -> share of tasks done, of each kind."""
    done, modes = mean_of(done_column(rows)), _modes(rows)
    return {
        mode: [
            _over_tasks([row for row in rows if kind in (ALL, row["kind"]) and row["thinking"] == mode], done, seed)
            for kind in _kinds(rows)
        ]
        for mode in modes
    }


def _what(rows: Sequence[Row], settings: EvaluateSettings) -> str:
    """What was measured and how, as a paragraph."""
    tasks, turns = (len({row[name] for row in rows}) for name in ("task_id", "turn"))
    each, live, ways = attempts(rows), done_column(rows) == "success", _modes(rows)
    told = [
        f"{len(rows):,} episodes of {tasks:,} tasks{'' if live else f' with {turns:,} user turns'}, "
        f"{each} attempt{'s' if each > 1 else ''} each{' with earlier thinking kept and dropped' * (len(ways) == 2)}."
    ]
    told.append(INTERVALS)
    if live:
        told.append("A task is done if the desk ended in the state it should and the answers held what they must.")
    else:
        by = "a cache" if settings.recorded.cache else "the recording itself (the result of the equal call, else none)"
        told.append(
            f"Calls were answered by {by}. There is no end state: a user turn is done if every call of the "
            "recorded reply was made, in order."
        )
    if settings.model is None:
        told.append(
            "The model was served: its tokenizer is not known, so its thinking is counted in words. "
            "Earlier thoughts that are kept are sent; whether the model sees them is up to the server."
        )
    return " ".join(told)


def terms(*, live: bool, both: bool) -> str:
    """What the figures are, as a paragraph.

    Args:
        live: of a world that has an end state.
        both: earlier thinking was kept and dropped.
    """
    expected = "the shortest right ones" if live else "those of the recorded reply, but for failed ones and think tools"
    told = [f"Process accuracy is the share of the expected calls ({expected}) that were made, in their order and with"]
    told.append("equal arguments, up to the first that is missing; further calls cost nothing.")
    told.append(f"pass^k is how likely k attempts are all {'a success' if live else 'with all expected calls met'}.")
    told.append(
        "Calls, turns and thinking are means of an attempt; a malformed call could not be run, and is a call too."
    )
    if both:
        told.append("Earlier thinking, that of user turns before the current one, was kept in the prompt or dropped.")
    return " ".join(told)


def done_column(rows: Sequence[Row]) -> str:
    """The column that says whether an attempt did its task."""
    return "success" if all(row["success"] is not None for row in rows) else "all_calls_met"


def _over_tasks(rows: Sequence[Row], value: Value, seed: int) -> Interval:
    return interval(list(task_values(rows, value).values()), seed)


def _kinds(rows: Sequence[Row]) -> list[str]:
    return [ALL, *sorted({row["kind"] for row in rows})]


def _modes(rows: Sequence[Row]) -> list[str]:
    return sorted({row["thinking"] for row in rows})


def _titled(title: str, mode: str, modes: Sequence[str]) -> str:
    return f"{title}, {mode}" if len(modes) == 2 else title
