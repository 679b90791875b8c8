"""What stands where in a trajectory: the first message that holds a word, a run of words, or a phrase."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import chain, repeat
from typing import TypeAlias

from curate.trajectory import Message, Trajectory
from synth.checks.words import standing_words, words_of

Run: TypeAlias = tuple[str, ...]
RUN = 5
"""Words of the runs that are looked up."""
MOST_YEARS = 24
NEVER = 1 << 40
"""The place of what stands nowhere; larger than any message index."""


class Standing:
    """What stands from the start: a system message, or the tools."""

    def __init__(self, text: str) -> None:
        words = standing_words(text)
        self.words = frozenset(words)
        self.joined = f" {' '.join(words)} "
        self.runs = frozenset(runs_of(words))
        self.years = [word for word in self.words if is_year(word)]


_standing = lru_cache(maxsize=32)(Standing)


class RowIndex:
    """The words of a row's messages; all but the list of words is made when it is first asked for.

    Args:
        row: the trajectory; its first system messages and its tools stand from the start.
    """

    def __init__(self, row: Trajectory) -> None:
        messages = row["messages"]
        head = 0
        while head < len(messages) and messages[head]["role"] in ("system", "developer"):
            head += 1
        self.standing = [_standing(row["tools"])]
        self.standing += [_standing(text) for message in messages[:head] for text in texts_of(message)]
        self._numbers: tuple[int, list[str]] | None = None
        self._lists = [
            list(chain.from_iterable(map(words_of, texts_of(message)))) if at >= head else []
            for at, message in enumerate(messages)
        ]

    @cached_property
    def first(self) -> dict[str, int]:
        """Word -> index of the first message that holds it."""
        return _places(reversed(list(enumerate(self._lists))))

    @cached_property
    def last(self) -> dict[str, int]:
        """Word -> index of the last message that holds it."""
        return _places(enumerate(self._lists))

    @cached_property
    def first_runs(self) -> dict[Run, int]:
        """Run of words -> index of the first message that holds it; runs do not reach from message to message."""
        return _run_places(reversed(list(enumerate(self._lists))))

    @cached_property
    def last_runs(self) -> dict[Run, int]:
        """Run of words -> index of the last message that holds it."""
        return _run_places(enumerate(self._lists))

    def word(self, word: str) -> int:
        """The first message that holds a word; -1 if it stands from the start."""
        for known in self.standing:
            if word in known.words:
                return -1
        return self.first.get(word, NEVER)

    def run_places(self, runs: Sequence[Run]) -> list[int]:
        """Of each run of `RUN` words the first message that holds it; -1 if it stands from the start."""
        first, standing = self.first_runs, [known.runs for known in self.standing]
        places = [first.get(run, NEVER) for run in runs]
        for known in standing:
            if not known.isdisjoint(runs):
                places = [-1 if run in known else place for run, place in zip(runs, places, strict=True)]
        return places

    def phrase(self, words: Sequence[str], open_end: bool = False) -> int:
        """The first message that holds words in this order; -1 if they stand from the start.

        Args:
            words: of the phrase.
            open_end: whether letters may follow the last word: `26` of a date is also in `26T14:00`.
        """
        if len(words) == 1 and not open_end:
            return self.word(words[0])
        text = " " + " ".join(words) + ("" if open_end else " ")
        for known in self.standing:
            if words[0] in known.words and text in known.joined:
                return -1
        known_words = words[:-1] if open_end else words
        if any(word not in self.first for word in known_words):
            return NEVER
        joined, starts = self._joined
        at = joined.find(text)
        while open_end and at >= 0 and joined[at + len(text) : at + len(text) + 1].isdigit():
            at = joined.find(text, at + 1)
        return bisect_right(starts, at) - 1 if at >= 0 else NEVER

    def last_phrase(self, words: Sequence[str], open_end: bool = False) -> int:
        """The last message that holds words in this order, -1 if none does; what stands from the start is not asked."""
        if len(words) == 1 and not open_end:
            return self.last.get(words[0], -1)
        joined, starts = self._joined
        at = joined.rfind(" " + " ".join(words) + ("" if open_end else " "))
        return bisect_right(starts, at) - 1 if at >= 0 else -1

    def numbers_before(self, message_index: int) -> list[str]:
        """The number words that stand up to a message, the latest first."""
        if self._numbers is None or self._numbers[0] != message_index:
            places = [(at, word) for word, at in self.first.items() if at <= message_index and word[0].isdecimal()]
            self._numbers = message_index, [word for _, word in sorted(places, key=lambda place: -place[0])]
        return self._numbers[1]

    @cached_property
    def years(self) -> list[str]:
        """The years that are spoken of anywhere, for dates that a thought names without one."""
        words = {word for known in self.standing for word in known.years}
        words.update(word for word in self.first if is_year(word))
        return sorted(words, reverse=True)[:MOST_YEARS]

    @cached_property
    def _joined(self) -> tuple[str, list[int]]:
        """All words as one text, and where in it each message begins."""
        parts, starts, at = [], [], 0
        for words in self._lists:
            part = f" {' '.join(words)} \n"
            starts.append(at)
            parts.append(part)
            at += len(part)
        return "".join(parts), starts


def _places(lists: Iterable[tuple[int, list[str]]]) -> dict[str, int]:
    places: dict[str, int] = {}
    for at, words in lists:
        places.update(zip(words, repeat(at)))
    return places


def _run_places(lists: Iterable[tuple[int, list[str]]]) -> dict[Run, int]:
    places: dict[Run, int] = {}
    for at, words in lists:
        places.update(zip(runs_of(words), repeat(at)))
    return places


def is_year(word: str) -> bool:
    """Whether a word may be a year of our time."""
    return len(word) == 4 and word.isdigit() and word[:2] in ("19", "20")


def runs_of(words: Sequence[str], size: int = RUN) -> Iterator[Run]:
    """The runs of so many words, in order."""
    return zip(*(words[first:] for first in range(size)), strict=False)


def texts_of(message: Message) -> list[str]:
    """What a message says: its text, thinking, names and arguments of calls."""
    texts = [message["content"], message["content_json"], message["reasoning_content"]]
    for call in message["tool_calls"]:
        texts += [call["name"], call["arguments"]]
    return [text for text in texts if text]
