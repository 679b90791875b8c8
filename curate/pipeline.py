"""From raw files to a curated folder: read, filter, drop duplicates, split, write; what is lost is counted.

The files are digested into chunks by the engine's workers; what needs all rows at once is decided on the frame of
their facts; the chunks are then cut into kept rows and rejects, in the order of the inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curate.canonical import compact_json
from curate.curation_report import curation_report
from curate.decisions import Decisions, funnel
from curate.dedup import exact_duplicates
from curate.digest import CHUNK, Digest, Evidence, Judge, read_chunk
from curate.engine import Engine, LocalEngine
from curate.env import EnvRules, load_env_rules
from curate.errors import InputError
from curate.filters import PREDICATES, Context
from curate.folder import DatasetFolder, FolderWriter, Manifest, sha256_file
from curate.normalise import Input
from curate.progress import track
from curate.schema import REJECT, TRAJECTORY
from curate.settings import CurateSettings, resolve_inputs
from curate.split import split_of
from curate.spool import Spooled, Spooler
from curate.stats import Summary
from curate.tool_schemas import EnvTools, merged, schemas

COMMAND = "curate"
_REJECT_COLUMNS = ("reject_step", "reject_reason", "reject_detail")
_FRAME_COLUMNS = (
    *("trajectory_id", "source", "env_id", "task_id", "trial", "task_group", "tools_inferred", "reward"),
    *_REJECT_COLUMNS,
    *("judged", "exact_key", "facts"),
)


@dataclass
class _Run:
    """One run: its settings and what has been read."""

    settings: CurateSettings
    rules: dict[str, EnvRules]
    engine: Engine
    spools: list[Spooled]

    @property
    def chunks(self) -> list[str]:
        """All chunk files, in the order of the inputs."""
        return [path for spooled in self.spools for path in spooled.chunks]


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
    reads = [*settings.inputs, *(Path(given.path) for given in inputs), settings.env_rules, settings.config]
    with (
        FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads) as writer,
        LocalEngine(settings.workers) as engine,
    ):
        spooler = Spooler(writer.journal, Digest(settings.filter, rules), engine, settings.skip_bad_files)
        try:
            spools = spooler.spool(inputs, hashes)
        except InputError:
            writer.forget()
            raise
        _write(writer, _Run(settings, rules, engine, spools))
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


def _write(writer: FolderWriter, run: _Run) -> None:
    frame = _numbered(_frame(run.chunks), run.settings)
    evidence = _evidence(run, frame)
    decisions = Decisions(frame)
    decisions.reject_rows(_judged_late(run, frame, evidence))
    duplicates = exact_duplicates(decisions.left())
    decisions.reject("dedup", "exact_duplicate", duplicates.select("index", detail="of " + pl.col("kept")))
    inferred = {env_id: compact_json(schemas(tools)) for env_id, tools in evidence.items()}
    summary = _write_tables(writer, run.chunks, decisions.frame, inferred)
    _finish(writer, run, decisions.frame, summary)


def _frame(chunks: Iterable[str]) -> pl.DataFrame:
    """One row a record: its place, its identity, its facts, and why it was turned away so far."""
    nothing = CHUNK.empty_table().select(list(_FRAME_COLUMNS))
    tables = [read_chunk(path, _FRAME_COLUMNS) for path in track(chunks, "gathering", unit="chunks")]
    counts = [table.num_rows for table in tables]
    frame = cast(pl.DataFrame, pl.from_arrow(pa.concat_tables([nothing, *tables])))
    places = [(chunk, place) for chunk, count in enumerate(counts) for place in range(count)]
    where = pl.DataFrame(places, schema={"chunk": pl.Int64, "place": pl.Int64}, orient="row")
    return frame.with_columns(where, index=pl.int_range(pl.len(), dtype=pl.Int64))


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
    judge = Judge(Context(run.settings.filter, run.rules, evidence))
    found = run.engine.map(judge, [run.chunks[chunk] for chunk in chunks])
    for chunk, rejects in zip(chunks, track(found, "filtering", total=len(chunks), unit="chunks"), strict=True):
        for place, columns in rejects:
            yield {"index": starts[chunk] + place, **columns}


def _unjudged_chunks(frame: pl.DataFrame) -> list[int]:
    return frame.filter(~pl.col("judged"))["chunk"].unique().sort().to_list()


def _write_tables(writer: FolderWriter, chunks: list[str], frame: pl.DataFrame, inferred: dict[str, str]) -> Summary:
    """Cut the chunks into kept rows and rejects; returns the figures of the kept."""
    summary = Summary()
    kept, rejects = writer.table("trajectories", TRAJECTORY), writer.table("rejects", REJECT)
    for number, fates in enumerate(track(_by_chunk(frame, len(chunks)), "writing", total=len(chunks), unit="chunks")):
        table = _complete(read_chunk(chunks[number], REJECT.names), fates, inferred)
        is_kept = pa.array(fates["reject_step"].is_null())
        rows = table.filter(is_kept).select(TRAJECTORY.names).cast(TRAJECTORY)
        kept.write_table(rows)
        rejects.write_table(table.filter(pc.invert(is_kept)).cast(REJECT))
        left = fates.filter(pl.col("reject_step").is_null())
        summary.add(left.with_columns(tools=pl.Series(rows.column("tools"), dtype=pl.String)))
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
    for name, series in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(
            place, REJECT.field(name).with_nullable(True), series.to_arrow().cast(REJECT.field(name).type)
        )
    return table


def _finish(writer: FolderWriter, run: _Run, frame: pl.DataFrame, summary: Summary) -> None:
    left = dict(frame.filter(pl.col("reject_step").is_null()).group_by("source").len().iter_rows())
    read = dict(frame.group_by("source").len().iter_rows())
    steps = funnel(frame, PREDICATES)
    damaged = {item.given.source: item.damage for item in run.spools if item.damage is not None}
    writer.count(
        records=frame.height,
        kept=sum(left.values()),
        funnel=[dict(zip(("step", "reason", "rejected", "left"), step, strict=True)) for step in steps],
        sources={
            item.given.source: {
                "format": item.format,
                "records": read.get(item.given.source, 0),
                "kept": left.get(item.given.source, 0),
            }
            for item in run.spools
        },
        bad_files=len(damaged),
        repeated_ids=frame["trajectory_id"].str.contains("#", literal=True).sum(),
        summary=summary.figures(),
    )
    writer.add_report(curation_report(writer.counts, summary, damaged))
