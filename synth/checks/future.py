"""What a thought holds that stands in later messages alone: values, and runs of words.

A place is the index of the first message that holds something: up to the turn it may be known, after it it cannot be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from synth.checks.computed import computed
from synth.checks.index import NEVER, RUN, RowIndex
from synth.checks.settings import CheckSettings
from synth.checks.values import Form, ThoughtText, Value, date_forms, days_beside, values_in
from synth.checks.words import number_of

RELATIVE = (
    *"today tomorrow yesterday tonight week month weekend".split(),
    *"monday tuesday wednesday thursday friday saturday sunday".split(),
)
"""Words from which a date can be counted."""


def peeked_values(
    thought: ThoughtText, index: RowIndex, message_index: int, settings: CheckSettings, other: RowIndex | None = None
) -> Iterator[Value]:
    """The values of a thought that later messages hold, that stand nowhere up to its turn, and follow from nothing.

    Args:
        thought: the thought.
        index: of its trajectory.
        message_index: of its turn.
        settings: from which size a value counts.
        other: another trajectory, whose later messages are asked instead.
    """
    shown: list[str] = []
    for value in values_in(thought, settings, index.years):
        seen = any(index.phrase(*form) <= message_index for form in (*value.forms, *value.loose))
        if not seen and any(_later(form, index, message_index, other) for form in value.forms):
            if value.kind == "number":
                seen = computed(value.forms[0].words[0], _numbers(thought, index, message_index, shown),
                                index.numbers_before(message_index))  # fmt: skip
                if seen:
                    shown.append(value.forms[0].words[0])
            elif value.day is not None:
                seen = _counted(value, index, message_index)
            if not seen:
                yield value


def _later(form: Form, index: RowIndex, message_index: int, other: RowIndex | None) -> bool:
    if other is None:
        return index.phrase(*form) < NEVER
    return other.last_phrase(*form) > message_index


def _numbers(thought: ThoughtText, index: RowIndex, message_index: int, shown: list[str]) -> list[str]:
    """The numbers that the thought names and may know, in their order."""
    numbers = [word for word in thought.words if not word.isalpha() and number_of(word) is not None]
    return [word for word in numbers if word in shown or len(word) < 3 or index.word(word) <= message_index]


def _counted(value: Value, index: RowIndex, message_index: int) -> bool:
    """Whether a date can be counted from another: the day beside a known one, or the user named a day by a word."""
    if any(index.first.get(word, NEVER) <= message_index for word in RELATIVE):
        return True
    assert value.day is not None
    years = (str(value.day.year),) if value.day.year > 4 else tuple(index.years)
    return any(
        index.phrase(*form) <= message_index for day in days_beside(value.day) for form in date_forms(day, years)[0]
    )


def copied_runs(
    thought: ThoughtText,
    places: Sequence[int],
    message_index: int,
    settings: CheckSettings,
    other: RowIndex | None = None,
) -> Iterator[str]:
    """Words in a row that later messages hold and none does up to the turn, where they are many enough.

    Args:
        thought: the thought.
        places: of its runs in its trajectory (`RowIndex.run_places`).
        message_index: of its turn.
        settings: how many are enough.
        other: another trajectory, whose later messages are asked instead.
    """
    words = thought.words
    if other is None:
        later = [message_index < place < NEVER for place in places]
    else:
        swapped = [other.last_runs.get(run, -1) > message_index for run in thought.runs]
        later = [place > message_index and found for place, found in zip(places, swapped, strict=True)]
    if True not in later:
        return
    first = None
    for at, found in enumerate([*later, False]):
        if found and first is None:
            first = at
        elif not found and first is not None:
            yield from _long_enough(words[first : at - 1 + RUN], settings)
            first = None


def _long_enough(words: list[str], settings: CheckSettings) -> Iterator[str]:
    text = " ".join(words)
    if len(words) >= settings.copy_words or len(text) >= settings.copy_chars:
        yield text
