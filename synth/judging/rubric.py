"""A case as a judge model reads it, by the rubric in synth/prompts, and the score in what the model says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.judging.base import MOST_POINTS, Case
from synth.prompts.dialogue import guarded, shortened, shown_messages
from synth.prompts.files import prompt_file, prompt_version
from synth.prompts.fitting import fitted
from synth.teachers.asks import Prompt

DIALOGUE_CHARS = 16_000
"""Characters of the dialogue that are shown: its longest old tool results are shortened first."""
TEXT_CHARS = 8_000
"""Characters of the reference, of the candidate and of all facts that are shown."""
MOST_LINE = 120
"""A longer last line is no score."""
# Possessive, so that a hostile line costs linear time.
_SCORE = re.compile(
    r"[\s*_#>`\"'{(\[]*+(?:(?:the\s+)?(?:final\s+)?score\b[\s*_`\"']*+(?:[:=]|is\b)?[\s*_`\"']*+)?"
    r"(\d{1,3}(?:\.\d{1,3})?)"
    r"(?:\s*(?:/|out\s+of)\s*5(?:\.0)?)?(?:\s+points?)?[\s*_.`\"')}\]]*+",
    re.IGNORECASE,
)


def rubric_version() -> str:
    """Name of the rubric in data and keys, e.g. "judge-1.3fa9c1d2"."""
    return prompt_version("judge")


def judge_prompt(case: Case, failed: Sequence[str] = ()) -> Prompt:
    """The prompt that asks for a score.

    All but the last part are equal for all answers to one request.

    Args:
        case: what is judged.
        failed: codes of the last reply for this case, which held no score.
    """
    file = prompt_file("judge")
    given = [_message(name, text) for name, text in (("reference", case.reference), ("facts", _facts(case))) if text]
    asked = " and ".join(name for name, there in (("reference", case.reference), ("facts", case.facts)) if there)
    last = [_message("candidate", case.answer), file.sections[f"ask: {asked or 'nothing'}"]]
    if failed:
        last.append("\n".join([file.sections["failed"], *file.notes(failed)]))
    return Prompt(file.sections["instructions"], (_dialogue(case), *given, "\n\n".join(last)))


def read_points(said: str) -> float | None:
    """The points, 0 to 5, on the last line of a reply; None if there is no such number."""
    lines = said.strip().splitlines()
    line = lines[-1].strip() if lines else ""
    found = _SCORE.fullmatch(line) if len(line) <= MOST_LINE else None
    if found is None:
        return None
    points = float(found[1])
    return points if points <= MOST_POINTS else None


def _dialogue(case: Case) -> str:
    shown = [message for message in shown_messages(case.dialogue) if message is not None]
    whole = [message.text() for message in shown]
    if sum(len(text) + 2 for text in whole) > DIALOGUE_CHARS:
        whole = fitted(shown, DIALOGUE_CHARS)
    return "\n\n".join(["<dialogue>", *whole, "</dialogue>"])


def _facts(case: Case) -> str:
    return "\n".join(f"- {' or '.join(fact.split('|'))}" for fact in case.facts)


def _message(speaker: str, text: str) -> str:
    return f'<message from="{speaker}">\n{shortened(guarded(text), TEXT_CHARS)}\n</message>'
