"""How good is a cache? `python -m cachebuild.audit CACHE --queries DIR`, or `--live desk` against a live world.

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
from curate.errors import UsageError

if TYPE_CHECKING:
    from cachebuild.ablations import Ablations, AblationTally
    from cachebuild.answer import Answer
    from cachebuild.audit_report import AuditTally
    from cachebuild.cache import ToolCache
    from cachebuild.entries import RecordedCall
    from cachebuild.lookup import Query
    from curate.folder import DatasetFolder, FolderWriter
    from curate.trajectory import Trajectory


def main(argv: Sequence[str] | None = None) -> int:
    """Ask the queries or play the episodes, print the tables, and write rows and report where asked to."""
    settings = parse(AuditSettings, "python -m cachebuild.audit", __doc__ or "", argv)

    def command() -> int:
        for line in audit(settings).lines():
            out(line)
        if settings.out is not None:
            out(f"\n{settings.out}: one row a call; {settings.out / 'report.html'}")
        return 0

    return run(command)


def audit(settings: AuditSettings) -> AuditTally:
    """Audit a cache against recorded calls, or against a live world.

    Returns:
        All that was counted.

    Raises:
        UsageError: for a wrong path, split, output folder, or a cache that holds nothing of the live world.
        FolderError: if a folder does not match its manifest.
        UpToDate: if OUT already is what these settings and folders give.
    """
    from cachebuild.audit_report import AuditTally, audit_report
    from cachebuild.cache import ToolCache
    from cachebuild.schema import ABLATION, AUDIT
    from cachebuild.sources import KINDS
    from curate.folder import DatasetFolder
    from curate.progress import track

    _check(settings)
    splits = chosen_splits(settings.splits)
    queries = None if settings.queries is None else DatasetFolder.open(settings.queries, kinds=KINDS)
    tally = AuditTally(settings.seed, live=settings.live is not None)
    with ExitStack() as stack:
        writer = _writer(settings, queries, stack)
        table = writer.table("audit", AUDIT) if writer else None
        cache = ToolCache.open(settings.cache, settings.lookup)
        auditor = Auditor(cache, DatasetFolder.open(settings.cache), settings.seed)
        tally.ablations = auditor.compare() if settings.ablations else None
        if queries is None:
            from cachebuild.live import live_rows

            rows = live_rows(auditor, settings, tally.episodes, tally.elsewhere)
        else:
            rows = audit_rows(auditor, queries, splits, tally.left_out)
        for row in track(rows, "asking", unit="call"):
            tally.add(row)
            if table is not None:
                table.write([row])
        if writer is not None:
            if tally.ablations is not None:
                writer.table("ablations", ABLATION).write(tally.ablations.rows())
            if settings.live:
                _write_episodes(writer, tally)
            writer.count(**tally.counts())
            writer.add_report(audit_report(tally))
    if not tally.calls:
        say(f"warning: no call was asked; {settings.queries} has none in split {', '.join(sorted(splits))}")
    return tally


def _check(settings: AuditSettings) -> None:
    """Refuse settings that say nothing to ask, or two things."""
    settings.lookup.check()
    if (settings.queries is None) == (settings.live is None):
        raise UsageError("name what to ask: --queries DIR for recorded calls, or --live desk for the live desk")
    if settings.episodes < 1:
        raise UsageError(f"--episodes must be at least 1, not {settings.episodes}")


def _write_episodes(writer: FolderWriter, tally: AuditTally) -> None:
    from cachebuild.schema import EPISODE

    writer.table("episodes", EPISODE).write(tally.episodes)


def _writer(settings: AuditSettings, queries: DatasetFolder | None, stack: ExitStack) -> FolderWriter | None:
    """The writer of OUT, if there is to be one."""
    from curate.folder import DatasetFolder, FolderWriter, Manifest, folder_input

    if settings.out is None:
        return None
    recorded: dict[str, Any] = {"seed": settings.seed, "lookup": asdict(settings.lookup)}
    recorded["ablations"] = settings.ablations
    inputs = [folder_input(DatasetFolder.open(settings.cache, kinds=("cache",)))]
    if queries is None:
        recorded |= {"live": settings.live, "episodes": settings.episodes, "preset": settings.preset}
    else:
        recorded["splits"] = sorted(chosen_splits(settings.splits))
        inputs.append(folder_input(queries))
    manifest = Manifest("audit", "cachebuild.audit", recorded, inputs)
    reads = [path for path in (settings.cache, settings.queries, settings.config) if path is not None]
    return stack.enter_context(FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads))


class Auditor:
    """Compares answers with what is right, the same way for recorded calls and for a live world.

    Args:
        cache: what is asked.
        folder: its folder, for what results share by accident.
        seed: picks among several outcomes of one key.
    """

    def __init__(self, cache: ToolCache, folder: DatasetFolder, seed: int) -> None:
        from cachebuild.ablations import Ablations
        from cachebuild.measures import chances

        self.cache = cache
        self.folder = folder
        self.seed = seed
        self._chances = chances(folder)
        self._ablations: Ablations = Ablations(cache.lookup)
        self._tally: AblationTally | None = None

    def compare(self) -> AblationTally:
        """From here on, ask the simpler caches too; returns what counts them."""
        from cachebuild.ablations import AblationTally

        self._tally = AblationTally(self._ablations)
        return self._tally

    def judge(self, query: Query, found: Answer, right: str, kind: str, *, state: str, volatile: bool) -> Row:
        """The columns of table `audit` that say what was served for `query` and how good it was.

        Args:
            query: the call; the simpler caches are asked with it.
            found: what the cache says to it.
            right: the result that it should have had.
            kind: of the tool.
            state: the related writes that stand before it.
            volatile: whether the tool gives another result at each call.
        """
        from cachebuild.fidelity import fidelity
        from cachebuild.measures import HITS, SERVED, lost_to_state

        chance = self._chances.get((query.env_id, query.tool), 0.0)
        equal = self._ablations.stateless(query)
        stateless = equal.result if equal else None
        served = found.result if found.tier in SERVED else None
        unknown = "state_unknown" in found.reason or not self._ablations.knows(query, state)
        if self._tally is not None and not volatile:
            behind = bool(state) and kind == "read"
            self._tally.add(query, right, chance, read_behind_write=behind, unknown_write=unknown)
        return {
            "tool": query.tool,
            "kind": kind,
            "after_write": bool(state),
            "volatile": volatile,
            "tier": found.tier,
            "p": found.p,
            "right": found.result == right,
            "fidelity": 0.0 if found.tier == "unavailable" else fidelity(right, found.result, chance),
            "reason": found.reason,
            "outcomes": len(found.outcomes),
            "source_trajectory_id": found.source_trajectory_id,
            "source_message_index": found.source_message_index,
            "behind_unknown_write": unknown,
            "lost_to_state": lost_to_state(stateless, right, served, equal=found.tier in HITS),
            "stateless_right": None if stateless is None else stateless == right,
            "cause": None,
        }


Row = dict[str, Any]


def audit_rows(
    auditor: Auditor, queries: DatasetFolder, splits: frozenset[str], left_out: Counter[str]
) -> Iterator[Row]:
    """One row of table `audit` a call; calls without a result to compare with are counted in `left_out`."""
    from cachebuild.entries import ROW_COLUMNS, recorded_calls
    from cachebuild.sources import chosen_rows

    cache = auditor.cache
    for row in chosen_rows(queries, splits, ROW_COLUMNS):
        trajectories = cache.lookup.index.trajectories(row["task_group"])
        seen_task = bool(trajectories - {row["trajectory_id"]})
        own = row["trajectory_id"] in trajectories
        state = cache.state(row["env_id"])
        for call in recorded_calls(row, state, left_out):
            kind = state.kind(call.pair.call["name"])
            yield _asked(auditor, row, call, kind, own) | {"seen_task": seen_task}


def _asked(auditor: Auditor, row: Trajectory, call: RecordedCall, kind: str, own: bool) -> Row:
    """The answer to one recorded call, without and with its own trajectory, beside the recorded result."""
    from cachebuild.lookup import Query

    def query(exclude: str | None) -> Query:
        place = (row["env_id"], row["initial_state_id"], row["task_id"])
        tool = call.pair.call["name"]
        return Query(*place, tool, call.arguments, call.dependence, auditor.seed, exclude)

    recorded, lookup = call.result["content"] or "", auditor.cache.lookup
    asked = query(row["trajectory_id"])
    whole = lookup.answer(query(None)) if own else None
    volatile, state = lookup.facts(asked).volatile, call.behind.state
    return {
        "trajectory_id": row["trajectory_id"],
        "message_index": call.pair.message_index,
        "call_index": call.pair.call_index,
        "env_id": row["env_id"],
        "task_id": row["task_id"],
        "split": row["split"],
        "source": "recorded",
        "variant": None,
        "own_in_cache": own,
        "own_found": whole is not None
        and whole.matched_arguments == call.arguments.canonical
        and any(outcome.result == recorded for outcome in whole.outcomes),
        **auditor.judge(asked, lookup.answer(asked), recorded, kind, state=state, volatile=volatile),
    }


if __name__ == "__main__":
    raise SystemExit(main())
