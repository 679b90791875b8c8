"""Recorded turns of calls, changed as other agents would change them: what a cache meets that it was not made for."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from cachebuild.ids import is_id_field
from cachebuild.key import read_arguments

Turn: TypeAlias = list[tuple[str, dict[str, Any] | str]]
"""The calls of one turn; a text stands for arguments that are not JSON."""
Change: TypeAlias = Callable[[list[Turn], "Scenery", random.Random], list[Turn] | None]


class Scenery:
    """What may stand in the place of what was asked.

    Args:
        kinds: tool -> read, write, ...: as the live world knows them.
        optional: (tool, field) that a call may leave out.
    """

    def __init__(self, kinds: Mapping[str, str], optional: frozenset[tuple[str, str]]) -> None:
        self.kinds = kinds
        self.optional = optional
        self._ids: dict[str, set[str]] = {}

    def meet(self, turns: Sequence[Turn]) -> None:
        """Remember the ids of an episode's calls, to be asked for in others."""
        for _, values in _calls(turns):
            for name, value in values.items():
                if is_id_field(name) and isinstance(value, str):
                    self._ids.setdefault(name, set()).add(value)

    def others(self, name: str, value: str) -> list[str]:
        """Other ids of that field, in order."""
        return sorted(self._ids.get(name, set()) - {value})


def changed(turns: list[Turn], scenery: Scenery, rng: random.Random, first: int) -> tuple[str, list[Turn]] | None:
    """(name of the change, the turns with it): the first change from number `first` on that there is occasion for."""
    names = list(CHANGES)
    for at in range(len(names)):
        name = names[(first + at) % len(names)]
        found = CHANGES[name](turns, scenery, rng)
        if found is not None:
            return name, found
    return None


def _other_id(turns: list[Turn], scenery: Scenery, rng: random.Random) -> list[Turn] | None:
    """One id is another of the same kind, from there on wherever it stands."""
    found = [
        (name, value)
        for _, values in _calls(turns)
        for name, value in values.items()
        if is_id_field(name) and isinstance(value, str) and scenery.others(name, value)
    ]
    if not found:
        return None
    name, value = rng.choice(found)
    other = rng.choice(scenery.others(name, value))
    return _mapped(turns, lambda _, field, given: other if (field, given) == (name, value) else given)


def _reworded(turns: list[Turn], _: Scenery, rng: random.Random) -> list[Turn] | None:
    """Texts of several words in another order and with one more word."""

    def reword(_: str, name: str, value: Any) -> Any:
        words = value.split() if isinstance(value, str) and not is_id_field(name) else []
        if len(words) < 2:
            return value
        return " ".join(rng.choice((words[::-1], [*words, "please"], ["a", *words], words[1:] + words[:1])))

    return _mapped(turns, reword)


def _recased(turns: list[Turn], _: Scenery, rng: random.Random) -> list[Turn] | None:
    """Texts and ids in upper or lower case, or with a blank behind."""
    way: Callable[[str], str] = rng.choice((str.upper, str.lower, lambda text: f"{text} "))
    return _mapped(turns, lambda _, name, value: way(value) if isinstance(value, str) else value)


def _dropped(turns: list[Turn], scenery: Scenery, _: random.Random) -> list[Turn] | None:
    """Optional fields are left out."""
    return _mapped(turns, lambda tool, name, value: None if (tool, name) in scenery.optional else value, drop=True)


def _emptied(turns: list[Turn], scenery: Scenery, _: random.Random) -> list[Turn] | None:
    """Optional fields that were left out stand there as null."""
    found = []
    for turn in turns:
        found.append([(tool, _with_nulls(tool, values, scenery)) for tool, values in turn])
    return found if found != turns else None


def _with_nulls(tool: str, values: dict[str, Any] | str, scenery: Scenery) -> dict[str, Any] | str:
    if isinstance(values, str):
        return values
    return values | {name: None for owner, name in sorted(scenery.optional) if owner == tool and name not in values}


def _reordered(turns: list[Turn], scenery: Scenery, rng: random.Random) -> list[Turn] | None:
    """The writes come in another order, or one before what was read for it."""
    writes = [at for at, turn in enumerate(turns) if any(scenery.kinds.get(tool) == "write" for tool, _ in turn)]
    if not writes:
        return None
    found = list(turns)
    if len(writes) > 1:
        one, two = sorted(rng.sample(writes, 2))
        found[one], found[two] = found[two], found[one]
    else:
        found.insert(rng.randrange(writes[0] + 1), found.pop(writes[0]))
    return found if found != turns else None


def _read_back(turns: list[Turn], scenery: Scenery, _: random.Random) -> list[Turn] | None:
    """Behind every write all reads so far are made again."""
    found: list[Turn] = []
    reads: list[Turn] = []
    for turn in turns:
        found.append(turn)
        if any(scenery.kinds.get(tool) == "write" for tool, _ in turn):
            found += reads
        elif turn not in reads and all(scenery.kinds.get(tool) == "read" for tool, _ in turn):
            reads.append(turn)
    return found if len(found) > len(turns) else None


CHANGES: dict[str, Change] = {
    "other id": _other_id,
    "reworded": _reworded,
    "read back": _read_back,
    "reordered": _reordered,
    "dropped": _dropped,
    "emptied": _emptied,
    "recased": _recased,
}


def _calls(turns: Sequence[Turn]) -> list[tuple[str, dict[str, Any]]]:
    """The calls whose arguments can be read."""
    found = []
    for turn in turns:
        for tool, arguments in turn:
            values = read_arguments(arguments).values
            if values is not None:
                found.append((tool, values))
    return found


def _mapped(turns: list[Turn], change: Callable[[str, str, Any], Any], drop: bool = False) -> list[Turn] | None:
    """Every value of every call through `change(tool, name, value)`; None if nothing came out otherwise."""
    found: list[Turn] = []
    for turn in turns:
        calls: Turn = []
        for tool, values in turn:
            if not isinstance(values, str):
                values = {name: change(tool, name, value) for name, value in values.items()}
                values = {name: value for name, value in values.items() if not (drop and value is None)}
            calls.append((tool, values))
        found.append(calls)
    return found if found != turns else None
