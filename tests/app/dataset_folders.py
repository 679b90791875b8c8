"""Dataset folders and models as small as a test needs them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from curate.folder import FolderWriter
from curate.manifest import Manifest
from curate.schema import REJECT, TRAJECTORY
from curate.trajectory import Message, Trajectory, trajectory_of


def message(role, content=None, *calls, **given) -> Message:
    """A message; a call is (tool, arguments as text)."""
    made = [
        {"id": f"c{n}", "name": name, "arguments": text, "args_status": "json"} for n, (name, text) in enumerate(calls)
    ]
    empty = dict.fromkeys(Message.__annotations__)
    return Message(**(empty | {"role": role, "content": content, "tool_calls": made, "train": False} | given))


def row(name, *messages, **given) -> Trajectory:
    """A trajectory with this id."""
    place = {"source": "made", "env_id": "shop", "task_id": f"task-{name}"}
    return trajectory_of(name, list(messages), **(place | given))


def order(number, **given) -> Trajectory:
    """A question about an order, a call, its result, an answer."""
    return row(
        f"order-{number}",
        message("user", f"Where is\n order  {number}?"),
        message("assistant", None, ("get_order", json.dumps({"id": number}))),
        message("tool", f'{{"order": {number}, "status": "sent"}}'),
        message("assistant", f"Order {number} was sent."),
        **given,
    )


def reject(step, reason, trajectory=None, **given) -> dict:
    """A reject; without a trajectory one of which only the bytes are known."""
    empty = {name: None for name in TRAJECTORY.names} | {"source": "made", "raw": b"{"}
    return (trajectory or empty) | {"reject_step": step, "reject_reason": reason, "reject_detail": "seen"} | given


def write_folder(out: Path, rows, rejects=None, kind="curated", **settings) -> Path:
    """A dataset folder with these rows; several lists of rows are several row groups."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with FolderWriter(out, Manifest(kind, "test", settings, [])) as writer:
        writer.table("trajectories", TRAJECTORY).write(rows)
        if rejects is not None:
            writer.table("rejects", REJECT).write(rejects)
    return out


def write_model(out: Path, rollouts=None) -> Path:
    """The folder of a trained model, with its rollouts if there are some."""
    out.mkdir(parents=True)
    (out / "training.json").write_text(json.dumps({"identity": "abc"}))
    pl.DataFrame({"step": [1, 2], "loss": [0.5, 0.4]}).write_parquet(out / "metrics.parquet")
    if rollouts is not None:
        write_folder(out / "rollouts", rollouts, kind="rollouts")
    return out
