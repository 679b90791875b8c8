"""Ask from many machines: each task takes some trajectories, asks about them, and notes it in segments of its own.

For self-hosted teachers that one process cannot keep busy. The journal's folder must be one that all nodes see; the
concurrency is shared out among the tasks, and each paces itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from curate.engine import engine_of
from curate.env import EnvRules
from curate.progress import track
from synth.asking.asker import Asker, Purse
from synth.asking.online import ask_online
from synth.asking.pacing import Pacer
from synth.asking.turns import RowAsks, Workshop
from synth.augmenting import Part, part_rows, parts
from synth.checks.row import fingerprint
from synth.journal import Journal
from synth.ledger import Ledger
from synth.prices import Price
from synth.progress import RunProgress
from synth.teachers.apis import make_api
from synth.thoughts import asked, rules_of
from synth.turn_rule import plan_turns

if TYPE_CHECKING:
    from synth.asking.run import ModelRun
    from synth.settings import AugmentSettings


@dataclass(frozen=True)
class AskPart:
    """Asks about the rows of a part, in whatever process it is called; picklable.

    Args:
        settings: of the run; `pace.concurrency` is this task's share.
        journal: the journal's folder.
        price: of the teacher.
        rules: what is known of the envs.
    """

    settings: AugmentSettings
    journal: Path
    price: Price
    rules: Mapping[str, EnvRules]

    def __call__(self, part: Part) -> dict[str, int]:
        """Ask; returns how many turns were decided, and how."""
        settings = self.settings
        journal = _journal(self.journal)
        journal.refresh()
        api = make_api(settings.teacher, settings.model, settings.pace)
        shop = Workshop(
            api, settings.model, settings.checks, fingerprint(settings.checks), journal, settings.keep.retry_failed
        )
        rows = list(self._rows(part, shop))
        total = sum(len(asks.indices) for asks in rows)
        with _Silent("json", total) as progress:
            asyncio.run(self._ask(rows, shop, journal, progress))
        counts = progress.counts()
        decided = {name: int(counts[name]) for name in ("accepted", "tombstones", "from_journal", "requests")}
        return decided | {"outcomes": progress.outcomes}

    def _rows(self, part: Part, shop: Workshop) -> Iterator[RowAsks]:
        for row in part_rows(part):
            indices = asked(plan_turns(row, self.settings.recorded))
            if indices:
                yield RowAsks(row, indices, shop, rules_of(self.rules, row))

    async def _ask(self, rows: list[RowAsks], shop: Workshop, journal: Journal, progress: RunProgress) -> None:
        pace = self.settings.pace
        purse = Purse(Ledger(), self.price, self.settings.model.max_tokens)
        asker = Asker(shop.api, journal, purse, Pacer(pace), progress, pace.max_tries)
        try:
            await ask_online(rows, asker, progress, pace.concurrency)
        finally:
            await shop.api.close()


class _Silent(RunProgress):
    """Counts without showing: the driver shows how many parts are done."""

    def _print(self, line: str) -> None:
        pass


@lru_cache(maxsize=1)
def _journal(folder: Path) -> Journal:
    """This process's own writer beside the others; the driver holds the journal's lock."""
    return Journal(folder)


def ask_spread(run: ModelRun) -> Counter[str]:
    """Ask about every trajectory of a run on the engine of its settings; returns the turns by what came of them.

    Raises:
        RunStopped: if a task's teacher cannot be asked now.
    """
    settings = run.settings
    jobs = list(parts(run.source.folder, settings.journal, ""))
    found = Counter[str]()
    with engine_of(settings.run) as engine:
        engine.reach(settings.journal)
        share = max(1, settings.pace.concurrency // max(1, min(len(jobs), getattr(engine, "cpus", 1))))
        task = AskPart(
            replace(settings, pace=replace(settings.pace, concurrency=share)),
            settings.journal.resolve(),
            run.price,
            run.source.rules,
        )
        for counts in track(engine.map(task, jobs), "augment", total=len(jobs), unit="part"):
            found.update(counts)
    run.journal.refresh()
    return found
