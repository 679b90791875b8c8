"""A model as judge: asked like a teacher, paced, paid for once, journaled before a score is used.

An outage is waited out. When it lasts too long, the money is spent or the key is bad, the run stops; what was paid is
in the journal, and the same command goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

from curate.cli import say
from curate.errors import UsageError
from synth.asking.asker import Asker, Purse
from synth.asking.online import run_workers
from synth.asking.pacing import Pacer
from synth.journal import Journal
from synth.judging.base import Case, Verdict
from synth.judging.open_case import Bench, OpenCase
from synth.judging.rubric import rubric_version
from synth.judging.waiting import Waiting, WatchedApi
from synth.ledger import Ledger
from synth.money import dollars
from synth.prices import Price, price_of
from synth.teachers.apis import make_api
from synth.teachers.asks import Prompt, make_ask

if TYPE_CHECKING:
    from synth.judging.making import JudgeOptions
    from synth.teachers.sdk import SdkApi

PROBE = Prompt("You are asked whether you can be reached.", ("Answer with the word yes.",))
ROUNDS = 2
"""So many rounds of tries fail, each with a probe behind it that is answered, before an ask is given up."""


class ModelJudge:
    """Scores by the rubric in synth/prompts; made by `ModelJudge.open`.

    One event loop lives as long as the judge, so that connections and what was learnt of the server's pace are kept
    from one call of `judge` to the next.
    """

    def __init__(self, options: JudgeOptions, api: SdkApi, journal: Journal, price: Price) -> None:
        self.name = api.name
        self.version = rubric_version()
        self._options = options
        self._api = api
        self._journal = journal
        self._ledger = Ledger(options.budget_usd, journal.account)
        self._purse = Purse(self._ledger, price, options.model.max_tokens, "run again with a larger --budget-usd")
        self._pacer = Pacer(options.pace)
        self._waiting = Waiting(api.name, options.waits, options.pace.give_up_s)
        self._watched = WatchedApi(api, self._waiting)
        self._bench = Bench(api, journal)
        self._probe = make_ask(api, PROBE, self.version, 0)
        self._runner = asyncio.Runner()

    @classmethod
    @contextmanager
    def open(cls, options: JudgeOptions) -> Iterator[Self]:
        """Open the journal and make the judge.

        Raises:
            UsageError: for a model, a key or a price that is not there, or a journal that cannot be used.
        """
        with ExitStack() as stack:
            with options.own_flags():
                if options.journal is None:
                    raise UsageError("--journal must name a folder for what the judge says")
                price = price_of(options.judge, options.model.base_url, options.prices)
                api = make_api(options.judge, options.model, options.pace)
                journal = stack.enter_context(Journal.open(options.journal))
            judge = cls(options, api, journal, price)
            stack.callback(judge._close)
            say(judge._about(price))
            yield judge

    @property
    def spent_usd(self) -> float:
        """The most that everything in the journal may have cost."""
        return dollars(self._ledger.total)

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """The verdicts, in the order of the cases; many are asked for at once.

        Raises:
            RunStopped: if the judge cannot be asked now: no answer for too long, no money, a bad key.
            KeyboardInterrupt: if a signal has stopped it.
        """
        opened = [OpenCase(case, self._bench) for case in cases]
        asking = [each for each in opened if each.verdict is None]
        if asking:
            self._pacer.rested()
            with self._options.own_flags():
                self._runner.run(self._ask(asking))
        return [each.verdict for each in opened if each.verdict is not None]

    async def _ask(self, cases: Sequence[OpenCase]) -> None:
        pace = self._options.pace
        asker = Asker(self._watched, self._journal, self._purse, self._pacer, self._waiting, pace.max_tries)
        left = iter(cases)

        async def worker() -> None:
            for case in left:
                while case.verdict is None:
                    await self._ask_once(case, asker)

        await run_workers(asker, [worker] * min(len(cases), pace.concurrency))

    async def _ask_once(self, case: OpenCase, asker: Asker) -> None:
        """Send what the case asks next until there is an answer, or none can be had although the server answers.

        When its tries are used up, a probe tells whether the server is down, which says nothing about the ask. If it
        is, the ask goes on until the pacer gives up; if not, a second round of tries is the last.
        """
        assert case.ask is not None
        sent, came = case.ask, list[dict[str, Any]]()

        def decide(reply: dict[str, Any]) -> list[dict[str, Any]]:
            came.append(reply)
            if reply["kind"] != "again":
                case.take(reply)
            return []

        vain = 0
        while vain < ROUNDS:
            came.clear()
            await asker.ask(sent, 1, decide)
            if not came:  # the same was under way for another case
                case.look()
            if not came or came[0]["kind"] != "again":
                return
            vain = vain + 1 if await self._is_up(asker) else 0
        await asker.note(case.give_up(came[0]))

    async def _is_up(self, asker: Asker) -> bool:
        before = self._watched.answers
        await asker.ask(self._probe, 1, lambda reply: [])
        if self._watched.answers > before:
            return True
        await asyncio.sleep(self._pacer.backoff(self._options.pace.max_tries))
        return False

    def _about(self, price: Price) -> str:
        cap = "" if self._ledger.cap is None else f" of ${dollars(self._ledger.cap):,.2f}"
        return (
            f"judge {self.name}, rubric {self.version}; ${self.spent_usd:,.4f}{cap} spent so far in "
            f"{self._journal.folder}; price of {price.about()}"
        )

    def _close(self) -> None:
        with self._runner:
            self._runner.run(self._api.close())
