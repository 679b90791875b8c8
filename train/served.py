"""Rollouts by a model behind an OpenAI-compatible server: messages in, messages out, many dialogues at once.

The rules are those of the CacheAgentLoop; tokens are the server's own and stay there. What a server cannot be asked
for in the common form, a least length of the first turn, is left out.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.cli import say
from curate.errors import UsageError
from synth.asking.asker import RunStopped, refused
from synth.asking.pacing import TOO_MUCH, Pacer, TeacherDown
from synth.teachers.apis import KEYS, make_chat
from synth.teachers.asks import Ask, Reply
from synth.teachers.openai_chat import ChatReply
from train.acting import act, begun, crashed, take_turn, tool_forms, tool_names
from train.chat_messages import said_in, wire_form, wire_turn
from train.parsing import Said
from train.rollout import Episode, Rollout, RolloutTask, Sessions
from train.served_settings import ServerSettings
from train.settings import RolloutSettings

if TYPE_CHECKING:
    from synth.teachers.openai_chat import ChatApi

SPARE = 8
"""Rollouts under way beyond the concurrency, whose calls are answered while the others wait for the server."""
OUTAGE = (TOO_MUCH | {"connection"}) - {"timeout"}
"""Failures that say nothing about the dialogue: they use up none of its tries, and are waited out."""
REFUSED = 32
"""So many dialogues in a row without a turn, and it is the server that is to be mended, not they."""
CHARS = 4
"""Bytes of text that count as a token where the server does not say: results, and turns without a usage."""


class Refused(Exception):
    """The server gave no turn of this dialogue."""


class TooLong(Refused):
    """The dialogue does not fit the model's context any more."""


class ServedLoop:
    """Runs rollouts with a served model.

    Args:
        server: where the model is.
        cache: answers calls.
        settings: the limits; `max_completion` counts the completion tokens that the server reports, of all turns.
        temperature: of sampling; None leaves it to the server.
        environ: where the key is.

    Raises:
        UsageError: if the settings name no server, or cannot be right.
    """

    def __init__(
        self,
        server: ServerSettings,
        cache: Sessions,
        settings: RolloutSettings,
        *,
        temperature: float | None = 1.0,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        server.check()
        settings.check()
        if server.served_model is None:
            raise UsageError("--base-url and --served-model name the server and its model")
        self._server = server
        self._cache = cache
        self._settings = settings
        self._temperature = temperature
        self._key = {KEYS["openai"]: environ.get(server.api_key_env, "")}
        if server.api_key_env not in (KEYS["openai"], *environ):
            raise UsageError(f"--api-key-env {server.api_key_env}: no such variable in the environment")
        self._api()  # a wrong address or key is told before anything is done

    def run(self, tasks: Sequence[RolloutTask], done: Callable[[int, Rollout], None] | None = None) -> list[Rollout]:
        """One rollout a task, in their order. One that fails for good is a crashed rollout.

        Args:
            tasks: where they begin.
            done: is told each rollout, with its task's number, as it ends.

        Raises:
            RunStopped: if the server refuses all requests (key, model, quota), or answers none for too long.
        """
        found: dict[int, Rollout] = {}

        def ended(number: int, rollout: Rollout) -> None:
            found[number] = rollout
            if done is not None:
                done(number, rollout)

        self.stream(tasks, ended)
        return [found[number] for number in range(len(tasks))]

    def stream(self, tasks: Iterable[RolloutTask], done: Callable[[int, Rollout], None]) -> None:
        """Run rollouts, as many at once as the server takes.

        Args:
            tasks: where they begin; each is taken when there is room for it.
            done: is told each rollout, with its task's number, as it ends.

        Raises:
            RunStopped: as of `run`.
        """
        asyncio.run(self._stream(tasks, done))

    def _api(self) -> ChatApi:
        server = self._server
        return make_chat(str(server.served_model), server.model(self._temperature), server.pace(), self._key)

    async def _stream(self, tasks: Iterable[RolloutTask], done: Callable[[int, Rollout], None]) -> None:
        line = _Line(self._api(), Pacer(self._server.pace()), self._server.max_tries)
        left = enumerate(tasks)

        async def work() -> None:
            for number, task in left:
                playing = _Playing.begin(task, self._cache)
                await self._play(playing, line)
                done(number, playing.rollout)

        workers = [asyncio.ensure_future(work()) for _ in range(self._server.concurrency + SPARE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await line.api.close()

    async def _play(self, playing: _Playing, line: _Line) -> None:
        for number in range(self._settings.max_turns):
            if not playing.live:
                return
            try:
                reply = await line.turn(playing.sent, playing.schemas, self._most(playing.rollout))
                self._take(playing, reply, last=number + 1 == self._settings.max_turns)
            except RunStopped:
                raise
            except Exception as error:
                playing.live = False
                if isinstance(error, TooLong) and playing.rollout.messages:
                    _without_room(playing.rollout)
                    return
                crashed(playing.rollout, error)

    def _left(self, rollout: Rollout) -> int:
        return self._settings.max_completion - sum(rollout.turn_lengths)

    def _most(self, rollout: Rollout) -> int:
        left = self._left(rollout)
        return min(left, self._settings.max_turn or left)

    def _take(self, playing: _Playing, reply: ChatReply, *, last: bool) -> None:
        """Take in what the model said; put in the results of its calls, if it may go on."""
        rollout = playing.rollout
        said, given = said_in(reply.message or {})
        counted = reply.usage.output if reply.usage is not None else 0
        rollout.turn_lengths.append(counted or _estimated(said))
        playing.live = False
        if take_turn(rollout, said, whole=reply.code == "ok", last=last):
            self._act(playing, said, given)

    def _act(self, playing: _Playing, said: Said, given: str | None) -> None:
        rollout, session = playing.rollout, playing.session
        assert session is not None, "a rollout without a session is not live"
        turn = rollout.messages[-1]
        results, evidence = act(rollout, said.calls, session, playing.tools, self._settings.max_result, _tokens)
        if max(1, self._settings.answer_room) > self._left(rollout):
            rollout.status = "out_of_room"  # the model never sees these results
            return
        rollout.evidence += evidence
        rollout.messages += results
        playing.sent += [wire_turn(turn, given), *map(wire_form, tool_forms(results))]
        playing.live = True


@dataclass(slots=True)
class _Playing:
    """A rollout under way; `sent` is the dialogue as the server gets it."""

    rollout: Rollout
    session: Episode | None
    tools: frozenset[str]
    schemas: list[dict[str, Any]]
    sent: list[dict[str, Any]]
    live: bool = True

    @classmethod
    def begin(cls, task: RolloutTask, cache: Sessions) -> _Playing:
        """Begin a rollout; one whose session fails is crashed."""
        rollout = Rollout([])
        try:
            schemas = [
                dict(tool) if "function" in tool else {"type": "function", "function": dict(tool)}
                for tool in task.part.tools
            ]
            sent = [wire_form(form) for form in task.part.history]
            return cls(rollout, begun(cache, task), tool_names(task.part), schemas, sent)
        except Exception as error:
            crashed(rollout, error)
            return cls(rollout, None, frozenset(), [], [], live=False)


@dataclass(slots=True)
class _Line:
    """The server, and how it is asked: paced, and again where a failure may pass; each kind is `told` once.

    `refusals` counts the dialogues that were given up since the last turn that came.
    """

    api: ChatApi
    pacer: Pacer
    max_tries: int
    told: set[str] = field(default_factory=set)
    refusals: int = 0

    async def turn(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], most: int
    ) -> ChatReply:
        """The next turn of a dialogue.

        Raises:
            RunStopped: if no dialogue can be gone on with.
            Refused: if this one cannot.
        """
        ask = Ask("", self.api.turn_body(messages, tools, most))
        tries = misses = 0
        while tries < self.max_tries:
            async with self.pacer.slot():
                sent_at = self.pacer.now()
                reply = await self.api.call(ask)
            if reply.kind == "run":
                raise refused(self.api.name, reply)
            if reply.kind != "again":
                self.pacer.succeeded()
                return self._turn_of(reply)
            self._failed(reply, sent_at)
            tries += reply.code not in OUTAGE
            misses += reply.code not in TOO_MUCH  # for those the pacer holds all back
            if tries < self.max_tries:
                await asyncio.sleep(self.pacer.backoff(misses) if misses else 0)
        raise self._refused(f"{reply.code} after {tries} tries: {reply.detail}".rstrip(": "))

    def _turn_of(self, reply: Reply) -> ChatReply:
        if isinstance(reply, ChatReply) and reply.message is not None and reply.code in ("ok", "cut_off"):
            self.refusals = 0
            return reply
        if reply.code == "context_too_long":
            raise TooLong(f"{reply.code}: {reply.detail}; lower --max-completion, or set --max-turn")
        told = f"{reply.code}: {reply.detail}".rstrip(": ")
        raise Refused(told) if isinstance(reply, ChatReply) else self._refused(told)

    def _refused(self, told: str) -> Exception:
        """What a dialogue without a turn ends with: the whole run, where no other gets one either."""
        self.refusals += 1
        if self.refusals < REFUSED:
            return Refused(told)
        return RunStopped(
            f"{self.api.name}: no turn for {self.refusals} dialogues in a row; the last: {told}; what is done is kept: "
            "mend the server or the settings, and run the same command again"
        )

    def _failed(self, reply: Reply, sent_at: float) -> None:
        if reply.code not in self.told:
            self.told.add(reply.code)
            say(f"{self.api.name}: {reply.code}{f' ({reply.detail})' if reply.detail else ''}; it is tried again")
        try:
            self.pacer.failed(reply, sent_at)
        except TeacherDown as error:
            why = f"{self.api.name}: {error}; what is done is kept: run the same command again"
            raise RunStopped(why) from error


def _without_room(rollout: Rollout) -> None:
    """End a rollout on its calls, whose results no longer fit."""
    rollout.status = "out_of_room"
    while rollout.messages[-1]["role"] == "tool":
        rollout.messages.pop()
    last = len(rollout.messages) - 1
    rollout.evidence = [step for step in rollout.evidence if step["message_index"] != last]


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // CHARS)


def _estimated(said: Said) -> int:
    texts = [said.thinking or "", said.content, *(call.name + call.arguments for call in said.calls)]
    return max(1, sum(map(_tokens, texts)))
