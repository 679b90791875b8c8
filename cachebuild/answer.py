"""What the cache says to a call: the result, how it was found, and how far to trust it."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple, TypeAlias, get_args

from curate.canonical import json_object

Tier: TypeAlias = Literal["exact", "normalised", "fuzzy", "best_effort", "unavailable", "simulated"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""From best to worst; the rollout keeps the worst one it met."""

Origin: TypeAlias = Literal["cache", "live", "joined", "simulator"]
"""Who answered: the cache, the live tool (joined: in a call that another session made), or a simulator."""

UNAVAILABLE = "cache_unavailable"


class Outcome(NamedTuple):
    """One of the results that were recorded for a key, how often, and where it was first recorded."""

    result: str
    count: int  # type: ignore[assignment]  # a tuple's method of this name is of no use here
    success: bool
    source_trajectory_id: str
    source_message_index: int


class Answer(NamedTuple):
    """The answer to one call.

    Attributes:
        result: the text for the tool message, byte for byte as recorded (a typed JSON error if unavailable).
        tier: how it was found.
        p: the probability, 0 to 1, that the live tool would have said the same.
        reason: one sentence for a person.
        failed: the recorded result was a failure, or there was none.
        matched_arguments: canonical arguments of the recorded call, None if unavailable.
        source_trajectory_id: where the result was recorded.
        source_message_index: the message of the recorded call.
        outcomes: all results recorded for the matched key, commonest first.
        origin: who answered.
    """

    result: str
    tier: Tier
    p: float
    reason: str
    failed: bool = False
    matched_arguments: str | None = None
    source_trajectory_id: str | None = None
    source_message_index: int | None = None
    outcomes: tuple[Outcome, ...] = ()
    origin: Origin = "cache"


def unavailable(tool: str, told: str, reason: str | None = None) -> Answer:
    """The typed answer where nothing recorded may be served.

    Args:
        tool: its name.
        told: why, as the agent reads it: nothing that was recorded of other calls.
        reason: why, as a person reads it; the same unless given.
    """
    error = {"type": UNAVAILABLE, "tool": tool, "message": f"No recorded result can be served: {told}."}
    return Answer(json.dumps({"error": error}), "unavailable", 0.0, told if reason is None else reason, failed=True)


def is_unavailable(text: str | None) -> bool:
    """Whether a tool result is the cache's own typed error and not something that a tool said."""
    if text is None or UNAVAILABLE not in text:
        return False
    error = (json_object(text) or {}).get("error")
    return isinstance(error, dict) and error.get("type") == UNAVAILABLE
