"""A run with a model teacher, from its settings: the journal opened, the turns planned and asked."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from curate.atomic import writing
from curate.cli import say
from curate.errors import UsageError
from curate.folder import check_parent
from curate.manifest import Manifest
from synth.asking.asker import Asker, Purse, RunStopped
from synth.asking.batches import BatchRun
from synth.asking.online import ask_online
from synth.asking.pacing import Pacer
from synth.asking.plan import Plan, plan_all, plan_pilot
from synth.asking.rounds import Rounds
from synth.asking.turns import RowAsks, Workshop
from synth.checks.row import fingerprint
from synth.journal import Journal, JournalReader
from synth.ledger import Ledger
from synth.money import dollars
from synth.prices import Price, price_of
from synth.progress import RunProgress
from synth.teachers.apis import make_api
from synth.teachers.batching import make_batches
from synth.thoughts import JournaledThoughts, rules_of

if TYPE_CHECKING:
    from synth.pipeline import Source
    from synth.settings import AugmentSettings
    from synth.teachers.asks import BatchApi
    from synth.teachers.sdk import SdkApi


Asked: TypeAlias = tuple[JournaledThoughts, Mapping[str, Any], str]
"""The thoughts, what the manifest says of them, and a remark for the report."""


@dataclass
class ModelRun:
    """One run with a model teacher, its journal open.

    Attributes:
        settings: of the run.
        source: what is read.
        api: the teacher.
        shop: what all turns share.
        journal: everything that was said.
        writer: the same journal where it can be added to; None in a run that asks nobody.
        ledger: what may still be spent.
        price: of the teacher.
        outcomes: stands for what came of the turns that were asked about (`OpenTurn.stamp`).
    """

    settings: AugmentSettings
    source: Source
    api: SdkApi
    shop: Workshop
    journal: JournalReader
    writer: Journal | None
    ledger: Ledger
    price: Price
    outcomes: int = 0

    @classmethod
    @contextmanager
    def open(cls, settings: AugmentSettings, source: Source, *, asking: bool = True) -> Iterator[ModelRun]:
        """Open the journal and make the teacher.

        Args:
            settings: of the run.
            source: what is read.
            asking: whether somebody is going to be asked; if not, no key is needed and the journal is only read.

        Raises:
            UsageError: for a teacher, a key or a price that is not there, or a journal that cannot be used.
        """
        price = price_of(settings.teacher, settings.model.base_url, settings.money.prices)
        api = make_api(settings.teacher, settings.model, settings.pace, asking=asking)
        with ExitStack() as stack:
            journal: JournalReader
            writer = stack.enter_context(Journal.open(settings.journal)) if asking else None
            if writer is not None:
                journal = writer
            elif settings.journal.exists():
                journal = stack.enter_context(Journal.read(settings.journal))
            else:
                empty = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cacherl-")))
                journal = stack.enter_context(Journal.open(empty))
            ledger = Ledger(settings.money.budget_usd, journal.account)
            shop = Workshop(
                api, settings.model, settings.checks, fingerprint(settings.checks), journal, settings.keep.retry_failed
            )
            yield cls(settings, source, api, shop, journal, writer, ledger, price)

    def plan(self) -> Plan:
        """The turns of the run."""
        settings, folder = self.settings, self.source.folder
        if settings.money.limit is None:
            return plan_all(folder, settings.recorded)
        whole = settings.model.per == "trajectory"
        return plan_pilot(folder, settings.recorded, settings.money.limit, settings.money.sample_seed, whole=whole)

    def rows(self, plan: Plan) -> Iterator[RowAsks]:
        """The trajectories of a plan, ready to be asked about."""
        for row, indices in plan.rows():
            yield RowAsks(row, indices, self.shop, rules_of(self.source.rules, row))

    def ask(self, plan: Plan) -> None:
        """Ask until every turn of the plan is decided.

        Raises:
            RunStopped: if that cannot be done now.
            KeyboardInterrupt: if a signal has stopped it.
        """
        if self.settings.run.engine == "ray":
            from synth.asking.spread import ask_spread

            self.outcomes = ask_spread(self)["outcomes"] % 2**128
            return
        keep, money = self.settings.keep, self.settings.money
        if not self.settings.batches.batch and (count := len(self.journal.account.batches)):
            raise UsageError(
                f"{self.settings.journal} has {count:,} open batches, whose requests would be paid for twice; fetch "
                "them with --batch, or end them with --cancel-batches"
            )
        spent = dollars(self.ledger.total)
        with RunProgress(keep.progress, plan.turns, budget_usd=money.budget_usd, spent_usd=spent) as progress:
            ask = self._ask_in_batches if self.settings.batches.batch else self._ask
            try:
                asyncio.run(ask(plan, progress))
            finally:
                self.outcomes = progress.outcomes

    def cancel(self) -> int:
        """Cancel the journal's open batches, keep what they did; returns how many there were.

        Raises:
            RunStopped: if the vendor cannot be asked.
        """
        total = sum(len(batch["keys"]) for batch in self.journal.open_batches())
        with RunProgress(self.settings.keep.progress, total, spent_usd=dollars(self.ledger.total)) as progress:
            return asyncio.run(self._cancel(progress))

    async def _cancel(self, progress: RunProgress) -> int:
        batches = self._batches()
        try:
            return await self._batch_run(batches, progress).cancel()
        finally:
            await batches.close()

    def _batches(self) -> BatchApi:
        return make_batches(self.api)

    def _batch_run(self, batches: BatchApi, progress: RunProgress) -> BatchRun:
        assert self.writer is not None
        most = self.settings.model.max_tokens
        return BatchRun(batches, self.writer, self.ledger, self.price, most, self.settings.batches, progress)

    async def _ask_in_batches(self, plan: Plan, progress: RunProgress) -> None:
        assert self.writer is not None
        batches = self._batches()
        try:
            rounds = Rounds(lambda: self.rows(plan), self.writer, progress)
            await rounds.ask(self._batch_run(batches, progress))
        finally:
            await batches.close()

    async def _ask(self, plan: Plan, progress: RunProgress) -> None:
        pace = self.settings.pace
        purse = Purse(self.ledger, self.price, self.settings.model.max_tokens)
        progress.concurrency(pace.concurrency)
        assert self.writer is not None
        asker = Asker(self.shop.api, self.writer, purse, Pacer(pace), progress, pace.max_tries)
        try:
            await ask_online(self.rows(plan), asker, progress, pace.concurrency)
        finally:
            await self.shop.api.close()

    def remark(self) -> str:
        """The price that was counted with, and what seeing the future means."""
        price = f"Prices: {self.price.about()}."
        if self.settings.model.per == "turn":
            return f"The teacher saw nothing that comes after a turn. {price}"
        return (
            "The teacher saw each trajectory whole, so a thought may be steered by what came of its step in ways that "
            f"the checks do not see. {price}"
        )

    def named(self) -> dict[str, Any]:
        """What the manifest says of the teacher; neither host nor anything that does not bear on its thoughts."""
        model = self.settings.model
        return {
            "prompt_version": self.shop.version,
            "per": model.per,
            "max_tokens": model.max_tokens,
            "temperature": model.temperature,
            "effort": model.effort,
            "extra_body": model.extra_body,
            "max_prompt_chars": model.max_prompt_chars,
        }


@contextmanager
def asked_thoughts(settings: AugmentSettings, source: Source) -> Iterator[Asked]:
    """Ask, then give what the journal holds.

    Raises:
        RunStopped: if turns are missing and a partial output is not accepted.
    """
    _check_out(settings)
    with ModelRun.open(settings, source) as run:
        named = run.named()
        try:
            run.ask(run.plan())
        except RunStopped as stopped:
            if not settings.keep.accept_partial:
                raise
            say(f"{stopped}; writing {settings.out} with what there is")
        named["outcomes"] = f"{run.outcomes:032x}"
        yield JournaledThoughts(replace(run.shop, retry_failed=False)), named, run.remark()


def _check_out(settings: AugmentSettings) -> None:
    """Refuse an OUT that could not be written in the end, before anybody is paid.

    A dataset folder that stands there may be the result of this very run, so whether it may be replaced is seen later.

    Raises:
        UsageError: saying what is in the way.
    """
    out = settings.out
    check_parent(out)
    with writing(out, out.parent), tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent):
        pass
    if out.exists() and not Manifest.stands_in(out) and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"--out {out} exists and is no dataset folder, which is never overwritten; choose another")
