"""The command `python -m curate.intake`: say of each trajectory at once whether one like it was accepted before."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING

from curate.cli import out, parse, run, say
from curate.errors import InputError, UsageError
from curate.intake.settings import Settings, check_name

if TYPE_CHECKING:
    from curate.intake.index import IntakeIndex, Seen
    from curate.intake.outbox import Outbox
    from curate.intake.reading import Read
    from curate.normalise import Input

ENVIRONMENT = "CACHERL_INDEX"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments; None takes those of the process.

    Returns:
        The exit code: 0; 2 for a setting, a path or an input that cannot be right, or a server that does not answer;
        130 when interrupted.
    """
    description = cleandoc(Settings.__doc__ or "").partition("\n\nAttributes:")[0]
    settings = parse(Settings, "python -m curate.intake", description, argv)
    return run(lambda: _take_in(settings))


def _take_in(settings: Settings) -> int:
    from curate.settings import CurateSettings, resolve_inputs

    check_name(settings.name)
    _check_out(settings.out)
    if settings.input.env_rules is not None:
        raise UsageError("--env-rules says nothing here: no filter is run; leave it out")
    url = settings.index or os.environ.get(ENVIRONMENT, "")
    if not url:
        raise UsageError(f"--index is needed, e.g. redis://127.0.0.1:6379/0, or the environment's {ENVIRONMENT}")
    inputs = resolve_inputs(CurateSettings(inputs=settings.inputs, out=settings.out, input=settings.input))

    from curate.intake.index import IntakeIndex

    index = IntakeIndex.open(url, settings.name, settings.threshold, settings.permutations, settings.view)
    with ExitStack() as files:
        intake = _Intake(index, settings, files)
        for given in inputs:
            intake.take_in(given)
    for line in intake.summary():
        out(line)
    out(f"the index {settings.name} holds {len(index)} trajectories")
    return 0


def _check_out(path: Path) -> None:
    if path.suffix in (".jsonl", ".ndjson"):
        if path.is_dir():
            raise UsageError(f"--out {path} is a folder with the name of a file")
    elif path.suffix or path.is_file():
        raise UsageError(f"--out {path}: lines are appended to a plain .jsonl file, or to the files of a folder")
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: there is no folder {path.parent}")


@dataclass
class _Intake:
    """One run: the index, the files that are written, and the counts."""

    index: IntakeIndex
    settings: Settings
    files: ExitStack
    outboxes: dict[str, Outbox] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def take_in(self, given: Input) -> None:
        """Offer the records of one input."""
        from curate.intake.reading import read

        try:
            name, records = read(given)
            for record in records:
                self._say(record.place, self._offered(record, name))
        except InputError as error:
            if not self.settings.input.skip_bad_files:
                raise
            say(f"warning: {error.fact}; the rest of it is left out")

    def summary(self) -> list[str]:
        """The counts, for people."""
        counts = self.counts
        lines = [
            f"{counts.total()} records: {counts['new']} new, {counts['duplicate']} duplicates, "
            f"{counts['accepted before']} accepted before, {counts['rejected']} rejected"
        ]
        return lines + [f"  rejected {count} for {reason}" for reason, count in sorted(self.reasons.items())]

    def _offered(self, record: Read, name: str) -> str:
        if record.row is None:
            reason = record.error.reason if record.error else "unknown"
            self._count("rejected")
            self.reasons[reason] += 1
            return f"rejected ({reason})"
        outbox = self._outbox(name)
        seen = self.index.offer(record.row, also=outbox.posting(record.line))
        if seen is None:
            outbox.posted(record.line)
            self._count("new")
            return f"new {record.row['trajectory_id']}"
        return self._known(seen)

    def _known(self, seen: Seen) -> str:
        if seen.jaccard is None:
            self._count("accepted before")
            return f"accepted before as {seen.trajectory_id}"
        self._count("duplicate")
        return f"duplicate of {seen.trajectory_id} (Jaccard {seen.jaccard:.4f})"

    def _count(self, what: str) -> None:
        self.counts[what] += 1

    def _say(self, place: str, what: str) -> None:
        if not self.settings.quiet:
            out(f"{place}: {what}")
            sys.stdout.flush()  # who reads along learns of each record at once

    def _outbox(self, name: str) -> Outbox:
        """Where records of a format go: a file holds one format, so that it can be read again."""
        from curate.intake.outbox import Outbox

        if name not in self.outboxes:
            self.outboxes[name] = self.files.enter_context(Outbox.open(self.index, self._path(name)))
        return self.outboxes[name]

    def _path(self, name: str) -> Path:
        path = self.settings.out
        if path.suffix:
            if self.outboxes:
                raise UsageError(
                    f"--out {path} takes records of one format, and these are {', '.join(self.outboxes)} and {name}; "
                    "name a folder instead, which gets a file a format"
                )
            return path
        path.mkdir(exist_ok=True)
        return path / f"{name}.jsonl"


if __name__ == "__main__":
    raise SystemExit(main())
