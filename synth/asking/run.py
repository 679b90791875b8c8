"""A run with a model teacher, from its settings: the journal opened, the turns planned and asked."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.cli import say
from synth.asking.asker import Asker, Purse, RunStopped
from synth.asking.online import ask_online
from synth.asking.pacing import Pacer
from synth.asking.plan import Plan, plan_all, plan_pilot
from synth.asking.turns import RowAsks, Workshop
from synth.checks.row import fingerprint
from synth.journal import Journal, JournalReader
from synth.ledger import Ledger
from synth.money import dollars
from synth.prices import Price, price_of
from synth.progress import RunProgress
from synth.teachers.apis import make_api
from synth.thoughts import JournaledThoughts, rules_of

if TYPE_CHECKING:
    from synth.pipeline import Source
    from synth.settings import AugmentSettings


@dataclass
class ModelRun:
    """One run with a model teacher, its journal open.

    Attributes:
        settings: of the run.
        source: what is read.
        shop: what all turns share.
        journal: everything that was said.
        writer: the same journal where it can be added to; None in a run that asks nobody.
        ledger: what may still be spent.
        price: of the teacher.
    """

    settings: AugmentSettings
    source: Source
    shop: Workshop
    journal: JournalReader
    writer: Journal | None
    ledger: Ledger
    price: Price
    progress: RunProgress | None = field(default=None)

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
            yield cls(settings, source, shop, journal, writer, ledger, price)

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

            ask_spread(self)
            return
        keep, money = self.settings.keep, self.settings.money
        spent = dollars(self.ledger.total)
        with RunProgress(keep.progress, plan.turns, budget_usd=money.budget_usd, spent_usd=spent) as progress:
            self.progress = progress
            asyncio.run(self._ask(plan, progress))

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
def asked_thoughts(settings: AugmentSettings, source: Source) -> Iterator[tuple[JournaledThoughts, Mapping[str, Any]]]:
    """Ask, then give what the journal holds: the thoughts, and what the manifest says of them.

    Raises:
        RunStopped: if turns are missing and a partial output is not accepted.
    """
    with ModelRun.open(settings, source) as run:
        named = run.named()
        try:
            run.ask(run.plan())
        except RunStopped as stopped:
            if not settings.keep.accept_partial:
                raise
            say(f"{stopped}; writing {settings.out} with what there is")
            named["decided"] = run.journal.turns
        yield JournaledThoughts(run.shop), named
