"""From raw files to a curated folder: read, filter, drop duplicates, split, write; what is lost is counted.

The files are digested into chunks by the engine's workers; what needs all rows at once is decided on the frame of
their facts; the chunks are then cut into kept rows and rejects, in the order of the inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa

from curate.benchmark_tasks import benchmark_files
from curate.canonical import canonical_json, compact_json, hash128
from curate.caps import cap_table, capped, largest_groups_table
from curate.curation_report import ReportTable, curation_report
from curate.decisions import Decisions, funnel
from curate.decontaminate import Benchmarks, DecontaminateSettings, Hit, benchmark_table, met_tasks_table
from curate.dedup_step import CLUSTERS, Duplicates, drop_duplicates, open_published, signatures_schema
from curate.digest import CHUNK, TOKEN_BOUNDS, Digest, Evidence, Judge, read_chunk
from curate.engine import Engine, engine_of
from curate.env import load_env_rules
from curate.errors import InputError, UsageError
from curate.filters import PREDICATES, Context
from curate.folder import DatasetFolder, FolderWriter, Manifest, folder_input, sha256_file
from curate.label_step import apply_labels, untrained
from curate.labels import Labels
from curate.normalise import Input
from curate.progress import track
from curate.readers.expand import fingerprint
from curate.sample import not_sampled, sample_table
from curate.schema import REJECT, TRAJECTORY
from curate.settings import CurateSettings, resolve_inputs
from curate.split import split_of
from curate.spool import Spooled, Spooler
from curate.stats import Summary
from curate.tokens import TokenCounter
from curate.tool_schemas import EnvTools, merged, schemas

COMMAND = "curate"
_REJECT_COLUMNS = ("reject_step", "reject_reason", "reject_detail")
_FRAME_COLUMNS = (
    *("trajectory_id", "content_hash", "source", "env_id", "task_id", "trial", "task_group"),
    *("tools_inferred", "reward"),
    *_REJECT_COLUMNS,
    *("judged", "hit", "exact_key", "facts"),
)


@dataclass
class _Run:
    """One run: its settings, what it is compared with, and what has been read."""

    settings: CurateSettings
    context: Context
    counter: TokenCounter
    benchmarks: Benchmarks | None
    published: list[DatasetFolder]
    labels: Labels | None
    engine: Engine
    spools: list[Spooled] = field(default_factory=list)

    @property
    def chunks(self) -> list[str]:
        """All chunk files, in the order of the inputs."""
        return [path for spooled in self.spools for path in spooled.chunks]

    @cached_property
    def recorded(self) -> dict[str, Any]:
        """The settings that decide the output's bytes; paths, names of inputs and flags of the run stand elsewhere."""
        settings = self.settings
        dedup = asdict(settings.dedup)
        del dedup["against"]
        return {
            "filter": asdict(settings.filter),
            "tokens": asdict(settings.tokens) | {"tokenizer": self.counter.fingerprint},
            "decontaminate": asdict(settings.decontaminate) | {"benchmark": _benchmarks(settings.decontaminate)},
            "dedup": dedup,
            "cap": asdict(settings.cap),
            "sample": asdict(settings.sample),
            "split": asdict(settings.split),
            "env_rules": {env_id: asdict(rule) for env_id, rule in sorted(self.context.rules.items())},
            "skip_bad_files": settings.input.skip_bad_files,
            **({} if self.labels is None else {"labels": self.labels.recorded(settings.label)}),
        }

    def digest(self) -> Digest:
        """The task of reading a chunk."""
        settings, dedup = self.settings, self.settings.dedup
        view = dedup.near_view if dedup.near else None
        key = hash128(canonical_json(self.recorded))
        return Digest(key, self.context, settings.tokens, self.counter, self.benchmarks, view, dedup.permutations)


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
    settings.check()
    context = Context(settings.filter, load_env_rules(settings.input.env_rules))
    inputs = resolve_inputs(settings)
    engine = engine_of(settings.run)
    benchmarks = Benchmarks.load(settings.decontaminate) if settings.decontaminate.benchmark else None
    published = open_published(settings.dedup)
    labels = Labels.load(settings.label)
    run = _Run(settings, context, TokenCounter.of(settings.tokens.tokenizer), benchmarks, published, labels, engine)
    prints = [fingerprint(Path(given.path)) for given in track(inputs, "hashing", unit="files")]
    described = [_described(given, found) for given, found in zip(inputs, prints, strict=True)]
    manifest = Manifest(
        kind="curated",
        command=COMMAND,
        settings=run.recorded,
        inputs=[*described, *map(folder_input, published), *([] if labels is None else [labels.described()])],
    )
    reads = _read_paths(run, inputs)
    with FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads) as writer, engine:
        engine.reach(writer.journal)
        spooler = Spooler(writer.journal, run.digest(), engine, settings.input.skip_bad_files)
        try:
            run.spools = spooler.spool(inputs, [sha256 for sha256, _ in prints])
            _refuse_unread(run.spools)
        except (InputError, UsageError):
            writer.forget()
            raise
        _write(writer, run)
    return DatasetFolder.open(settings.out)


def _read_paths(run: _Run, inputs: list[Input]) -> list[Path | None]:
    """Every path that the run reads, none of which its output may replace."""
    settings = run.settings
    files = [Path(given.path) for given in inputs]
    tasks = [given.path for given in benchmark_files(settings.decontaminate.benchmark)]
    return [*settings.inputs, *files, *tasks, *settings.dedup.against, *_asides(settings)]


def _asides(settings: CurateSettings) -> list[Path | None]:
    return [settings.label.labels, settings.input.env_rules, settings.config]


def _benchmarks(settings: DecontaminateSettings) -> list[dict[str, str | None]]:
    """The benchmarks by name and content."""
    files = benchmark_files(settings.benchmark)
    return [{"name": item.name, "field": item.field, "sha256": sha256_file(item.path)} for item in files]


def _described(given: Input, found: tuple[str, int]) -> dict[str, Any]:
    sha256, size = found
    facts = {key: value for key, value in asdict(given).items() if key not in ("path", "source")}
    return {"name": given.source, "kind": "file", "sha256": sha256, "bytes": size, **facts}


def _write(writer: FolderWriter, run: _Run) -> None:
    settings = run.settings
    frame = _numbered(_frame(run.chunks), settings)
    evidence = _evidence(run, frame)
    decisions = Decisions(frame)
    decisions.reject_rows(_judged_late(run, frame, evidence))
    duplicates = drop_duplicates(decisions, run.chunks, settings.dedup, run.published, writer.journal, run.engine)
    tables = [*_labelled(writer, run, decisions), *_sized(decisions, settings)]
    inferred = {env_id: compact_json(schemas(tools)) for env_id, tools in evidence.items()}
    summary = _write_tables(writer, run, decisions.frame, inferred)
    if settings.dedup.near:
        writer.table("clusters", CLUSTERS).write_table(duplicates.clusters)
    _finish(writer, run, decisions.frame, summary, duplicates, tables)


def _refuse_unread(spools: list[Spooled]) -> None:
    """Refuse a `--format` or `--group` that fits no record of an input: a slip that would cost the whole set."""
    for item in spools:
        if item.given.format or item.given.group:
            tables = [read_chunk(path, _REJECT_COLUMNS) for path in item.chunks]
            rejected = [row for table in tables for row in table.to_pylist() if row["reject_step"] == "read"]
            if rejected and len(rejected) == item.records:
                why = f"{rejected[0]['reject_reason']}, {rejected[0]['reject_detail']}"
                raise UsageError(f"no record of {item.given.source} fits --format or --group; the first: {why}")


def _labelled(writer: FolderWriter, run: _Run, decisions: Decisions) -> list[ReportTable]:
    """Apply what people said; what it did, for the manifest and the report."""
    if run.labels is None:
        return []
    done = apply_labels(decisions, run.labels, run.settings.label, run.chunks)
    writer.count(labels=done.figures)
    return [("What labels did", *done.table())]


def _sized(decisions: Decisions, settings: CurateSettings) -> list[ReportTable]:
    """Apply the caps and the sample; what they did, for the report."""
    tables: list[ReportTable] = []
    facts = _set_facts(decisions.left())
    if settings.cap.caps():
        gone = capped(facts, settings.cap)
        tables.append(("What each cap did", *cap_table(facts, gone, settings.cap)))
        tables.append(("Largest groups that a cap cut", *largest_groups_table(facts, gone, settings.cap)))
        decisions.reject_each("cap", gone)
        facts = _set_facts(decisions.left())
    if settings.sample.size(facts.height) < facts.height:
        gone = not_sampled(facts, settings.sample)
        tables.append(("Sample by stratum", *sample_table(facts, gone, settings.sample)))
        decisions.reject_each("sample", gone)
    return tables


def _set_facts(rows: pl.DataFrame) -> pl.DataFrame:
    """What caps and samples tell rows by."""
    called = pl.col("facts").struct.field("called")
    return rows.select(
        *("index", "trajectory_id", "source", "env_id", "task_id", "task_group", "reward"),
        tools=called.list.unique().list.sort(),
        calls=called.list.len(),
    )


def _frame(chunks: Iterable[str]) -> pl.DataFrame:
    """One row a record: its place, its identity, its facts, and why it was turned away so far."""
    nothing = CHUNK.empty_table().select(list(_FRAME_COLUMNS))
    tables = [read_chunk(path, _FRAME_COLUMNS) for path in track(chunks, "gathering", unit="chunks")]
    frame = cast(pl.DataFrame, pl.from_arrow(pa.concat_tables([nothing, *tables])))
    chunk = np.repeat(np.arange(len(tables)), np.array([table.num_rows for table in tables], np.int64))
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    return frame.with_columns(index=row, chunk=pl.Series(chunk, dtype=pl.Int64)).with_columns(place=row.over("chunk"))


def _numbered(frame: pl.DataFrame, settings: CurateSettings) -> pl.DataFrame:
    """The rows' splits, their trials where the source has none, and `#n` on ids that come again."""
    groups = frame["task_group"].drop_nulls().unique().to_list()
    splits = {group: split_of(group, settings.split) for group in groups}
    unknown = pl.col("trial") < 0
    attempt = pl.int_range(pl.len()).over("source", "env_id", "task_id", unknown)
    again = pl.int_range(1, pl.len() + 1).over("trajectory_id")
    numbered_id = pl.format("{}#{}", "trajectory_id", again)
    return frame.with_columns(
        trial=pl.when(unknown).then(attempt).otherwise("trial").cast(pl.Int32),
        trajectory_id=pl.when(again > 1).then(numbered_id).otherwise("trajectory_id"),
        split=pl.col("task_group").replace_strict(splits, default=None, return_dtype=pl.String),
    )


def _evidence(run: _Run, frame: pl.DataFrame) -> EnvTools:
    """What the calls say of the tools that no source describes."""
    paths = [run.chunks[chunk] for chunk in _unjudged_chunks(frame)]
    return merged(track(run.engine.map(Evidence(), paths), "tools", total=len(paths), unit="chunks"))


def _judged_late(run: _Run, frame: pl.DataFrame, evidence: EnvTools) -> Iterator[dict[str, Any]]:
    """The rejects among the rows whose tools had to be inferred first."""
    chunks = _unjudged_chunks(frame)
    starts = dict(frame.group_by("chunk").agg(pl.col("index").min()).iter_rows())
    judge = Judge(replace(run.context, tools=evidence))
    found = run.engine.map(judge, [run.chunks[chunk] for chunk in chunks])
    for chunk, rejects in zip(chunks, track(found, "filtering", total=len(chunks), unit="chunks"), strict=True):
        for place, columns in rejects:
            yield {"index": starts[chunk] + place, **columns}


def _unjudged_chunks(frame: pl.DataFrame) -> list[int]:
    return frame.filter(~pl.col("judged"))["chunk"].unique().sort().to_list()


def _write_tables(writer: FolderWriter, run: _Run, frame: pl.DataFrame, inferred: dict[str, str]) -> Summary:
    """Cut the chunks into kept rows and rejects; returns the figures of the kept."""
    summary = Summary(estimated=run.counter.estimated)
    chunks, near = run.chunks, run.settings.dedup.near
    kept, rejects = writer.table("trajectories", TRAJECTORY), writer.table("rejects", REJECT)
    signed = writer.table("signatures", signatures_schema(run.settings.dedup)) if near else None
    for number, fates in enumerate(track(_by_chunk(frame, len(chunks)), "writing", total=len(chunks), unit="chunks")):
        columns = [*REJECT.names, *(["signature"] if signed is not None else [])]
        table = _complete(read_chunk(chunks[number], columns), fates, inferred)
        stays = fates["reject_step"].is_null()
        left = table.filter(pa.array(stays))
        rows = left.select(TRAJECTORY.names).cast(TRAJECTORY)
        kept.write_table(rows)
        rejects.write_table(table.filter(pa.array(~stays)).select(REJECT.names).cast(REJECT))
        if signed is not None:
            signed.write_table(left.select(signed.schema.names))
        summary.add(fates.filter(stays).with_columns(tools=pl.Series(rows.column("tools"), dtype=pl.String)))
    return summary


def _by_chunk(frame: pl.DataFrame, chunks: int) -> Iterator[pl.DataFrame]:
    counts = dict(frame.group_by("chunk").len().iter_rows())
    start = 0
    for chunk in range(chunks):
        yield frame.slice(start, counts[chunk])
        start += counts[chunk]


def _complete(table: pa.Table, fates: pl.DataFrame, inferred: dict[str, str]) -> pa.Table:
    """A chunk's rows with what was decided about them."""
    columns = {name: fates[name] for name in ("trajectory_id", "trial", "split", *_REJECT_COLUMNS)}
    tools = pl.col("env_id").replace_strict(inferred, default="[]", return_dtype=pl.String)
    given = pl.Series(table.column("tools"))
    columns["tools"] = fates.select(pl.when("tools_inferred").then(tools).otherwise(given)).to_series()
    if "untrain" in fates.columns:
        columns["weight"] = fates["weight"].fill_null(pl.Series(table.column("weight")))
        if fates["untrain"].null_count() < fates.height:
            place = table.schema.get_field_index("messages")
            changed = untrained(table.column("messages"), fates["untrain"].to_list())
            table = table.set_column(place, table.schema.field("messages"), changed)
    for name, series in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(
            place, REJECT.field(name).with_nullable(True), series.to_arrow().cast(REJECT.field(name).type)
        )
    return table


def _finish(
    writer: FolderWriter,
    run: _Run,
    frame: pl.DataFrame,
    summary: Summary,
    duplicates: Duplicates,
    tables: list[ReportTable],
) -> None:
    left = frame.filter(pl.col("reject_step").is_null())
    steps = funnel(frame, [*PREDICATES, TOKEN_BOUNDS])
    damaged = {_name(item): item.damage for item in run.spools if item.damage is not None}
    writer.count(
        records=frame.height,
        kept=left.height,
        funnel=[dict(zip(("step", "reason", "rejected", "left"), step, strict=True)) for step in steps],
        sources=_sources(run.spools, _by_source(frame), _by_source(left)),
        bad_files=len(damaged),
        repeated_ids=frame["trajectory_id"].str.contains("#", literal=True).sum(),
        near_duplicates=duplicates.figures,
        summary=summary.figures(),
    )
    if run.benchmarks is not None:
        held = frame.filter(pl.col("reject_step") == "decontaminate")["hit"].to_list()
        hits = [Hit(**hit) for hit in held]
        tables.append(("Evaluation tasks looked for", *benchmark_table(run.benchmarks, hits)))
        tables.append(("Evaluation tasks met", *met_tasks_table(hits)))
    writer.add_report(curation_report(writer.counts, summary, damaged, tables))


def _by_source(frame: pl.DataFrame) -> dict[str, int]:
    return dict(frame.group_by("source").len().iter_rows())


def _name(item: Spooled) -> str:
    """What a report calls a file: its source, and which of its files."""
    given = item.given
    return f"{given.source}: {given.file}" if given.file else given.source


def _sources(spools: list[Spooled], read: dict[str, int], left: dict[str, int]) -> dict[str, dict[str, Any]]:
    """What was read of each source, in the order of the inputs."""
    sources: dict[str, dict[str, Any]] = {}
    for item in spools:
        name = item.given.source
        known = sources.setdefault(name, {"format": [], "sure": 1.0, "files": 0})
        if item.format and item.format not in known["format"]:
            known["format"].append(item.format)
        known["sure"] = min(known["sure"], round(item.sure, 3))
        known["files"] += 1
        known |= {"records": read.get(name, 0), "kept": left.get(name, 0)}
    return {name: {**known, "format": ", ".join(known["format"])} for name, known in sources.items()}
