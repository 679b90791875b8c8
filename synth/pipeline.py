"""From a curated folder to an augmented one: a model teacher is asked first, then every row is written with its why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from curate import __version__
from curate.canonical import hash128
from curate.engine import Engine, LocalEngine, engine_of
from curate.env import EnvRules, env_rules
from curate.folder import DatasetFolder, FolderWriter, folder_input
from curate.manifest import MANIFEST, Manifest, sha256_file
from curate.progress import track
from curate.schema import TRAJECTORY
from curate.turns import TURN_RULE_VERSION
from synth.augment_report import build_report, counts
from synth.augmenting import Augmenter, parts, read_part
from synth.checks.row import CHECKS_VERSION
from synth.checks.templating import Templating
from synth.settings import AugmentSettings
from synth.tally import WRITTEN, Tally
from synth.thoughts import OfflineThoughts, Thoughts


@dataclass(frozen=True)
class Source:
    """The folder that is read, and what is known of its envs."""

    folder: DatasetFolder
    rules: Mapping[str, EnvRules]

    @classmethod
    def open(cls, settings: AugmentSettings) -> Source:
        """Open the folder of the settings.

        Raises:
            UsageError: if it is missing or of another kind.
            FolderError: if it does not match its manifest.
        """
        folder = DatasetFolder.open(settings.folder, kinds=("curated",))
        rules = env_rules(folder.manifest.settings.get("env_rules") or {}, f"{settings.folder}: env_rules")
        return cls(folder, rules)


def augment(settings: AugmentSettings) -> DatasetFolder:
    """Write the augmented folder.

    Raises:
        UsageError: for a wrong setting, a missing folder or one of another kind, an OUT that stands there.
        FolderError: if the folder does not match its manifest.
        RunStopped: if a model teacher cannot be asked now; what it said is kept.
        UpToDate: if OUT holds the result of the same settings and input.
    """
    settings.check()
    source = Source.open(settings)
    if settings.teacher == "offline":
        from synth.teachers.offline import OfflineTeacher

        offline = OfflineThoughts(settings.checks)
        remark = "A thought of origin rule was written by rules, not by a model."
        return _write(settings, source, offline, {"prompt_version": OfflineTeacher.prompt_version}, remark)
    from synth.asking.run import asked_thoughts

    with asked_thoughts(settings, source) as (thoughts, named, remark):
        return _write(settings, source, thoughts, named, remark)


def manifest_of(settings: AugmentSettings, source: Source, teacher: str, named: Mapping[str, Any]) -> Manifest:
    """The manifest of an augmented folder, without its tables."""
    return Manifest(
        kind="augmented",
        command="synth.augment",
        settings={
            "teacher": teacher,
            **named,
            "turn_rule_version": TURN_RULE_VERSION,
            "checks_version": CHECKS_VERSION,
            "recorded": settings.recorded,
            "checks": asdict(settings.checks),
        },
        inputs=[folder_input(source.folder)],
    )


def _write(
    settings: AugmentSettings, source: Source, thoughts: Thoughts, named: Mapping[str, Any], remark: str
) -> DatasetFolder:
    manifest = manifest_of(settings, source, thoughts.name, named)
    reads = [settings.folder, settings.config, settings.money.prices]
    task = Augmenter(thoughts, source.rules, settings.recorded, settings.checks)
    with ExitStack() as stack:
        writer = stack.enter_context(FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads))
        engine = stack.enter_context(_engine(settings, thoughts))
        engine.reach(writer.journal)
        name = _part_name(source, manifest)
        tally, alike = Tally(), Templating(settings.checks)
        table = writer.table("trajectories", TRAJECTORY)
        jobs = list(parts(source.folder, writer.journal, name))
        for path in track(engine.map(task, jobs), "augment", total=len(jobs), unit="part"):
            rows, counted = read_part(path)
            table.write_table(rows)
            tally.merge(counted)
            alike.add_all(_written_texts(rows))
        result = alike.result()
        writer.count(**counts(tally, result))
        writer.add_report(build_report(tally, result, thoughts.name, str(named["prompt_version"]), remark))
    return DatasetFolder.open(settings.out)


def _engine(settings: AugmentSettings, thoughts: Thoughts) -> Engine:
    """Where rows are augmented; the journal of a model teacher is open in this process alone."""
    return engine_of(settings.run) if isinstance(thoughts, OfflineThoughts) else LocalEngine(1)


def _part_name(source: Source, manifest: Manifest) -> str:
    """Name of the run's parts: an interrupted run goes on with those of the same settings and input."""
    rows = sha256_file(source.folder.path / MANIFEST)
    return hash128(__version__, rows, manifest.identity)


def _written_texts(table: Any) -> Iterator[str]:
    """The thoughts that a teacher wrote, in the rows of a table."""
    for thinking, messages in zip(table["thinking"].to_pylist(), table["messages"], strict=True):
        wanted = [entry["message_index"] for entry in thinking if entry["origin"] in WRITTEN]
        texts = messages.values.field("reasoning_content")
        for index in wanted:
            yield texts[index].as_py()
