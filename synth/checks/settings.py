"""Thresholds of the checks, as flags."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckSettings:
    """What a written thought must not do.

    Attributes:
        min_chars: shorter thoughts fail.
        max_chars: longer thoughts fail.
    """

    min_chars: int = 40
    max_chars: int = 4000
