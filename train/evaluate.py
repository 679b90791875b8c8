"""Evaluation of a checkpoint or a served model: `python -m train.evaluate --model PATH --on desk --out DIR`.

On the desk, a live world, held-out tasks are played, on the full one as dialogues with scripted users: a task is done
if the desk ends in the state it should and the answers hold what they must. On a dataset folder (`--on DATA`), user
turns are played and the calls compared with the recorded ones; there is no end state. Each task is tried several
times; intervals are by bootstrap over tasks. `python -m train.compare A B` says what has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from curate.cli import out, parse, run, say
from curate.errors import UsageError
from curate.trajectory import Trajectory
from train.alike import HINT, MANY, alike_share
from train.evaluate_settings import DESK, EvaluateSettings, Thinking
from train.settings import PROMPT_KINDS

if TYPE_CHECKING:
    from curate.folder import DatasetFolder
    from train.dialogue import Dialogue
    from train.speakers import Speaker


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate and print the figures."""
    settings = parse(EvaluateSettings, "python -m train.evaluate", __doc__ or "", argv)

    def command() -> int:
        from curate.report import text_table
        from train.evaluation_report import tables

        found = evaluate(settings)
        for _, table in tables(found.rows, settings.seed):
            out(text_table(*table) + "\n")
        if settings.out is not None:
            out(f"{settings.out}: {len(found.rows):,} episodes; {settings.out / 'report.html'}")
        return 0

    return run(command)


@dataclass
class Evaluation:
    """What was played: a row an episode, and the dialogues as trajectories."""

    rows: list[dict[str, Any]]
    trajectories: list[Trajectory]


def evaluate(settings: EvaluateSettings, speaker: Speaker | None = None) -> Evaluation:
    """Play the tasks, and write the folder if there is to be one.

    Args:
        settings: what is played.
        speaker: who plays; None for the model that the settings name.

    Raises:
        UsageError: for a model, folder or flag that cannot be right.
        UpToDate: if the folder holds what these settings give.
    """
    from curate.folder import DatasetFolder
    from train.evaluation_report import opened, write

    settings.check()
    data = None if settings.on == DESK else DatasetFolder.open(settings.on, kinds=PROMPT_KINDS)
    if settings.out is None:
        return _played(settings, data, speaker)
    with opened(settings, data) as writer:
        found = _played(settings, data, speaker)
        write(writer, found.rows, found.trajectories, settings)
    return found


def speaker_of(settings: EvaluateSettings) -> Speaker:
    """The model that the settings name."""
    from train.speakers import LocalSpeaker, ServedSpeaker

    return LocalSpeaker(settings) if settings.model is not None else ServedSpeaker(settings)


def _played(settings: EvaluateSettings, data: DatasetFolder | None, speaker: Speaker | None) -> Evaluation:
    from cachebuild import ToolCache
    from curate.progress import counting
    from train.desk import DeskDialogues
    from train.dialogue import play
    from train.recorded import RecordedTurns

    source = DeskDialogues(settings) if data is None else RecordedTurns(data, settings)
    path = settings.recorded.cache
    cache = None if path is None else ToolCache.open(path)
    speaker = speaker or speaker_of(settings)
    found = Evaluation([], [])
    for thinking in settings.modes:
        with counting(f"playing, earlier thinking {thinking}", unit="turn") as count:
            spoken = speaker.run(cache, kept=thinking == "kept", count=count)
            waiting = iter(source)
            while some := list(islice(waiting, speaker.at_once)):
                play(some, spoken, kept=thinking == "kept", most=settings.live.max_user_turns)
                _keep(found, some, thinking, speaker)
    _tell(found, settings)
    return found


def _keep(found: Evaluation, played: Sequence[Dialogue], thinking: Thinking, speaker: Speaker) -> None:
    from train.desk import judged
    from train.episode_rows import episode_row, episode_trajectory

    for dialogue in played:
        row = episode_row(dialogue, judged(dialogue), thinking, speaker.tokens)
        found.rows.append(row)
        found.trajectories.append(episode_trajectory(dialogue, row))


def _said(trajectories: Sequence[Trajectory]) -> list[list[str]]:
    """What the attempts at each task or turn said, as hashes."""
    tried: dict[tuple[str, str], list[str]] = {}
    for each in trajectories:
        tried.setdefault((each["task_id"], str(each["parent"])), []).append(each["content_hash"])
    return list(tried.values())


def _tell(found: Evaluation, settings: EvaluateSettings) -> None:
    """Say what a reader of the figures should know of; a run of nothing but crashes is no evaluation."""
    crashed = [row for row in found.rows if row["status"] == "crashed"]
    if len(crashed) == len(found.rows):
        raise UsageError(f"all {len(crashed):,} episodes crashed, the first with {crashed[0]['error']}")
    if crashed:
        say(f"note: {len(crashed):,} of {len(found.rows):,} episodes crashed, the first with {crashed[0]['error']}")
    served = settings.model is None
    if served and settings.speech.temperature and (alike := alike_share(_said(found.trajectories))) > MANY:
        say(
            f"note: the attempts at {alike:.0%} of the tasks are the same, word for word: the server may not sample "
            f"({HINT})"
        )


if __name__ == "__main__":
    raise SystemExit(main())
