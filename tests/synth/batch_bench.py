"""A batch run over made-up asks against the stub: what a command does, small enough to be killed again and again.

As a process: `python tests/synth/batch_bench.py JOURNAL VENDOR URL ASKS CAP MAX_ASKS [cancel]` runs until every ask
has an answer.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from synth.asking.batches import BatchRun
from synth.asking.packing import Worst
from synth.journal.folder import Journal
from synth.ledger import Ledger
from synth.money import dollars
from synth.prices import Price
from synth.progress import RunProgress
from synth.settings import BatchSettings, ModelSettings, PaceSettings
from synth.teachers.apis import make_api
from synth.teachers.asks import Ask, BatchApi
from synth.teachers.batching import make_batches
from synth.teachers.sdk import SdkApi

KEY = "sk-test-0123456789abcdefghijklmnop"
PRICE = Price("stub-1", input=Decimal(1), write_5m=Decimal(1), output=Decimal(10), batch=Decimal("0.5"), source="here")
MAX_TOKENS = 64


def api_of(vendor: str, host: str, **pace: Any) -> SdkApi:
    """The vendor's API on the stub."""
    base_url = f"{host}/v1" if vendor == "openai" else host
    environ = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    model = ModelSettings(base_url=base_url, max_tokens=MAX_TOKENS)
    return make_api(f"{vendor}:stub-1", model, PaceSettings(**pace), environ)


def ask(number: int, text: str = "") -> Ask:
    """One made-up ask."""
    messages = [{"role": "user", "content": f"why {number}? {text}"}]
    return Ask(f"k{number:040x}", {"model": "stub-1", "messages": messages, "max_tokens": MAX_TOKENS})


def worst(ask: Ask) -> float:
    """The most dollars that an ask can cost."""
    return dollars(Worst(PRICE, MAX_TOKENS).of(ask))


@dataclass
class Bench:
    """Runs over the same asks with one journal.

    Attributes:
        folder: of the journal.
        vendor: openai or anthropic.
        host: of the stub.
        asks: what is asked.
        cap: dollars.
        max_asks: of one batch.
        max_open: batches at once.
        poll_s: between two looks.
    """

    folder: Path
    vendor: str
    host: str
    asks: list[Ask]
    cap: float | None = None
    max_asks: int | None = None
    max_open: int = 4
    poll_s: float = 0.02
    ledger: Ledger | None = None

    def open_asks(self, journal: Journal) -> Iterator[Ask]:
        """Those without an answer."""
        return (ask for ask in self.asks if journal.reply(ask.key) is None)

    def run(self, rounds: int = 20) -> list[int]:
        """Rounds until every ask has an answer; what each gave."""

        async def work(run: BatchRun, journal: Journal) -> list[int]:
            await run.settle_open()
            given: list[int] = []
            while any(self.open_asks(journal)) and len(given) < rounds:
                given.append(await run.round(self.open_asks(journal)))
            return given

        return self.within(work)

    def cancel(self) -> int:
        """Cancel what is open."""
        return self.within(lambda run, _: run.cancel())

    def within(self, work: Callable[[BatchRun, Journal], Any]) -> Any:
        """Do something with a run."""

        async def inside(run: BatchRun, journal: Journal, batches: BatchApi) -> Any:
            try:
                return await work(run, journal)
            finally:
                await batches.close()

        async def begin(journal: Journal, progress: RunProgress) -> Any:
            batches = self.batches()
            self.ledger = Ledger(self.cap, journal.account)
            settings = BatchSettings(batch=True, poll_s=self.poll_s, max_open=self.max_open)
            run = BatchRun(batches, journal, self.ledger, PRICE, MAX_TOKENS, settings, progress)
            return await inside(run, journal, batches)

        progress = RunProgress("json", len(self.asks), stream=io.StringIO())
        with Journal.open(self.folder) as journal, progress:
            return asyncio.run(begin(journal, progress))

    def batches(self) -> BatchApi:
        """The vendor's batches, perhaps with a smaller limit."""
        batches = make_batches(api_of(self.vendor, self.host))
        if self.vendor == "anthropic":
            vars(batches)["_search_s"] = self.poll_s
        if self.max_asks is not None:
            batches.max_asks = self.max_asks
        return batches

    def records(self, kind: str) -> list[dict[str, Any]]:
        """The journal's records of a type."""
        lines = [line for path in sorted(self.folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
        return [record for line in lines if (record := json.loads(line))["t"] == kind]


def main(folder: str, vendor: str, host: str, asks: str, cap: str, max_asks: str, *flags: str) -> None:
    """Run as a process that may be killed."""
    bench = Bench(Path(folder), vendor, host, [ask(n) for n in range(int(asks))], float(cap), int(max_asks))
    bench.poll_s = 0.05
    bench.cancel() if "cancel" in flags else bench.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
