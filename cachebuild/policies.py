"""The user's word on one tool: which tiers may answer for it, and from which p on; `TOOL=TIER,TIER@P` as text.

`ENV/TOOL` names the tool of one env alone. Names are looked up and never taken apart, so they may hold any sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from curate.errors import UsageError

SERVED = ("exact", "normalised", "fuzzy", "best_effort")
"""The tiers that serve a recorded result."""
EVERY_OTHER = "*"
_FOR_WRITES = frozenset(("exact", "normalised"))


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """What may answer for one tool.

    Attributes:
        tiers: those that may; None for those that compile found fit.
        lowest_p: an answer below is not served.
    """

    tiers: frozenset[str] | None = None
    lowest_p: float = 0.0

    def allowed(self, kind: str, found: frozenset[str]) -> frozenset[str]:
        """The tiers that may answer; that no write is answered by another write's result holds whatever was said."""
        if self.tiers is None:
            return found
        return self.tiers & _FOR_WRITES if kind == "write" else self.tiers


Policies: TypeAlias = Mapping[str, ToolPolicy]

NO_POLICY = ToolPolicy()


def policy_of(policies: Policies, env_id: str, tool: str) -> ToolPolicy:
    """The policy of a tool: that of `ENV/TOOL`, else of `TOOL`, else of `ENV/*`, else of `*`."""
    found = (policies.get(name) for name in names_of(env_id, tool))
    return next((policy for policy in found if policy is not None), NO_POLICY)


def names_of(env_id: str, tool: str) -> tuple[str, str, str, str]:
    """What a policy may call a tool, the closest name first."""
    return f"{env_id}/{tool}", tool, f"{env_id}/{EVERY_OTHER}", EVERY_OTHER


def read_policies(words: Iterable[str]) -> dict[str, ToolPolicy]:
    """Policies by name from texts like `get_quote=exact,normalised@.9`; tiers or P may be left out, not both.

    Raises:
        UsageError: naming the text that is wrong.
    """
    found: dict[str, ToolPolicy] = {}
    for word in words:
        tool, _, policy = word.strip().rpartition("=")
        if not tool or not policy:
            raise UsageError(
                f"--policies {word!r}: must read TOOL=TIER,TIER@P or ENV/TOOL=..., e.g. get_quote=exact@.9"
            )
        if tool in found:
            raise UsageError(f"--policies names {tool} twice")
        tiers, at, lowest = policy.partition("@")
        found[tool] = ToolPolicy(_tiers(word, tiers), _lowest(word, lowest) if at else 0.0)
    return found


def _tiers(word: str, text: str) -> frozenset[str] | None:
    """The named tiers; "none" is none of them: the tool is never answered from the cache."""
    if not text:
        return None
    tiers = frozenset(name.strip() for name in text.split(",")) - {""}
    if tiers == {"none"}:
        return frozenset()
    unknown = sorted(tiers - set(SERVED))
    if unknown:
        raise UsageError(f"--policies {word!r}: no tier {unknown[0]!r}; known are {', '.join(SERVED)}, or none alone")
    if "best_effort" in tiers and "fuzzy" not in tiers:
        raise UsageError(f"--policies {word!r}: best_effort goes with fuzzy, which is the better answer; name both")
    return tiers


def _lowest(word: str, text: str) -> float:
    try:
        lowest = float(text)
    except ValueError as error:
        raise UsageError(f"--policies {word!r}: {text!r} behind the @ is no number") from error
    if not 0 <= lowest <= 1:
        raise UsageError(f"--policies {word!r}: the lowest p must be between 0 and 1, not {lowest}")
    return lowest
