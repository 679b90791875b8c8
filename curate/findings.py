"""What a search of a text for secrets and personal data gives: a kind, a place, and what may be shown of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import merge

SHOWN = 4
"""First characters that a masked value shows; of a short one a quarter."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a text, `text[start:end]`; `masked` is what may be shown of it."""

    kind: str
    start: int
    end: int
    masked: str


def masked(value: str) -> str:
    """What may be shown of a value: `ghp_... (40 characters)`."""
    return f"{value[: min(SHOWN, len(value) // 4)]}... ({len(value):,} characters)"


def apart(taken: list[Finding], found: Iterable[Finding]) -> list[Finding]:
    """Both lists by place, without the new findings that touch one that stood before; each is in order already."""
    fresh: list[Finding] = []
    at = 0
    for item in found:
        while at < len(taken) and taken[at].end <= item.start:
            at += 1
        if at == len(taken) or item.end <= taken[at].start:
            fresh.append(item)
    return list(merge(taken, fresh, key=lambda item: item.start)) if fresh else taken
