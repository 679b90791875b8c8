"""One ask, safely: a slot, money set aside, a durable note that it leaves, the call, a durable note of what came.

What was sent and not answered counts at its worst case for ever, so no crash and no lost answer can carry a run past
its budget.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from curate.errors import CacheRLError
from synth.asking.pacing import TOO_MUCH, Pacer, TeacherDown
from synth.money import dollars
from synth.teachers.asks import Ask, Reply

if TYPE_CHECKING:
    from synth.journal import Journal
    from synth.ledger import Ledger
    from synth.prices import Price
    from synth.teachers.asks import Sender, Usage

DRAIN_SECONDS = 20.0
"""How long answers that are on their way are waited for when a run stops; Slurm kills after 30 s by default."""

_PRESSED = TOO_MUCH - {"timeout"}
"""Failures that say nothing about the ask: they use up none of its tries. A timeout may be the ask's own fault."""

Records = Sequence[dict[str, Any]]

MORE_MONEY = "run again with a larger --budget-usd, or with --accept-partial"
"""What can be done when the budget of synth.augment is used up."""


class AskProgress(Protocol):
    """What is told to the person while asks go out; `synth.progress.RunProgress` is one."""

    def sent(self) -> None:
        """A request left."""

    def settled(self, usage: Usage | None, spent_usd: float) -> None:
        """A request came to an end, answered or not; what all have cost so far."""

    def retried(self, code: str) -> None:
        """A request failed in a way that may pass."""

    def paused(self, seconds: float, reason: str) -> None:
        """No request leaves for so many seconds."""

    def concurrency(self, limit: float) -> None:
        """Most requests at once from now on."""


class RunStopped(CacheRLError):
    """The run cannot go on now; what is done is kept, and the same command goes on from there."""

    exit_code = 3


@dataclass(frozen=True)
class Purse:
    """Money as the asker needs it: `worst` and `cost` in nano-dollars.

    Attributes:
        ledger: what was spent, and the cap.
        price: of the model.
        max_tokens: most tokens of an answer.
        remedy: what to do when the budget is used up.
    """

    ledger: Ledger
    price: Price
    max_tokens: int
    remedy: str = MORE_MONEY

    def worst(self, ask: Ask, answers: int) -> int:
        """The most that one try of an ask for so many thoughts can cost."""
        return self.price.worst(body_bytes(ask), self.max_tokens * answers)


class Asker:
    """Sends asks, many at once, each paid for once.

    Args:
        api: the teacher.
        journal: where everything is noted.
        purse: what may be spent.
        pacer: how fast.
        progress: what the person sees.
        max_tries: of one ask, apart from those that the server turned away as too many.
    """

    def __init__(
        self, api: Sender, journal: Journal, purse: Purse, pacer: Pacer, progress: AskProgress, max_tries: int
    ) -> None:
        self.stopped: RunStopped | None = None
        self._api = api
        self._journal = journal
        self._purse = purse
        self._pacer = pacer
        self._progress = progress
        self._max_tries = max_tries
        self._flying: set[asyncio.Task[Any]] = set()
        self._idle: set[asyncio.Task[Any]] = set()
        self._asking: dict[str, asyncio.Event] = {}
        self._settled = asyncio.Event()
        self._numbers = itertools.count()
        self._deadline: float | None = None
        self._run = f"{time.time_ns():x}{os.getpid():x}"

    async def run(self, workers: Iterable[Callable[[], Any]]) -> None:
        """Run workers (coroutine functions that call `ask`) until all are done, or the run is stopped.

        Raises:
            RunStopped: if `stop` was called; answers that were on their way have been noted.
        """
        tasks = [asyncio.ensure_future(worker()) for worker in workers]
        self._idle = set(tasks)
        try:
            await self._watch(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self.stopped is not None:
            raise self.stopped

    async def _watch(self, tasks: list[asyncio.Task[Any]]) -> None:
        left = set(tasks)
        ours: BaseException | None = None
        while left:
            done, left = await asyncio.wait(left, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None:
                    if not isinstance(error, RunStopped):
                        ours = ours or error
                        error = RunStopped("stopped by an error")
                    self.stop(error)
            if self._deadline is not None and time.monotonic() >= self._deadline:
                break
        if ours is not None:
            raise ours

    def stop(self, why: RunStopped) -> RunStopped:
        """Send nothing more; answers that are on their way are still noted. Returns the first reason."""
        if self.stopped is None:
            self.stopped = why
            self._deadline = time.monotonic() + DRAIN_SECONDS
            for task in self._idle - self._flying - {asyncio.current_task()}:
                task.cancel()
        return self.stopped

    def abandon(self) -> None:
        """Wait no longer for answers that are on their way; they count at their worst case."""
        self._deadline = 0.0

    async def note(self, records: Records) -> None:
        """Journal records that came of no ask."""
        if records:
            await self._journal.write(*records)

    async def ask(self, ask: Ask, answers: int, decide: Callable[[dict[str, Any]], Records]) -> None:
        """Send an ask until there is an answer that stands, or none can be had.

        Args:
            ask: what to send. If another worker is sending the same, this one waits for its answer instead, and
                nothing is decided here: look into the journal.
            answers: thoughts that are asked for.
            decide: given the reply's record, returns further records to be written with it.
        """
        if (other := self._asking.get(ask.key)) is not None:
            await other.wait()
            return
        done = self._asking[ask.key] = asyncio.Event()
        try:
            await self._until_answered(ask, answers, decide)
        finally:
            del self._asking[ask.key]
            done.set()

    async def _until_answered(self, ask: Ask, answers: int, decide: Callable[[dict[str, Any]], Records]) -> None:
        tries = 0
        while True:
            sent_at = self._pacer.now()
            last = tries + 1 >= self._max_tries
            reply = await self._once(ask, answers, last, decide)
            if reply.kind != "again":
                return
            self._progress.retried(reply.code)
            self._note_failure(reply, sent_at)
            tries += reply.code not in _PRESSED
            if _stands(reply, last):
                return
            if self.stopped is not None:
                raise self.stopped
            await asyncio.sleep(self._pacer.backoff(tries) if tries else 0)

    def _note_failure(self, reply: Reply, sent_at: float) -> None:
        before = self._pacer.paused_until
        try:
            self._pacer.failed(reply, sent_at)
        except TeacherDown as error:
            why = f"{self._api.name}: {error}; what is done is kept: run the same command again"
            raise self.stop(RunStopped(why)) from error
        if self._pacer.paused_until > before:
            self._progress.paused(self._pacer.paused_until - self._pacer.now(), reply.code)
        self._progress.concurrency(self._pacer.allowed)

    async def _once(
        self,
        ask: Ask,
        answers: int,
        last: bool,
        decide: Callable[[dict[str, Any]], Records],
    ) -> Reply:
        """One try, noted before and after."""
        task = asyncio.current_task()
        assert task is not None
        if self.stopped is not None:
            raise self.stopped
        async with self._pacer.slot():
            if self.stopped is not None:
                raise self.stopped
            worst = self._purse.worst(ask, answers)
            await self._set_aside(worst)
            self._flying.add(task)
            try:
                return await self._send(ask, worst, last, decide)
            finally:
                self._flying.discard(task)
                self._settled.set()  # whoever waits for money sees whether anybody is left to wait for

    async def _send(
        self,
        ask: Ask,
        worst: int,
        last: bool,
        decide: Callable[[dict[str, Any]], Records],
    ) -> Reply:
        name = f"{self._run}-{next(self._numbers)}"
        sent = {"t": "sent", "id": name, "key": ask.key, "usd": dollars(worst), "at": _now()}
        await self._journal.write(sent)
        self._progress.sent()
        reply = await self._api.call(ask)
        cost = charged(self._purse.price, reply, worst)
        self._purse.ledger.settle(worst, cost)
        self._settled.set()
        record = reply_record(name, ask.key, reply, cost)
        more = decide(record) if _stands(reply, last) else ()
        await self._journal.write(record, *more)
        self._progress.settled(reply.usage, dollars(self._purse.ledger.total))
        if reply.kind == "run":
            raise self.stop(refused(self._api.name, reply))
        if reply.kind != "again":
            self._pacer.succeeded()
            self._progress.concurrency(self._pacer.allowed)
        return reply

    async def _set_aside(self, worst: int) -> None:
        """Set money aside, waiting for others to settle where that may make room.

        Raises:
            RunStopped: if it can never fit.
        """
        ledger = self._purse.ledger
        while not ledger.reserve(worst):
            if not self._flying or not ledger.can_fit(worst):
                raise self.stop(no_money(ledger, worst, self._purse.remedy))
            self._settled.clear()
            await self._settled.wait()


def charged(price: Price, reply: Reply, most: int, *, batch: bool = False) -> int:
    """Nano-dollars that a reply cost, as far as it is known; `most` where the vendor may have charged anything."""
    if reply.usage is not None and reply.billed == "usage":
        return price.cost(reply.usage, batch=batch)
    return 0 if reply.billed == "nothing" else most


def no_money(ledger: Ledger, least: int, remedy: str = MORE_MONEY) -> RunStopped:
    """The budget leaves no room for so many nano-dollars."""
    return RunStopped(
        f"the budget of ${dollars(ledger.cap or 0):,.2f} is used up: ${dollars(ledger.total):,.4f} are "
        f"spent or may have been, and the next request may cost ${dollars(least):,.4f}; what is done is kept: {remedy}"
    )


def refused(teacher: str, reply: Reply) -> RunStopped:
    """Why a run ends with a reply of kind "run"."""
    detail = f" ({reply.detail})" if reply.detail else ""
    return RunStopped(
        f"{teacher} refuses all requests: {reply.code}{detail}; what is done is kept: mend that, and run the same "
        "command again"
    )


def reply_record(name: str, key: str, reply: Reply, cost: int) -> dict[str, Any]:
    """The journal's record of a reply; `name` is the attempt's id or the batch's tag, cost in nano-dollars."""
    return {
        "t": "reply",
        "id": name,
        "key": key,
        "kind": reply.kind,
        "code": reply.code,
        "text": reply.text,
        "usage": None if reply.usage is None else list(astuple(reply.usage)),
        "usd": dollars(cost),
        "model": reply.model,
        "finish": reply.finish,
        "request_id": reply.request_id,
        "detail": reply.detail,
        "at": _now(),
    }


def _stands(reply: Reply, last: bool) -> bool:
    """Whether nothing more is tried after this reply."""
    return reply.kind in ("ok", "poor", "item") or (reply.kind == "again" and last and reply.code not in _PRESSED)


def body_bytes(ask: Ask) -> int:
    """Bytes of the texts that are sent; JSON's own marks and names are few beside them."""
    return sum(_text_bytes(value) for value in ask.body.values())


def _text_bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return sum(_text_bytes(item) for item in value.values())
    if isinstance(value, list):
        return sum(map(_text_bytes, value))
    return 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
