"""Which trajectories are turned away: one named predicate a reason, each says what it found and where."""

from __future__ import annotations

from collections.abc import Collection

from curate.filters.base import Context, Predicate, View, view_of
from curate.filters.grounding import ungrounded_arguments
from curate.filters.invalid import invalid_arguments, unknown_tool
from curate.filters.languages import language
from curate.filters.leaks import leaked_thinking
from curate.filters.privacy import secret
from curate.filters.quality import below_outcome, low_quality
from curate.filters.refusals import refusal
from curate.filters.settings import ContentSettings, FilterSettings, QualitySettings
from curate.filters.structure import (
    call_loop,
    empty,
    error_only,
    incomplete,
    no_tool_call,
    too_long,
    too_short,
    truncated,
    unpaired_calls,
    unparsed_arguments,
)
from curate.trajectory import Trajectory

__all__ = [
    "first_failure",
    "judged",
    "view_of",
    "PREDICATES",
    "NEEDS_EVIDENCE",
    "FilterSettings",
    "ContentSettings",
    "QualitySettings",
    "Context",
    "Predicate",
    "View",
]

PREDICATES: dict[str, Predicate] = {
    "empty": empty,
    "too_short": too_short,
    "too_long": too_long,
    "no_tool_call": no_tool_call,
    "truncated": truncated,
    "unpaired_calls": unpaired_calls,
    "unparsed_arguments": unparsed_arguments,
    "unknown_tool": unknown_tool,
    "invalid_arguments": invalid_arguments,
    "error_only": error_only,
    "call_loop": call_loop,
    "incomplete": incomplete,
    "below_outcome": below_outcome,
    "low_quality": low_quality,
    "leaked_thinking": leaked_thinking,
    "refusal": refusal,
    "language": language,
    "ungrounded_arguments": ungrounded_arguments,
    "secret": secret,
}
"""Reason -> predicate, in the order of the funnel: the structure first, then the texts."""

NEEDS_EVIDENCE = frozenset({"invalid_arguments"})
"""Predicates that judge a row without recorded tools by the calls of all rows of its env."""


def first_failure(row: Trajectory, context: Context, without: Collection[str] = ()) -> tuple[str, str] | None:
    """The first predicate that turns the row away, as (reason, detail); None if it is kept.

    Args:
        row: as the reader made it.
        context: thresholds, and what is known beside the row.
        without: predicates that are left out, e.g. `NEEDS_EVIDENCE` before all rows were read.
    """
    return judged(view_of(row, context.rules), context, without)


def judged(view: View, context: Context, without: Collection[str] = ()) -> tuple[str, str] | None:
    """As `first_failure`, of a row whose view is wanted for more."""
    for reason, predicate in PREDICATES.items():
        if reason not in without:
            detail = predicate(view, context)
            if detail is not None:
                return reason, detail
    return None
