"""`Session`, one episode against the cache: calls in, answers with tier and p out; it keeps the writes they made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from cachebuild.answer import Answer
from cachebuild.explain import Explanation
from cachebuild.key import CallArguments, read_arguments
from cachebuild.lookup import Lookup, Query
from cachebuild.state import SessionState

Arguments: TypeAlias = str | Mapping[str, Any] | None
"""A call's arguments: the text that a model wrote, or the values."""


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
    ) -> None:
        self._lookup = lookup
        self._state = state
        self._env_id = env_id
        self._initial_state_id = initial_state_id
        self._task_id = task_id
        self._seed = seed
        self._exclude = exclude_trajectory
        self._calls = 0
        self._frozen: dict[tuple[str, str], Answer] = {}

    def call(self, tool: str, arguments: Arguments = None) -> Answer:
        """Answer the single call of a turn."""
        return self.turn([(tool, arguments)])[0]

    def turn(self, calls: Sequence[tuple[str, Arguments]]) -> list[Answer]:
        """Answer the calls of one turn; they do not see each other's writes, the next turn sees them all."""
        read = [(tool, read_arguments(arguments)) for tool, arguments in calls]
        answers = [self.look(tool, arguments) for tool, arguments in read]
        for (tool, arguments), answer in zip(read, answers, strict=True):
            self._take_in(tool, arguments, answer)
        return answers

    def look(self, tool: str, arguments: CallArguments) -> Answer:
        """What a call would be answered now; the session stays as it is."""
        return self._looked(self._query(tool, arguments))

    def explain(self, tool: str, arguments: Arguments = None, nearest: int = 3) -> Explanation:
        """Why a call would be answered as it would, with the nearest recorded calls; the session stays as it is."""
        query = self._query(tool, read_arguments(arguments))
        matches = self._lookup.matches(query)[:nearest] if query.arguments.values is not None else []
        answer, facts = self._looked(query), self._lookup.facts(query)
        return Explanation(answer, query.arguments.canonical, query.dependence.state, tuple(matches), facts)

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
        return self._frozen.get((query.tool, query.arguments.canonical)) or self._lookup.answer(query)

    def _take_in(self, tool: str, arguments: CallArguments, answer: Answer) -> None:
        """A write counts if its equal was recorded and succeeded; if that failed, nothing changed; else: a doubt."""
        self._calls += 1
        if self._freezes(tool) and answer.tier != "unavailable":
            self._frozen.setdefault((tool, arguments.canonical), answer)
        if self._state.kind(tool) != "write":
            return
        if answer.tier not in ("exact", "normalised"):
            self._state.doubt(("call", self._calls), arguments)
        elif not answer.failed:
            # As recorded, so that the reads recorded behind it are found after a normalised hit too.
            self._state.write(tool, read_arguments(answer.matched_arguments), answer.result)

    def _freezes(self, tool: str) -> bool:
        """Whether the first answer to a call of this tool stands for the session; never for a write."""
        facts = self._lookup.tools.get((self._env_id, tool))
        frozen = self._lookup.settings.volatile == "session" and facts is not None and facts.volatile
        return frozen and self._state.kind(tool) != "write"
