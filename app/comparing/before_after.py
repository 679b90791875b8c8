"""What augmentation changed: each turn's text and thinking before and after, from two folders or from one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from curate.trajectory import Message, Thinking, Trajectory

Row: TypeAlias = Trajectory

ORIGINS = {
    "recorded": "the source recorded it",
    "wrapped": "the turn's own text, moved",
    "teacher": "a teacher wrote it",
    "rule": "a rule wrote it",
    "none": "there is none",
}
"""Where a thought came from, in words."""


@dataclass(frozen=True)
class Turn:
    """One assistant turn before and after.

    Attributes:
        at: message index.
        text: (before, after) of what the user reads.
        thinking: (before, after) of what it thinks.
        told: the entry of `thinking` after, None without one.
    """

    at: int
    text: tuple[str, str]
    thinking: tuple[str, str]
    told: Thinking | None

    @property
    def changed(self) -> bool:
        """Whether anything differs."""
        return self.text[0] != self.text[1] or self.thinking[0] != self.thinking[1]


def turns(before: Sequence[Message], after: Row) -> list[Turn]:
    """The assistant turns that both have, by message index.

    Args:
        before: messages of the trajectory before.
        after: its row after.
    """
    told = {entry["message_index"]: entry for entry in after["thinking"] or ()}
    found = []
    for at, (old, new) in enumerate(zip(before, after["messages"], strict=False)):
        if new["role"] == old["role"] == "assistant":
            text = (old["content"] or "", new["content"] or "")
            thinking = (old["reasoning_content"] or "", new["reasoning_content"] or "")
            found.append(Turn(at, text, thinking, told.get(at)))
    return found


def restored(after: Row) -> list[Message]:
    """The messages before augmentation, as far as the row tells: `thinking[].original` put back in its place."""
    messages = [message.copy() for message in after["messages"]]
    for entry in after["thinking"] or ():
        at = entry["message_index"]
        if not 0 <= at < len(messages):
            continue
        if entry["origin"] == "wrapped":
            messages[at]["content"], messages[at]["reasoning_content"] = entry["original"], None
        elif entry["origin"] != "recorded" or entry["teacher"] is not None:  # a think tool's thought was put there
            messages[at]["reasoning_content"] = entry["original"]
    return messages


def same_shape(before: Sequence[Message], after: Sequence[Message]) -> bool:
    """Whether calls and results are equal, byte for byte, so that only text and thinking can differ."""
    return len(before) == len(after) and all(_fixed(old) == _fixed(new) for old, new in zip(before, after, strict=True))


def _fixed(message: Message) -> tuple[object, ...]:
    said = None if message["role"] == "assistant" else message["content"]
    return message["role"], message["tool_calls"], message["tool_call_id"], said


def counted(found: Sequence[Turn]) -> dict[str, int]:
    """Turns, and of them those with a changed text or thinking, by where the thinking came from."""
    counts = {"turns": len(found), "text changed": sum(turn.text[0] != turn.text[1] for turn in found)}
    counts["thinking changed"] = sum(turn.thinking[0] != turn.thinking[1] for turn in found)
    for origin in _origins(found):
        counts[f"thinking {origin}"] = sum(turn.told is not None and turn.told["origin"] == origin for turn in found)
    return counts


def _origins(found: Sequence[Turn]) -> Iterator[str]:
    met = {turn.told["origin"] for turn in found if turn.told is not None}
    yield from (origin for origin in ORIGINS if origin in met)


def folders_after(frame: pl.DataFrame) -> list[str]:
    """Folders in which turns think, those of augmented trajectories first."""
    found = frame.lazy().filter((pl.col("table") == "trajectories") & (pl.col("thinking") > 0))
    kinds = found.group_by("folder", "kind", maintain_order=True).len().collect()
    order = kinds.with_columns((pl.col("kind").cast(pl.String) != "augmented").alias("later"))
    return [str(name) for name in order.sort("later", maintain_order=True)["folder"].cast(pl.String)]


def folders_before(frame: pl.DataFrame, after: str) -> list[str]:
    """Folders that hold trajectories of `after` too, the one that shares most first."""
    ids = frame.lazy().filter((pl.col("folder") == after) & pl.col("trajectory_id").is_not_null())
    others = frame.lazy().filter((pl.col("folder") != after) & (pl.col("table") == "trajectories"))
    shared = others.join(ids.select("trajectory_id").unique(), on="trajectory_id", how="semi")
    found = shared.group_by("folder", maintain_order=True).len().sort("len", descending=True, maintain_order=True)
    return [str(name) for name in found.collect()["folder"].cast(pl.String)]


def shared_traces(frame: pl.DataFrame, after: str, before: str | None) -> pl.Series:
    """Trajectory ids of `after`, those that `before` holds too if it is given, in the order of rows."""
    ids = frame.lazy().filter(
        (pl.col("folder") == after) & (pl.col("table") == "trajectories") & pl.col("trajectory_id").is_not_null()
    )
    if before is not None:
        held = frame.lazy().filter((pl.col("folder") == before) & (pl.col("table") == "trajectories"))
        ids = ids.join(held.select("trajectory_id").unique(), on="trajectory_id", how="semi", maintain_order="left")
    return ids.select("trajectory_id").collect()["trajectory_id"]
