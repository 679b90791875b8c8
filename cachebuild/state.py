"""Which writes a call's result depends on: the same code reads a recorded trajectory and follows a live session.

A call depends on the successful writes before its turn that share an id value with it; a write without any id counts
for every call of the session. A write also touches what the episode had read before: the owner that the read of a
written thing names (an order's customer), and an equal call whose result showed a written id. What is not known to have
happened stands as a doubt, not as a write.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any

from cachebuild.answer import is_unavailable
from cachebuild.key import CallArguments, read_arguments
from curate.canonical import Json, compact_json, hash128, parse_json
from curate.env import DEFAULT_RULES, EnvRules, ToolKind, name_words, tool_kind
from curate.pairing import PairedCall, pair_calls
from curate.trajectory import Message
from curate.turns import result_failed

ID_WORDS = frozenset("id ids number numbers code codes".split())
"""Last words of the names of fields that hold ids: `user_id`, `itemIds`, `flight_number`, `zip_code`."""


_NESTED = (dict, list)


@lru_cache(maxsize=65_536)
def is_id_field(name: str, id_fields: tuple[str, ...] = ()) -> bool:
    """Whether a field of this name holds ids: by its last word, or because the user says so."""
    if name in id_fields:
        return True
    words = name_words(name)
    return bool(words) and words[-1] in ID_WORDS


def id_values(value: Json, id_fields: tuple[str, ...] = ()) -> frozenset[str]:
    """Every id value below `value`: strings and integers under id fields.

    They are compared as trimmed, casefolded text: 12 and "12" are one id, and so are w1 and W1. An id too many shared
    costs a hit, one too few serves a stale result.
    """
    found: set[str] = set()
    waiting: list[tuple[Any, bool]] = [(value, False)]
    while waiting:
        item, is_id = waiting.pop()
        kind = type(item)
        if kind is dict:
            for name, member in item.items():
                if type(member) in _NESTED:
                    waiting.append((member, is_id_field(name, id_fields)))
                elif is_id_field(name, id_fields):
                    waiting.append((member, True))
        elif kind is list:
            waiting.extend((member, is_id) for member in item if is_id or type(member) in _NESTED)
        elif is_id and kind is str:
            found.add(item.strip().casefold())
        elif is_id and (kind is int or kind is float):
            found.add(_id_text(item))
    found.discard("")
    return frozenset(found)


def _id_text(value: float) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def result_ids(text: str | None, id_fields: tuple[str, ...] = ()) -> frozenset[str]:
    """The id values of a result that is a JSON object or list; none for any other text."""
    if not text or text.lstrip()[:1] not in ("{", "["):
        return frozenset()
    try:
        return id_values(parse_json(text), id_fields)
    except ValueError:
        return frozenset()


def _shown_ids(text: str, id_fields: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """(all id values of a JSON result, those at its top)."""
    try:
        value = parse_json(text)
    except ValueError:
        return frozenset(), frozenset()
    members = value.items() if isinstance(value, dict) else ()
    plain: dict[str, Json] = {name: member for name, member in members if not isinstance(member, (dict, list))}
    return id_values(value, id_fields), id_values(plain, id_fields)


@dataclass(frozen=True, slots=True)
class Dependence:
    """The writes that a call depends on: JSON list of [tool, canonical arguments], its hash, and whether it is sure.

    `state` and `digest` are empty without any; `doubtful` says that a related write may or may not have happened.
    """

    state: str = ""
    digest: str = ""
    doubtful: bool = False


INDEPENDENT = Dependence()


@dataclass(frozen=True, slots=True)
class _Read:
    """A read that succeeded: the ids it asked for, those its result shows, and those at the result's top."""

    call: tuple[str, str]
    asked: frozenset[str]
    shown: frozenset[str]
    top: frozenset[str]


@dataclass
class SessionState:
    """The writes of one episode so far, indexed by id value.

    Attributes:
        rules: of the env.
        kinds: tools whose kind is known better than from name and rules (a compiled cache's table).
    """

    rules: EnvRules = DEFAULT_RULES
    kinds: Mapping[str, ToolKind] = field(default_factory=dict)
    _writes: list[tuple[str, str]] = field(default_factory=list)
    _by_id: dict[str, list[int]] = field(default_factory=dict)
    _everywhere: list[int] = field(default_factory=list)
    _by_call: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    _doubts: dict[Hashable, frozenset[str]] = field(default_factory=dict)
    _unread: list[tuple[str, CallArguments, str]] = field(default_factory=list)
    _reads: list[_Read] = field(default_factory=list)

    @property
    def doubtful(self) -> bool:
        """Whether any write may or may not have happened."""
        return bool(self._doubts)

    def kind(self, tool: str) -> ToolKind:
        """Whether the tool reads, writes, or stands outside the state."""
        return self.kinds.get(tool) or tool_kind(tool, self.rules)[0]

    def ids(self, arguments: CallArguments) -> frozenset[str]:
        """The id values of a call's arguments."""
        return id_values(arguments.values, self.rules.id_fields)

    def dependence(self, tool: str, arguments: CallArguments) -> Dependence:
        """The writes so far that the call depends on; none for pure and terminal tools."""
        if self.kind(tool) in ("pure", "terminal") or not (self._writes or self._doubts):
            return INDEPENDENT
        ids = self.ids(arguments)
        related = {*self._everywhere, *self._by_call.get((tool, arguments.canonical), ())}
        for value in ids:
            related.update(self._by_id.get(value, ()))
        doubtful = any(not about or about & ids for about in self._doubts.values())
        if not related:
            return Dependence(doubtful=doubtful)
        state = compact_json([self._writes[position] for position in sorted(related)])
        return Dependence(state, hash128(state), doubtful)

    def write(self, tool: str, arguments: CallArguments, result: str | None) -> None:
        """A write that succeeded; one whose arguments cannot be read counts for every later call."""
        position = len(self._writes)
        self._writes.append((tool, arguments.canonical or arguments.recorded))
        ids: frozenset[str] = frozenset()
        if arguments.values is not None:
            ids = self.ids(arguments) | result_ids(result, self.rules.id_fields)
        for value in ids | self._owners(ids):
            self._by_id.setdefault(value, []).append(position)
        for call in sorted({read.call for read in self._reads if read.shown & ids}):
            self._by_call.setdefault(call, []).append(position)
        if not ids:
            self._everywhere.append(position)

    def read(self, tool: str, arguments: CallArguments, result: str | None) -> None:
        """A read that succeeded; its result is looked into when a write comes, and not before."""
        if result and result.lstrip()[:1] in ("{", "["):
            self._unread.append((tool, arguments, result))

    def _owners(self, ids: frozenset[str]) -> frozenset[str]:
        """What the things of these ids belong to, as far as they were read: the ids at the top of their results."""
        for tool, arguments, result in self._unread:
            shown, top = _shown_ids(result, self.rules.id_fields)
            self._reads.append(_Read((tool, arguments.canonical), self.ids(arguments), shown, top))
        self._unread.clear()
        return frozenset().union(*(read.top for read in self._reads if read.asked & ids))

    def doubt(self, place: Hashable, arguments: CallArguments) -> None:
        """A write that may have happened: later calls that share an id with it (all, if it has none) are doubtful."""
        ids = self.ids(arguments)
        self._doubts[place] = ids | self._owners(ids)

    def settle(self, place: Hashable) -> None:
        """What was doubtful at `place` is now known."""
        self._doubts.pop(place, None)

    def record(self, place: Hashable, tool: str, arguments: CallArguments, result: Message) -> None:
        """A recorded call of a read or a write with its result: a success counts, a failure changes nothing."""
        if self.kind(tool) == "read":
            if not result_failed(result, self.rules):
                self.read(tool, arguments, result["content"])
            return
        if is_unavailable(result["content"]):
            self.doubt(place, arguments)
            return
        self.settle(place)
        if not result_failed(result, self.rules):
            self.write(tool, arguments, result["content"])


def replay(state: SessionState, messages: Sequence[Message]) -> Iterator[list[PairedCall]]:
    """Follow recorded messages: yields the calls of each turn while `state` stands at that turn's start.

    When the iterator is exhausted, `state` stands behind the last message. A write whose result has not come by then
    is a doubt until it comes.
    """
    waiting: list[PairedCall] = []
    for message_index, calls in groupby(pair_calls(messages), key=lambda pair: pair.message_index):
        turn = list(calls)
        waiting = _settle(state, waiting, messages, before=message_index)
        yield turn
        waiting += [pair for pair in turn if state.kind(pair.call["name"]) in ("read", "write")]
    _settle(state, waiting, messages, before=len(messages))


def follow(state: SessionState, messages: Sequence[Message]) -> None:
    """Bring `state` behind the last of the messages."""
    for _ in replay(state, messages):
        pass


def _settle(
    state: SessionState, waiting: Iterable[PairedCall], messages: Sequence[Message], before: int
) -> list[PairedCall]:
    """Take in the calls whose results stand before message `before`, in their order; returns the others."""
    left = []
    for pair in waiting:
        place = (pair.message_index, pair.call_index)
        arguments = read_arguments(pair.call["arguments"])
        if pair.result_index is None or pair.result_index >= before:
            if state.kind(pair.call["name"]) == "write":
                state.doubt(place, arguments)
            left.append(pair)
        else:
            state.record(place, pair.call["name"], arguments, messages[pair.result_index])
    return left
