"""From raw files to a curated folder: read, filter, drop duplicates, split, write; what is lost is counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curate.canonical import compact_json
from curate.curation_report import curation_report
from curate.dedup import Candidate, exact_duplicates, exact_key
from curate.env import EnvRules, load_env_rules
from curate.errors import InputError
from curate.filters import PREDICATES, Context, first_failure
from curate.folder import DatasetFolder, FolderWriter, Manifest, sha256_file
from curate.normalise import Input
from curate.progress import track
from curate.schema import REJECT, TRAJECTORY
from curate.settings import CurateSettings, resolve_inputs
from curate.split import split_of
from curate.spool import Spooled, read_spool, spool
from curate.stats import Summary
from curate.tool_schemas import gather, schemas
from curate.trajectory import Reject, Trajectory

COMMAND = "curate"


@dataclass
class Funnel:
    """How many rows each step turned away, by reason and by source, in the order of the steps."""

    read: Counter[str] = field(default_factory=Counter)
    rejected: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    kept: Counter[str] = field(default_factory=Counter)

    def reject(self, row: Reject) -> Reject:
        """Count a reject."""
        self.rejected[(row["reject_step"], row["reject_reason"])][row["source"]] += 1
        return row

    def steps(self) -> list[tuple[str, str, int, int]]:
        """(step, reason, turned away, left) in the order of the pipeline; filters without a case are left out."""
        order = {("filter", reason): index for index, reason in enumerate(PREDICATES)}
        steps, left = [], self.read.total()
        for key in sorted(self.rejected, key=lambda k: (STEPS.index(k[0]), order.get(k, 0), k[1])):
            count = self.rejected[key].total()
            left -= count
            steps.append((*key, count, left))
        return steps


STEPS = ("read", "filter", "dedup")


@dataclass
class _Run:
    """What one run knows after reading: the spools, and what later passes need of them."""

    inputs: list[Input]
    spools: list[Spooled]

    def lines(self, label: str) -> Iterator[tuple[int, Trajectory | None, Reject | None]]:
        """All spooled lines in input order, numbered across the inputs."""
        total = sum(item.records for item in self.spools)
        pairs = (line for item, given in zip(self.spools, self.inputs, strict=True) for line in read_spool(item, given))
        for index, (row, reject) in enumerate(track(pairs, label, total=total, unit="records")):
            yield index, row, reject

    def rows(self, label: str) -> Iterator[Trajectory]:
        """The trajectories among them."""
        return (row for _, row, _ in self.lines(label) if row is not None)


def curate(settings: CurateSettings) -> DatasetFolder:
    """Curate raw files into a dataset folder of kind "curated".

    Args:
        settings: inputs, names, thresholds and the output folder.

    Returns:
        The folder, opened and checked.

    Raises:
        UsageError: for flags, paths or an output that cannot be right.
        InputError: for a file that cannot be read to its end, unless `skip_bad_files`.
        UpToDate: if the folder stands already.
    """
    settings.split.check()
    settings.filter.check()
    rules = load_env_rules(settings.env_rules)
    inputs = resolve_inputs(settings)
    hashes = [sha256_file(Path(given.path)) for given in track(inputs, "hashing", unit="files")]
    manifest = Manifest(
        kind="curated",
        command=COMMAND,
        settings=_recorded_settings(settings, rules),
        inputs=[_described(given, sha256) for given, sha256 in zip(inputs, hashes, strict=True)],
    )
    with FolderWriter(settings.out, manifest, overwrite=settings.overwrite) as writer:
        try:
            spools = [
                spool(given, sha256, writer.journal, skip_bad_files=settings.skip_bad_files)
                for given, sha256 in zip(inputs, hashes, strict=True)
            ]
        except InputError:
            writer.forget()
            raise
        _write(writer, _Run(inputs, spools), settings, rules)
    return DatasetFolder.open(settings.out)


def _recorded_settings(settings: CurateSettings, rules: dict[str, EnvRules]) -> dict[str, Any]:
    """The settings that decide the bytes of the output; paths, names of inputs and flags of the run stand elsewhere."""
    return {
        "filter": asdict(settings.filter),
        "split": asdict(settings.split),
        "env_rules": {env_id: asdict(rule) for env_id, rule in sorted(rules.items())},
        "skip_bad_files": settings.skip_bad_files,
    }


def _described(given: Input, sha256: str) -> dict[str, Any]:
    facts = {key: value for key, value in asdict(given).items() if key not in ("path", "source")}
    return {"name": given.source, "kind": "file", "sha256": sha256, "bytes": Path(given.path).stat().st_size, **facts}


def _write(writer: FolderWriter, run: _Run, settings: CurateSettings, rules: dict[str, EnvRules]) -> None:
    evidence = gather(run.rows("tools"))
    context = Context(settings.filter, rules, evidence)
    inferred = {env_id: compact_json(schemas(tools)) for env_id, tools in evidence.items()}
    failures, duplicates = _decide(run, context)
    funnel, summary = Funnel(), Summary()
    kept, rejects = writer.table("trajectories", TRAJECTORY), writer.table("rejects", REJECT)
    numbers = _Numbers()
    for index, row, reject in run.lines("writing"):
        if row is None:
            assert reject is not None
            funnel.read[reject["source"]] += 1
            rejects.write([funnel.reject(reject)])
            continue
        funnel.read[row["source"]] += 1
        row = numbers.complete(row, inferred)
        if index in failures:
            rejects.write([funnel.reject(_rejected(row, "filter", *failures[index]))])
        elif index in duplicates:
            rejects.write([funnel.reject(_rejected(row, "dedup", "exact_duplicate", f"of {duplicates[index]}"))])
        else:
            row["split"] = split_of(row["task_group"], settings.split)
            funnel.kept[row["source"]] += 1
            summary.add(row, rules)
            kept.write([row])
    _finish(writer, run, funnel, summary, numbers.repeated)


def _decide(run: _Run, context: Context) -> tuple[dict[int, tuple[str, str]], dict[int, str]]:
    """Which rows go: (index -> reason and detail of the filter, index -> id of the row that a duplicate repeats)."""
    failures: dict[int, tuple[str, str]] = {}
    candidates: list[Candidate] = []
    for index, row, _ in run.lines("filtering"):
        if row is None:
            continue
        failure = first_failure(row, context)
        if failure is not None:
            failures[index] = failure
        else:
            candidates.append(Candidate(index, row["trajectory_id"], exact_key(row), row["reward"]))
    return failures, exact_duplicates(candidates)


class _Numbers:
    """What depends on the rows before: trials where the source has none, `#n` for ids that come again."""

    def __init__(self) -> None:
        self.repeated = 0
        self._trials: Counter[tuple[str, str, str]] = Counter()
        self._ids: Counter[str] = Counter()

    def complete(self, row: Trajectory, inferred: dict[str, str]) -> Trajectory:
        """The row with its trial, its final id and its env's inferred tools."""
        if row["trial"] < 0:
            task = (row["source"], row["env_id"], row["task_id"])
            row["trial"] = self._trials[task]
            self._trials[task] += 1
        base = row["trajectory_id"]
        self._ids[base] += 1
        if self._ids[base] > 1:
            self.repeated += 1
            row["trajectory_id"] = f"{base}#{self._ids[base]}"
        if row["tools_inferred"]:
            row["tools"] = inferred.get(row["env_id"], "[]")
        return row


def _rejected(row: Trajectory, step: str, reason: str, detail: str) -> Reject:
    return Reject(**row, reject_step=step, reject_reason=reason, reject_detail=detail, raw=None)


def _finish(writer: FolderWriter, run: _Run, funnel: Funnel, summary: Summary, repeated: int) -> None:
    damaged = {
        given.source: item.damage for given, item in zip(run.inputs, run.spools, strict=True) if item.damage is not None
    }
    writer.count(
        records=funnel.read.total(),
        kept=funnel.kept.total(),
        funnel=[dict(zip(("step", "reason", "rejected", "left"), step, strict=True)) for step in funnel.steps()],
        sources={
            given.source: {
                "format": item.format,
                "records": funnel.read[given.source],
                "kept": funnel.kept[given.source],
            }
            for given, item in zip(run.inputs, run.spools, strict=True)
        },
        bad_files=len(damaged),
        repeated_ids=repeated,
        summary=summary.figures(),
    )
    writer.add_report(curation_report(writer.counts, summary, damaged))
