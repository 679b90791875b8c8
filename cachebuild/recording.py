"""Record mode: what live tools and simulators said, one rollout a line; `python -m cachebuild.recording LOG --out DIR`.

A line holds the writes of the session before the call, marked as evidence, and the call with its answer, so that
`python -m cachebuild DIR` finds the same state again. What a simulator said stays marked, and compile leaves it out.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from tyro.conf import Positional

from curate.canonical import canonical_json, hash128
from curate.cli import out, parse, run

if TYPE_CHECKING:
    from cachebuild.answer import Answer
    from cachebuild.lookup import Query
    from curate.trajectory import Message, Trajectory


@dataclass(frozen=True)
class RecordingSettings:
    """Settings of `python -m cachebuild.recording`.

    Attributes:
        logs: files that a `Recorder` wrote.
        out: the rollouts folder to write.
        split: what the recorded calls are for.
        env_rules: YAML file env -> rules, kept for compile.
        overwrite: replace OUT.
    """

    logs: Positional[tuple[Path, ...]]
    out: Path
    split: str = "train"
    env_rules: Path | None = None
    overwrite: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Turn the logs into a rollouts folder and say what is in it."""
    settings = parse(RecordingSettings, "python -m cachebuild.recording", __doc__ or "", argv)

    def command() -> int:
        written, damaged = pack(settings)
        out(f"{settings.out}: {written:,} recorded calls; {damaged:,} damaged lines were left out")
        return 0

    return run(command)


class Recorder:
    """Appends to a log that any number of threads and processes may share; a line is there whole or cut at its end."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def add(self, query: Query, answer: Answer, before: Sequence[Message], turn: Sequence[Message]) -> None:
        """Append one answer of a live tool or a simulator; others are passed over.

        Args:
            query: the call.
            answer: to it.
            before: the calls and results of the session's writes before the turn.
            turn: the call and its result, as messages.
        """
        if answer.origin not in ("live", "simulator"):
            return
        line = {
            "env_id": query.env_id,
            "initial_state_id": query.initial_state_id,
            "task_id": query.task_id,
            "origin": answer.origin,
            "reason": answer.reason,
            "before": list(before),
            "turn": list(turn),
        }
        self._append(canonical_json(line).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "r+b", buffering=0) as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            size = log.seek(0, os.SEEK_END)
            cut_off = size > 0 and os.pread(log.fileno(), 1, size - 1) != b"\n"
            rest = memoryview(b"\n" + line if cut_off else line)
            while rest:
                rest = rest[log.write(rest) or 0 :]


def pack(settings: RecordingSettings) -> tuple[int, int]:
    """Write the logs as a rollouts folder; returns (calls written, lines that are damaged).

    Raises:
        UsageError: for a wrong path, split or rule.
    """
    from curate.env import load_env_rules
    from curate.errors import UsageError
    from curate.folder import FolderWriter, Manifest, sha256_file
    from curate.schema import TRAJECTORY
    from curate.trajectory import SPLITS

    if settings.split not in SPLITS:
        raise UsageError(f"--split {settings.split}: no such split; known are {', '.join(SPLITS)}")
    for path in settings.logs:
        if not path.is_file():
            raise UsageError(f"{path} is no file")
    rules = {env_id: vars(rule) for env_id, rule in sorted(load_env_rules(settings.env_rules).items())}
    inputs = [
        {"kind": "file", "name": path.name, "sha256": sha256_file(path), "bytes": path.stat().st_size}
        for path in settings.logs
    ]
    manifest = Manifest("rollouts", "cachebuild.recording", {"env_rules": rules, "split": settings.split}, inputs)
    written, damaged = 0, 0
    with FolderWriter(settings.out, manifest, overwrite=settings.overwrite, reads=settings.logs) as writer:
        table, seen = writer.table("trajectories", TRAJECTORY), dict[str, int]()
        for line in _lines(settings.logs):
            try:
                row = _row(orjson.loads(line), settings.split, written, seen)
            except (ValueError, KeyError, TypeError):
                damaged += 1
                continue
            table.write([row])
            written += 1
        writer.count(trajectories=written, damaged_lines=damaged)
    return written, damaged


def _lines(logs: Sequence[Path]) -> Iterator[bytes]:
    for path in logs:
        with path.open("rb") as log:
            yield from log


def _row(record: dict[str, Any], split: str, number: int, seen: dict[str, int]) -> Trajectory:
    """One line as a trajectory; equal lines are equal calls made again, so their ids are numbered."""
    from curate.pairing import mark_pairs
    from curate.trajectory import trajectory_of

    messages = [*record["before"], *record["turn"]]
    last = len(record["before"])
    name = hash128("recording", canonical_json(record))
    seen[name] = seen.get(name, 0) + 1
    task_id = record["task_id"] or "auto:" + name[:16]
    evidence = [
        _evidence(pair.message_index, pair.call_index, record)
        for pair in mark_pairs(messages)
        if pair.message_index < last or record["origin"] == "simulator"
    ]
    return trajectory_of(
        name if seen[name] == 1 else f"{name}#{seen[name]}",
        messages,
        source=f"recorded {record['origin']}",
        env_id=record["env_id"],
        task_id=task_id,
        source_row=number,
        initial_state_id=record["initial_state_id"],
        trial=-1,
        task_group=f"{record['env_id']}/{task_id}",
        tools="",
        tools_inferred=True,
        split=split,
        evidence=evidence,
    )


def _evidence(message_index: int, call_index: int, record: dict[str, Any]) -> dict[str, Any]:
    simulated = record["origin"] == "simulator"
    return {
        "message_index": message_index,
        "call_index": call_index,
        "tier": "simulated" if simulated else "exact",
        "p": 0.0 if simulated else 1.0,
        "reason": record["reason"] if simulated else "a write before the recorded call",
    }


if __name__ == "__main__":
    raise SystemExit(main())
