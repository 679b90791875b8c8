"""A dialogue that a model went on with, as a trajectory of the one schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.canonical import compact_json
from curate.trajectory import Evidence, Message, Trajectory, rehash


def gone_on(
    row: Trajectory,
    before: int,
    said: Sequence[Message],
    evidence: Sequence[Evidence],
    told: Mapping[str, Any],
    **new: Any,
) -> Trajectory:
    """The row with what was said behind its first messages, which are not trained on.

    Args:
        row: the dialogue as it was before.
        before: messages of it that stay.
        said: what was said since.
        evidence: one a call; message indices count from the first of `said`.
        told: its metadata.
        new: values of other columns: trajectory_id, source, trial, reward, parent.
    """
    history = [message | {"train": False} for message in row["messages"][:before]]
    moved = [step | {"message_index": step["message_index"] + before} for step in evidence]
    made = dict(row) | {
        "source_row": 0,
        "messages": [*history, *said],
        "thinking": [],
        "evidence": moved,
        "metadata": compact_json(told),
        **new,
    }
    return rehash(Trajectory(**made))  # type: ignore[typeddict-item]
