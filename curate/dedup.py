"""Exact duplicates: the same dialogue recorded twice, whatever its call ids; near-duplicates build on this file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from curate.canonical import canonical_json, hash128
from curate.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row that passed the filters, as far as duplicates are concerned; `index` is its place in the input."""

    index: int
    trajectory_id: str
    key: str
    reward: float | None


def exact_key(row: Trajectory) -> str:
    """Equal for two rows exactly if they say and call the same in the same world, ids of calls aside."""
    said = [
        [
            message["role"],
            message["content"],
            message["content_json"],
            message["reasoning_content"],
            [[call["name"], call["arguments"]] for call in message["tool_calls"]],
        ]
        for message in row["messages"]
    ]
    return hash128(row["env_id"], row["initial_state_id"] or "", canonical_json(said))


def exact_duplicates(candidates: Iterable[Candidate]) -> dict[int, str]:
    """Which rows go, and for the sake of which one.

    Returns:
        index -> trajectory_id of the row that is kept: the one with the best reward, then the first.
    """
    kept: dict[str, Candidate] = {}
    clusters: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        clusters.setdefault(candidate.key, []).append(candidate)
        best = kept.get(candidate.key)
        if best is None or _outcome(candidate) > _outcome(best):
            kept[candidate.key] = candidate
    return {
        member.index: kept[key].trajectory_id
        for key, members in clusters.items()
        for member in members
        if member.index != kept[key].index
    }


def _outcome(candidate: Candidate) -> float:
    return float("-inf") if candidate.reward is None else candidate.reward
