"""Refusals of the model itself ("As an AI ...", "I can't assist with that."), told from an agent's businesslike no.

A shop's agent says no all day, with a reason: "I cannot cancel this order because it was delivered". That is the task
done well. A refusal names the model or its rules, or is the canned sentence alone: no object of its own, no reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from curate.filters.base import Context, View
from curate.filters.refusal_phrases import ANYWHERE, GATES, OPENING, Phrase

LONGEST_CANNED = 200
"""Characters of a canned refusal with its usual tail ("Is there anything else?"); a longer text gives reasons."""


def refusal(view: View, context: Context) -> str | None:
    """Assistant turns that refuse as a model; a no for a reason of the agent's policy, or a transfer, is none."""
    said = _plain(view.spoken_text)
    if not any(map(said.__contains__, GATES)):
        return None
    anywhere, opening = list(_possible(ANYWHERE, said)), list(_possible(OPENING, said))
    if not anywhere and not opening:
        return None
    found = [
        (at, words) for at, text in view.spoken if (words := _refuses(_plain(text), anywhere, opening)) is not None
    ]
    if len(found) <= context.settings.content.max_refusals:
        return None
    return f"message {found[0][0]}: {found[0][1][:80]!r}" + (f", {len(found)} turns in all" if found[1:] else "")


def _refuses(text: str, anywhere: list[Phrase], opening: list[Phrase]) -> str | None:
    text = text.strip()
    matches = chain(
        (pattern.match(text) for _, pattern in opening if len(text) <= LONGEST_CANNED),
        (pattern.search(text) for _, pattern in anywhere),
    )
    return next((match[0].strip() for match in matches if match is not None), None)


def _possible(phrases: Iterable[Phrase], said: str) -> Iterable[Phrase]:
    return (phrase for phrase in phrases if any(gate in said for gate in phrase[0]))


def _plain(text: str) -> str:
    return text.replace("\u2019", "'")
