"""The checker: did the world end as it should, and does the answer hold the facts it must?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curate.sandbox.tasks import Task
from curate.sandbox.world import Change

_AMOUNT = re.compile(r"\d+\.\d\d")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the checker found.

    Args:
        reward: 1.0 if the end state is right and no fact is missing, else 0.0.
        state_ok: whether the world ended as after the gold calls.
        facts_found: the required facts that the answer holds.
        facts_missing: those it does not.
    """

    reward: float
    state_ok: bool
    facts_found: tuple[str, ...]
    facts_missing: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The parts as plain JSON values."""
        return {
            "state_ok": self.state_ok,
            "facts_found": list(self.facts_found),
            "facts_missing": list(self.facts_missing),
        }


def has_fact(text: str, fact: str) -> bool:
    """Whether a text says a fact.

    Args:
        text: what the agent said.
        fact: a word or value; `a|b` means either. Amounts are compared as numbers, all else without case.

    Returns:
        True if the fact stands in the text, not as part of a longer word.
    """
    for each in fact.split("|"):
        if _AMOUNT.fullmatch(each):
            if any(abs(float(found.replace(",", "")) - float(each)) < 0.005 for found in _NUMBER.findall(text)):
                return True
        elif _stands_in(text.lower(), each.lower()):
            return True
    return False


def _stands_in(text: str, word: str) -> bool:
    place = text.find(word)
    while place >= 0:
        end = place + len(word)
        if not text[max(0, place - 1) : place].isalnum() and not text[end : end + 1].isalnum():
            return True
        place = text.find(word, place + 1)
    return False


def check(task: Task, world_end: Mapping[str, Change | None], final_text: str) -> CheckResult:
    """Judge an episode.

    Args:
        task: what was to be done.
        world_end: the world's `end_state()` after the episode.
        final_text: what the agent told the user; of a dialogue, all its messages without a call, joined.

    Returns:
        The reward and its parts.
    """
    state_ok = dict(world_end) == dict(task.expected_end)
    missing = tuple(fact for fact in task.required_facts if not has_fact(final_text, fact))
    found = tuple(fact for fact in task.required_facts if fact not in missing)
    return CheckResult(float(state_ok and not missing), state_ok, found, missing)
