"""`Session`, one episode against the cache: calls in, answers with tier and p out; it keeps the writes they made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from cachebuild.answer import Answer, unavailable
from cachebuild.explain import Explanation
from cachebuild.key import CallArguments, read_arguments
from cachebuild.lookup import Lookup, Query
from cachebuild.misses import Miss, Misses, SimilarCall
from cachebuild.recording import Recorder
from cachebuild.state import SessionState
from curate.pairing import pair_calls
from curate.readers.messages import message
from curate.trajectory import Message, ToolCall

Arguments: TypeAlias = str | Mapping[str, Any] | None
"""A call's arguments: the text that a model wrote, or the values."""


SIMILAR_CALLS = 3
"""Recorded calls that a simulator is shown."""


@dataclass
class _Turn:
    """The calls of one turn, what the cache found, the answers, and the positions of those left to others."""

    queries: list[Query]
    found: list[Answer] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)


class Session:
    """One episode: answers calls and keeps the writes that they made, as far as they are known."""

    def __init__(
        self,
        lookup: Lookup,
        state: SessionState,
        env_id: str,
        initial_state_id: str | None,
        task_id: str | None,
        seed: int,
        exclude_trajectory: str | None = None,
        misses: Misses | None = None,
        history: Sequence[Message] = (),
        record: Recorder | None = None,
    ) -> None:
        self._lookup = lookup
        self._state = state
        self._env_id = env_id
        self._initial_state_id = initial_state_id
        self._task_id = task_id
        self._seed = seed
        self._exclude = exclude_trajectory
        self._misses = misses
        self._messages = list(history)
        self._record = record
        self._calls = 0
        self._frozen: dict[tuple[str, str], Answer] = {}

    def call(self, tool: str, arguments: Arguments = None) -> Answer:
        """Answer the single call of a turn."""
        if self._misses is not None:
            return self.turn([(tool, arguments)])[0]
        read = read_arguments(arguments)
        answer = self._looked(self._query(tool, read))
        self._take_in(tool, read, answer)
        return answer

    def turn(self, calls: Sequence[tuple[str, Arguments]]) -> list[Answer]:
        """Answer the calls of one turn; they do not see each other's writes, the next turn sees them all.

        What a live tool or a simulator raises is passed on; a write that was under way then leaves the state unknown.
        """
        turn = self._begin(calls)
        try:
            for at in turn.missed:
                turn.answers[at] = self._asked().answer(self._miss(turn, at))
        finally:
            self._end(turn)
        return turn.answers

    async def call_async(self, tool: str, arguments: Arguments = None) -> Answer:
        """As `call`; a live tool or a simulator does not hold up the event loop."""
        return (await self.turn_async([(tool, arguments)]))[0]

    async def turn_async(self, calls: Sequence[tuple[str, Arguments]]) -> list[Answer]:
        """As `turn`; a live tool or a simulator does not hold up the event loop."""
        turn = self._begin(calls)
        try:
            for at in turn.missed:
                turn.answers[at] = await self._asked().answer_async(self._miss(turn, at))
        finally:
            self._end(turn)
        return turn.answers

    def look(self, tool: str, arguments: CallArguments) -> Answer:
        """What a call would be answered now; the session stays as it is."""
        return self._looked(self._query(tool, arguments))

    def explain(self, tool: str, arguments: Arguments = None, nearest: int = 3) -> Explanation:
        """Why a call would be answered as it would, with the nearest recorded calls; the session stays as it is."""
        query = self._query(tool, read_arguments(arguments))
        matches = self._lookup.matches(query)[:nearest] if query.arguments.values is not None else []
        answer, facts = self._looked(query), self._lookup.facts(query)
        shown = (answer, query.arguments.canonical, query.dependence.state, tuple(matches), facts)
        return Explanation(*shown, self._lookup.settings.fuzzy_at)

    @property
    def state_unknown(self) -> bool:
        """Whether a write of this session may or may not have happened."""
        return self._state.doubtful

    def _query(self, tool: str, arguments: CallArguments) -> Query:
        return Query(
            self._env_id,
            self._initial_state_id,
            self._task_id,
            tool,
            arguments,
            self._state.dependence(tool, arguments),
            self._seed,
            self._exclude,
        )

    def _looked(self, query: Query) -> Answer:
        """The cache's answer, or the one that a volatile tool gave to this call before if that is to stand."""
        frozen = self._frozen and self._frozen.get((query.tool, query.arguments.canonical))
        return frozen or self._lookup.answer(query)

    def _begin(self, calls: Sequence[tuple[str, Arguments]]) -> _Turn:
        """The turn with the cache's answers; what is left to others stands as unavailable until they answer."""
        turn = _Turn([self._query(tool, read_arguments(arguments)) for tool, arguments in calls])
        turn.found = [self._looked(query) for query in turn.queries]
        turn.answers = list(turn.found)
        for at, (query, found) in enumerate(zip(turn.queries, turn.found, strict=True)):
            takes = self._misses is not None and self._misses.takes(self._state.kind(query.tool), found.tier)
            if takes and query.arguments.values is not None:
                turn.missed.append(at)
                turn.answers[at] = unavailable(query.tool, "the call was not answered")
        # Reads first: they must not see the writes of their own turn.
        turn.missed.sort(key=lambda at: self._state.kind(turn.queries[at].tool) == "write")
        return turn

    def _asked(self) -> Misses:
        assert self._misses is not None, "only a session with misses leaves calls to them"
        return self._misses

    def _miss(self, turn: _Turn, at: int) -> Miss:
        query = turn.queries[at]
        similar = partial(self._similar, query)
        kind, rules = self._state.kind(query.tool), self._state.rules
        return Miss(query, kind, rules, turn.found[at], self._messages, similar)

    def _similar(self, query: Query) -> tuple[SimilarCall, ...]:
        """The nearest recorded calls, with their commonest results."""
        nearest = [match.candidate for match in self._lookup.matches(query)[:SIMILAR_CALLS]]
        found = [(call, self._lookup.index.outcomes(call.key, self._exclude)) for call in nearest]
        return tuple(SimilarCall(call.arguments, outcomes[0].result) for call, outcomes in found if outcomes)

    def _end(self, turn: _Turn) -> None:
        for query, answer in zip(turn.queries, turn.answers, strict=True):
            self._take_in(query.tool, query.arguments, answer)
        if self._misses is not None:
            said = [(query.tool, query.arguments.recorded) for query in turn.queries]
            if self._record is not None:
                self._recorded(turn, self._record)
            self._messages += spoken(said, turn.answers, number=self._calls)

    def _recorded(self, turn: _Turn, record: Recorder) -> None:
        """Hand what others answered to the recorder, with the writes before the turn."""
        before: list[Message] = []
        for pair in pair_calls(self._messages):
            if pair.result_index is not None and self._state.kind(pair.call["name"]) == "write":
                made = message("assistant")
                made["tool_calls"] = [pair.call]
                before += [made, self._messages[pair.result_index]]
        for at, (query, answer) in enumerate(zip(turn.queries, turn.answers, strict=True)):
            said = spoken([(query.tool, query.arguments.recorded)], [answer], number=self._calls + at)
            record.add(query, answer, before, said)

    def _take_in(self, tool: str, arguments: CallArguments, answer: Answer) -> None:
        """A write counts if its equal was recorded and succeeded; if that failed, nothing changed; else: a doubt."""
        self._calls += 1
        if self._freezes(tool) and answer.tier != "unavailable":
            self._frozen.setdefault((tool, arguments.canonical), answer)
        kind, equal = self._state.kind(tool), answer.tier in ("exact", "normalised")
        if kind == "read" and equal and not answer.failed:
            self._state.read(tool, _as_recorded(answer, arguments), answer.result)
        if kind != "write":
            return
        if not equal:
            self._state.doubt(("call", self._calls), arguments)
        elif not answer.failed:
            # As recorded, so that the reads recorded behind it are found after a normalised hit too.
            self._state.write(tool, _as_recorded(answer, arguments), answer.result)

    def _freezes(self, tool: str) -> bool:
        """Whether the first answer to a call of this tool stands for the session; never for a write."""
        if self._lookup.settings.volatile != "session":
            return False
        facts = self._lookup.tools.get((self._env_id, tool))
        return facts is not None and facts.volatile and self._state.kind(tool) != "write"


def _as_recorded(answer: Answer, arguments: CallArguments) -> CallArguments:
    """The arguments of the recorded call that answered; those asked with if they are equal."""
    if answer.matched_arguments == arguments.canonical:
        return arguments
    return read_arguments(answer.matched_arguments)


def spoken(calls: Sequence[tuple[str, str]], answers: Sequence[Answer], number: int) -> list[Message]:
    """The messages of a turn: the assistant's calls and their results; `number` keeps the ids of a session apart."""
    turn = message("assistant")
    results = []
    for at, ((tool, arguments), answer) in enumerate(zip(calls, answers, strict=True)):
        call_id = f"call_{number}_{at}"
        status = read_arguments(arguments).status
        turn["tool_calls"].append(ToolCall(id=call_id, name=tool, arguments=arguments, args_status=status))
        result = message("tool", answer.result)
        result["tool_call_id"], result["name"] = call_id, tool
        results.append(result)
    return [turn, *results]
