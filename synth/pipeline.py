"""From a curated folder to an augmented one: row by row, each trajectory's thoughts journaled before they are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from curate.canonical import canonical_json, hash128
from curate.env import DEFAULT_RULES, EnvRules, env_rules
from curate.errors import UsageError
from curate.folder import DatasetFolder, FolderWriter, folder_input
from curate.manifest import Manifest
from curate.progress import track
from curate.schema import TRAJECTORY
from curate.trajectory import Trajectory
from curate.turns import TURN_RULE_VERSION
from synth.augment_report import Tally, build_report
from synth.journal import Journal
from synth.teachers import Teacher, Thought, make_teacher, turn_view
from synth.turn_rule import Bounds, Turn, plan_turns, with_thoughts

if TYPE_CHECKING:
    from synth.augment import AugmentSettings

JOURNAL = "thoughts.jsonl"


def augment(settings: AugmentSettings) -> DatasetFolder:
    """Write the augmented folder.

    Raises:
        UsageError: for a wrong setting, a missing folder or one of another kind, an OUT that stands there.
        FolderError: if the folder does not match its manifest.
        UpToDate: if OUT holds the result of the same settings and input.
    """
    _check(settings.bounds)
    folder = DatasetFolder.open(settings.folder, kinds=("curated",))
    teacher = make_teacher(settings.teacher)
    rules = env_rules(folder.manifest.settings.get("env_rules") or {}, f"{settings.folder}: env_rules")
    manifest = Manifest(
        kind="augmented",
        command="synth.augment",
        settings={
            "teacher": teacher.name,
            "prompt_version": teacher.prompt_version,
            "turn_rule_version": TURN_RULE_VERSION,
            "recorded": settings.recorded,
            "bounds": asdict(settings.bounds),
        },
        inputs=[folder_input(folder)],
    )
    tally = Tally()
    reads = [settings.folder, settings.config]
    with FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=reads) as writer:
        with Journal(writer.journal / JOURNAL) as journal:
            rows = augmented_rows(folder, settings, teacher, rules, journal, tally)
            writer.table("trajectories", TRAJECTORY).write(cast(Iterator[Mapping[str, Any]], rows))
        writer.count(**tally.counts())
        writer.add_report(build_report(tally, teacher.name))
    return DatasetFolder.open(settings.out)


def augmented_rows(
    folder: DatasetFolder,
    settings: AugmentSettings,
    teacher: Teacher,
    rules: Mapping[str, EnvRules],
    journal: Journal,
    tally: Tally,
) -> Iterator[Trajectory]:
    """The rows with their thoughts, one at a time, counted in `tally`."""
    named = (teacher.name, teacher.prompt_version, teacher.origin)
    total = folder.manifest.rows("trajectories")
    for read in track(folder.rows("trajectories"), "augment", total=total, unit="trajectory"):
        row = cast(Trajectory, read)
        turns = plan_turns(row, settings.recorded)
        thoughts = _journaled(row, turns, teacher, rules.get(row["env_id"], DEFAULT_RULES), journal)
        texts = {index: thought.text for index, thought in thoughts.items()}
        row = with_thoughts(row, turns, texts, settings.bounds, named)
        tally.add(row, thoughts)
        yield row


def write_thoughts(row: Trajectory, turns: list[Turn], teacher: Teacher, rules: EnvRules) -> dict[int, Thought]:
    """What the teacher writes for the turns that need a thought; each is shown only what came before it."""
    asked = [turn.message_index for turn in turns if turn.origin == "teacher"]
    written = {index: teacher.write(turn_view(row, index, rules)) for index in asked}
    return {index: thought for index, thought in written.items() if thought is not None}


def _journaled(
    row: Trajectory, turns: list[Turn], teacher: Teacher, rules: EnvRules, journal: Journal
) -> dict[int, Thought]:
    """The thoughts of a trajectory, from the journal where an earlier run wrote them."""
    asked = [str(turn.message_index) for turn in turns if turn.origin == "teacher"]
    seen = (row["trajectory_id"], row["content_hash"], row["tools"], canonical_json(asdict(rules)), ",".join(asked))
    key = hash128(*seen, teacher.name, teacher.prompt_version, TURN_RULE_VERSION)
    record = journal.get(key)
    if record is not None:
        return {int(index): Thought(text, tuple(sources)) for index, (text, sources) in record["thoughts"].items()}
    thoughts = write_thoughts(row, turns, teacher, rules)
    journal.add(key, {"thoughts": {str(index): [t.text, list(t.sources)] for index, t in thoughts.items()}})
    return thoughts


def _check(bounds: Bounds) -> None:
    if not 0 <= bounds.min_chars <= bounds.max_chars:
        raise UsageError(f"--min-chars {bounds.min_chars} must be between 0 and --max-chars {bounds.max_chars}")
