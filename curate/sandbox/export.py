"""Episodes into one JSONL file that appears whole or not at all, and the few figures that sum it up."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from curate.atomic import writing
from curate.errors import UsageError
from curate.sandbox.recording import record
from curate.sandbox.skills import SKILLS

_GZIP_LEVEL = 4


@dataclass(slots=True)
class Summary:
    """What a recording holds.

    Args:
        path: the file.
        episodes: how many records.
        calls: tool calls in all.
        tasks: ids of the tasks.
        states: ids of the start states.
        rewards: sum of rewards and number of episodes, by skill.
    """

    path: Path
    episodes: int = 0
    calls: int = 0
    tasks: set[str] = field(default_factory=set)
    states: set[str] = field(default_factory=set)
    rewards: dict[str, tuple[float, int]] = field(default_factory=dict)

    def add(self, episode: dict[str, Any]) -> None:
        """Count one record."""
        self.episodes += 1
        self.calls += sum(message["role"] == "tool" for message in episode["messages"])
        self.tasks.add(episode["task_id"])
        self.states.add(episode["initial_state_id"])
        skill = episode["metadata"]["skill"]
        total, count = self.rewards.get(skill, (0.0, 0))
        self.rewards[skill] = (total + episode["reward"], count + 1)

    def text(self) -> str:
        """The summary as lines to print."""
        head = f"{self.path}: {self.episodes} episodes, {len(self.tasks)} tasks, {len(self.states)} start states"
        total = sum(value for value, _ in self.rewards.values())
        lines = [f"{head}, {self.calls} calls, mean reward {total / max(1, self.episodes):.3f}"]
        for skill in SKILLS:
            if skill in self.rewards:
                value, count = self.rewards[skill]
                lines.append(f"  {skill:8} {count:7} episodes, mean reward {value / count:.3f}")
        return "\n".join(lines) + "\n"


def export(
    path: Path,
    episodes: int,
    seed: int = 0,
    preset: str = "full",
    *,
    tasks_per_state: int = 50,
    trials: int = 3,
    skills: tuple[str, ...] = (),
    first_state: int = 0,
    overwrite: bool = False,
) -> Summary:
    """Record episodes into a file.

    Args:
        path: where to; `.jsonl` or `.jsonl.gz`.
        episodes: how many.
        seed: of the run; the same settings give the same bytes.
        preset: `full` or `mini`.
        tasks_per_state: how many tasks share a start state.
        trials: attempts at each task.
        skills: names of the agents that play; none for all.
        first_state: number of the run's first start state.
        overwrite: replace a file that exists.

    Returns:
        The figures of what was written.

    Raises:
        UsageError: the path or a setting cannot be right, or the disk is full.
    """
    _check_path(path, overwrite)
    rows = record(
        episodes,
        seed,
        preset,
        tasks_per_state=tasks_per_state,
        trials=trials,
        skills=skills,
        first_state=first_state,
    )
    summary = Summary(path)

    def write(stream: IO[bytes]) -> None:
        for row in rows:
            summary.add(row)
            stream.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    with writing(path):
        _write_whole(path, write)
    return summary


def _check_path(path: Path, overwrite: bool) -> None:
    """Refuse a path that cannot or must not be written."""
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        raise UsageError(f"{path} ends neither in .jsonl nor in .jsonl.gz; name the file so")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; choose another name or pass --overwrite")
    if not path.parent.is_dir():
        raise UsageError(f"the folder {path.parent} does not exist; make it first")


def _write_whole(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file under another name in the same folder, and rename it when it is whole."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise UsageError(f"cannot write in {path.parent}: {error.strerror}; choose another folder") from error
    try:
        with os.fdopen(handle, "wb") as raw:
            if path.name.endswith(".gz"):
                with (
                    gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=raw, mtime=0) as packed,
                    io.BufferedWriter(packed, 1 << 20) as stream,
                ):
                    write(stream)
            else:
                write(raw)
            raw.flush()
            os.fsync(raw.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
