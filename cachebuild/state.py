"""Which writes a call's result depends on: the same code reads a recorded trajectory and follows a live session.

A call depends on the successful writes before its turn that share an id value with it; a write without any id counts
for every call of the session. A write also touches what the episode had read before: the owner that the read of a
written thing names (an order's customer), and an equal call whose result showed a written id. What only a read's result
tells, that it lists a written thing, counts as soon as a result is there (`Dependence.given`). What is not known to
have happened stands as a doubt, not as a write.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, TypeAlias

from cachebuild.answer import is_unavailable
from cachebuild.ids import id_values, may_hold_ids, read_ids, written_ids
from cachebuild.key import CallArguments, read_arguments
from curate.canonical import compact_json, hash128, parse_json
from curate.env import DEFAULT_RULES, EnvRules, ToolKind, tool_kind
from curate.pairing import PairedCall, pair_calls
from curate.trajectory import Message
from curate.turns import result_failed

_Writes: TypeAlias = tuple[tuple[int, tuple[str, str]], ...]
"""Writes with their positions in the session, in order."""


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """What happened in a session that shares no id with a read: a result that lists one of these ids stands behind it.

    Attributes:
        writes: position, (tool, canonical arguments) and ids of each.
        doubts: ids of the writes that may have happened.
        id_fields: of the env.
    """

    writes: tuple[tuple[int, tuple[str, str], frozenset[str]], ...]
    doubts: tuple[frozenset[str], ...]
    id_fields: tuple[str, ...]

    def listed(self, text: str) -> frozenset[str]:
        """The ids of these writes that a result lists."""
        if not may_hold_ids(text):
            return frozenset()
        ids = frozenset().union(*(each for *_, each in self.writes), *self.doubts)
        if "\\" not in text:  # without escapes an id stands there as it is: mostly there is nothing to parse for
            folded = text.casefold()
            ids = frozenset(value for value in ids if value in folded)
        return read_ids(text, self.id_fields)[0] & ids if ids else ids


@dataclass(frozen=True, slots=True)
class Dependence:
    """The writes that a call depends on: JSON list of [tool, canonical arguments], its hash, and whether it is sure.

    `state` and `digest` are empty without any; `doubtful` says that a related write may or may not have happened.
    """

    state: str = ""
    digest: str = ""
    doubtful: bool = False
    _related: _Writes = field(default=(), compare=False, repr=False)
    _elsewhere: _Elsewhere | None = field(default=None, compare=False, repr=False)

    def given(self, result: str) -> Dependence:
        """The same for a read with this result: the writes whose ids it lists count too."""
        elsewhere = self._elsewhere
        listed = elsewhere.listed(result) if elsewhere is not None else frozenset()
        if elsewhere is None or not listed:
            return self
        writes = tuple((position, write) for position, write, ids in elsewhere.writes if ids & listed)
        left = tuple(each for each in elsewhere.writes if not each[2] & listed)
        doubtful = self.doubtful or any(about & listed for about in elsewhere.doubts)
        return _dependence((*self._related, *writes), doubtful, replace(elsewhere, writes=left))

    def without(self, tools: Set[str], ids: frozenset[str]) -> Dependence:
        """The same without the writes of these tools whose arguments share none of the ids, a read's own."""
        elsewhere = self._elsewhere
        if elsewhere is None or not tools:
            return self
        related = tuple(each for each in self._related if not _tied(each[1], tools, ids, elsewhere.id_fields))
        left = tuple(each for each in elsewhere.writes if each[1][0] not in tools)
        if len(related) == len(self._related) and len(left) == len(elsewhere.writes):
            return self
        return _dependence(related, self.doubtful, replace(elsewhere, writes=left))

    def everything(self) -> Dependence:
        """The same as if the result listed what every write of the session was about."""
        if self._elsewhere is None or not self._elsewhere.writes:
            return self
        writes = tuple((position, write) for position, write, _ in self._elsewhere.writes)
        return _dependence((*self._related, *writes), self.doubtful, replace(self._elsewhere, writes=()))


def _dependence(related: _Writes, doubtful: bool, elsewhere: _Elsewhere | None) -> Dependence:
    if not related:
        return Dependence(doubtful=doubtful, _elsewhere=elsewhere)
    related = tuple(sorted(related))
    state = compact_json([write for _, write in related])
    return Dependence(state, hash128(state), doubtful, related, elsewhere)


def _tied(write: tuple[str, str], tools: Set[str], ids: frozenset[str], id_fields: tuple[str, ...]) -> bool:
    """Whether a write of one of the tools has ids in its arguments, and none of these."""
    if write[0] not in tools:
        return False
    try:
        asked = id_values(parse_json(write[1]), id_fields)
    except ValueError:  # arguments that could not be read count for every call
        return False
    return bool(asked) and not asked & ids


def writers(state: str) -> list[str]:
    """The tools of a recorded state, by name."""
    return sorted({tool for tool, _ in recorded_writes(state)})


def recorded_writes(state: str) -> list[tuple[str, str]]:
    """(tool, canonical arguments) of the writes of a recorded state, in their order."""
    writes: Any = parse_json(state) if state else []
    return [(tool, arguments) for tool, arguments in writes]


def without_writes(state: str, tools: Set[str], ids: frozenset[str], id_fields: tuple[str, ...]) -> str:
    """A recorded state without the writes that `Dependence.without` leaves out."""
    left = [write for write in recorded_writes(state) if not _tied(write, tools, ids, id_fields)]
    return compact_json(left) if left else ""


INDEPENDENT = Dependence()


@dataclass(frozen=True, slots=True)
class _Read:
    """A read that succeeded: the ids it asked for, those its result lists, and those at the result's top."""

    call: tuple[str, str]
    asked: frozenset[str]
    listed: frozenset[str]
    top: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Touched:
    """What a write touches.

    Attributes:
        named: the ids that its arguments and its result name.
        subject: those that its result names; of a result without ids, and without a result, all.
        owners: of the named things, as far as they were read before.
        calls: reads before that it touches.
    """

    named: frozenset[str]
    subject: frozenset[str]
    owners: frozenset[str]
    calls: frozenset[tuple[str, str]]


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
    _subjects: list[frozenset[str]] = field(default_factory=list)
    _by_id: dict[str, list[int]] = field(default_factory=dict)
    _everywhere: list[int] = field(default_factory=list)
    _by_call: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    _doubts: dict[Hashable, _Touched] = field(default_factory=dict)
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
        if not (self._writes or self._doubts) or (kind := self.kind(tool)) in ("pure", "terminal"):
            return INDEPENDENT
        ids, call = self.ids(arguments), (tool, arguments.canonical)
        related = {*self._everywhere, *self._by_call.get(call, ())}
        for value in ids:
            related.update(self._by_id.get(value, ()))
        writes = tuple((position, self._writes[position]) for position in sorted(related))
        doubtful = any(_about(about, ids, call) for about in self._doubts.values())
        return _dependence(writes, doubtful, self._elsewhere(related) if kind == "read" else None)

    def _elsewhere(self, related: Set[int]) -> _Elsewhere:
        """The writes that are not among the related ones, and all doubts; always there behind a write."""
        others = tuple(
            (position, self._writes[position], ids)
            for position, ids in enumerate(self._subjects)
            if position not in related
        )
        doubts = tuple(about.subject for about in self._doubts.values())
        return _Elsewhere(others, doubts, self.rules.id_fields)

    def write(self, tool: str, arguments: CallArguments, result: str | None) -> None:
        """A write that succeeded; one whose arguments cannot be read counts for every later call."""
        position = len(self._writes)
        self._writes.append((tool, arguments.canonical or arguments.recorded))
        named = frozenset() if arguments.values is None else written_ids(result, self.rules.id_fields)
        touched = self._touched(arguments, named)
        self._subjects.append(touched.subject)
        for value in touched.named | touched.owners:
            self._by_id.setdefault(value, []).append(position)
        for call in sorted(touched.calls):
            self._by_call.setdefault(call, []).append(position)
        if not touched.named:
            self._everywhere.append(position)

    def read(self, tool: str, arguments: CallArguments, result: str | None) -> None:
        """A read that succeeded; its result is looked into when a write comes, and not before."""
        if result and may_hold_ids(result):
            self._unread.append((tool, arguments, result))

    def _touched(self, arguments: CallArguments, named: frozenset[str]) -> _Touched:
        """What a write of these arguments touches, whose result names these ids.

        Owners are the ids at the top of what was read of the written things. An earlier read is touched if it lists a
        written thing, or names at its top one that the write asks for; that both belong to one owner is not enough.
        """
        for tool, asked_for, result in self._unread:
            listed, top = read_ids(result, self.rules.id_fields)
            self._reads.append(_Read((tool, asked_for.canonical), self.ids(asked_for), listed, top))
        self._unread.clear()
        asked, subject = self.ids(arguments), named
        named |= asked
        owners = frozenset().union(*(read.top for read in self._reads if read.asked & named))
        calls = frozenset(read.call for read in self._reads if read.listed & named or read.top & asked)
        return _Touched(named, subject or named, owners, calls)

    def doubt(self, place: Hashable, arguments: CallArguments) -> None:
        """A write that may have happened: later calls that it would touch (all, if it has no id) are doubtful."""
        self._doubts[place] = self._touched(arguments, frozenset())

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


def _about(doubt: _Touched, ids: frozenset[str], call: tuple[str, str]) -> bool:
    """Whether a write that may have happened would touch a call."""
    return not doubt.named or bool((doubt.named | doubt.owners) & ids) or call in doubt.calls


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
