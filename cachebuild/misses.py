"""What happens where the cache has nothing: a live tool is called, or a simulator guesses; without either, unavailable.

A live answer is what the tool said, so it counts as exact. A simulated one is of tier `simulated`, the worst, p 0.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from cachebuild.answer import Answer, Tier, unavailable
from cachebuild.coalesce import Coalescer
from cachebuild.key import Place, exact_key
from cachebuild.lookup import Query
from curate.canonical import hash128
from curate.env import EnvRules, ToolKind
from curate.readers.messages import message
from curate.trajectory import Message
from curate.turns import result_failed

LiveTool: TypeAlias = Callable[[str, dict[str, Any]], str | Awaitable[str]]
"""(tool, arguments) -> the text of the result; may be a coroutine function where `Session.call_async` is used."""


@dataclass(frozen=True, slots=True)
class SimilarCall:
    """A recorded call of the tool that was asked for, with its commonest result."""

    arguments: str
    result: str


@dataclass(frozen=True, slots=True)
class Miss:
    """A call that the cache leaves to others.

    Attributes:
        query: the call and the state it is made in.
        kind: what the tool does to its world.
        rules: of the env.
        found: what the cache would answer.
        history: the messages before the turn.
        similar: gives the nearest recorded calls, best first.
    """

    query: Query
    kind: ToolKind
    rules: EnvRules
    found: Answer
    history: Sequence[Message]
    similar: Callable[[], tuple[SimilarCall, ...]]

    @property
    def key(self) -> str:
        """Equal for the same call in the same state of the same task."""
        query = self.query
        place = Place(query.env_id, query.initial_state_id, query.task_id or "")
        return exact_key(place, query.tool, query.arguments.canonical, query.dependence.digest)


class Misses(Protocol):
    """Answers instead of the cache; may be shared by any number of sessions, threads and event loops."""

    def takes(self, kind: ToolKind, tier: Tier) -> bool:
        """Whether a call that the cache answers with this tier is to be answered here."""
        ...

    def answer(self, miss: Miss) -> Answer:
        """Answer a miss."""
        ...

    async def answer_async(self, miss: Miss) -> Answer:
        """Answer a miss without holding up the event loop."""
        ...


class Live:
    """Calls the live tool where the cache has nothing.

    Writes always go to the live world, so that it stays in step with the session; reads go there only if the cache
    cannot answer. A session with a history needs a live world that stands behind that history. Equal reads in an equal
    state that are under way at the same time share one call; each write is made for itself.

    Args:
        call: (tool, arguments) -> the text of the result; what it raises reaches everyone who waits for it.
        instead_of: the tiers that a live call replaces, e.g. also "best_effort".
    """

    def __init__(self, call: LiveTool, instead_of: Sequence[Tier] = ("unavailable",)) -> None:
        self._call = call
        self._instead_of = frozenset(instead_of)
        self._under_way: Coalescer[str] = Coalescer()

    def takes(self, kind: ToolKind, tier: Tier) -> bool:
        """All writes, and what the cache answers with one of the tiers to be replaced."""
        return kind == "write" or tier in self._instead_of

    def answer(self, miss: Miss) -> Answer:
        """What the live tool says now.

        Raises:
            TypeError: if the tool is a coroutine function, or gives no text.
        """

        def ask() -> str:
            given = self._call(*_asked(miss))
            if inspect.iscoroutine(given):
                given.close()
                raise TypeError("the live tool is a coroutine function: use Session.call_async or turn_async")
            return _text(miss, given)

        if miss.kind == "write":
            return _live(miss, ask(), joined=False)
        return _live(miss, *self._under_way.run(miss.key, ask))

    async def answer_async(self, miss: Miss) -> Answer:
        """What the live tool says now; one that is no coroutine function runs in a thread."""

        async def ask() -> str:
            if inspect.iscoroutinefunction(self._call):
                return _text(miss, await self._call(*_asked(miss)))
            given = await asyncio.to_thread(self._call, *_asked(miss))
            return _text(miss, await given if inspect.isawaitable(given) else given)

        if miss.kind == "write":
            return _live(miss, await ask(), joined=False)
        return _live(miss, *await self._under_way.run_async(miss.key, ask))


def _asked(miss: Miss) -> tuple[str, dict[str, Any]]:
    return miss.query.tool, dict(miss.query.arguments.values or {})


def _text(miss: Miss, given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError(f"the live tool {miss.query.tool!r} gave {type(given).__name__}, not the text of its result")
    return given


def _live(miss: Miss, result: str, joined: bool) -> Answer:
    said = message("tool", result)
    return Answer(
        result,
        "exact",
        1.0,
        "live: another session's equal call at the same time" if joined else "live: the tool itself said so",
        failed=result_failed(said, miss.rules),
        matched_arguments=miss.query.arguments.canonical,
        origin="joined" if joined else "live",
    )


@dataclass(frozen=True, slots=True)
class Guess:
    """What a simulator is told.

    Attributes:
        tool: its name.
        arguments: of the call, canonical JSON.
        schema: the tool's schema, None where it is not known.
        similar: recorded calls of the tool that come nearest, best first.
        history: the messages before the turn.
    """

    tool: str
    arguments: str
    schema: Mapping[str, Any] | None
    similar: tuple[SimilarCall, ...]
    history: Sequence[Message]


Guesser: TypeAlias = Callable[[Guess], str | None]
"""Makes up a result; None where it cannot, and the call stays unavailable."""


@dataclass
class Simulator:
    """Lets a model guess what a tool would have said, for what the cache answers with nothing.

    Attributes:
        guess: makes up the text.
        schemas: tool -> its schema.
    """

    guess: Guesser
    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _under_way: Coalescer[str | None] = field(default_factory=Coalescer)

    def takes(self, kind: ToolKind, tier: Tier) -> bool:
        """Only what is unavailable."""
        return tier == "unavailable"

    def answer(self, miss: Miss) -> Answer:
        """A guess, marked so."""
        guess = self._guess(miss)
        text, _ = self._under_way.run(_guess_key(guess), lambda: self.guess(guess))
        return _simulated(miss, text)

    async def answer_async(self, miss: Miss) -> Answer:
        """A guess, marked so; it is made in a thread."""
        guess = self._guess(miss)
        text, _ = await self._under_way.run_async(_guess_key(guess), lambda: asyncio.to_thread(self.guess, guess))
        return _simulated(miss, text)

    def _guess(self, miss: Miss) -> Guess:
        query = miss.query
        return Guess(
            query.tool, query.arguments.canonical, self.schemas.get(query.tool), miss.similar(), tuple(miss.history)
        )


def _guess_key(guess: Guess) -> str:
    """A guess rests on the whole dialogue, so only rollouts that are equal so far share one."""
    return hash128(guess.tool, guess.arguments, repr(guess.history))


def _simulated(miss: Miss, text: str | None) -> Answer:
    if text is None:
        return unavailable(miss.query.tool, f"{miss.found.reason}; the simulator had no answer")
    failed = result_failed(message("tool", text), miss.rules)
    reason = f"simulated, for {miss.found.reason}"
    return Answer(text, "simulated", 0.0, reason, failed=failed, origin="simulator")
