"""Before the whole bill: what a run would cost, and a pilot of a few turns whose thoughts are shown side by side."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from curate.atomic import write_file
from curate.cli import say
from curate.folder import check_parent
from synth.asking.asker import RunStopped, body_bytes
from synth.asking.plan import Plan, plan_all
from synth.asking.run import ModelRun
from synth.asking.turns import RowAsks
from synth.money import dollars
from synth.pilot import MAX_CASES, PilotAttempt, PilotCase, PilotFacts, pilot_page
from synth.pipeline import Source
from synth.teachers.asks import Usage
from synth.turn_rule import plan_turns

if TYPE_CHECKING:
    from synth.settings import AugmentSettings


def dry_run(settings: AugmentSettings) -> list[str]:
    """What a run would cost, in lines for the terminal; nobody is asked, and no key is needed."""
    from curate.report import text_table
    from synth.estimate import HEADERS, estimate, observed

    source = Source.open(settings)
    with ModelRun.open(settings, source, asking=False) as run:
        plan = run.plan()
        left = Counter[str]()
        price, journal = run.price, run.journal
        found = estimate(_sizes(run, plan, left), price, settings.model.max_tokens, observed(journal, settings.teacher))
        lines = [
            f"{plan.turns:,} turns need a teacher; {left['known']:,} stand in {settings.journal} already, "
            f"{left['open']:,} would be asked about in {left['asks']:,} requests",
            price.about(),
            "",
            text_table(list(HEADERS), found.rows()),
            "",
            *found.notes(),
        ]
        if run.ledger.total:
            lines.append(f"the journal has spent ${dollars(run.ledger.total):,.4f} so far")
    return lines


def _sizes(run: ModelRun, plan: Plan, left: Counter[str]) -> Iterator[tuple[int, int]]:
    """(bytes of the request, bytes of the prefix that an earlier one began with) of everything not yet asked."""
    for asks in run.rows(plan):
        before, last = 0, None
        for index in asks.indices:
            turn = asks.open(index)
            left["known" if turn.ask is None else "open"] += 1
            if turn.ask is None or turn.ask.key == last:
                continue
            last = turn.ask.key
            left["asks"] += 1
            size = body_bytes(turn.ask)
            yield size, min(before, size)
            before = size


def pilot(settings: AugmentSettings) -> list[str]:
    """Ask for a sample of the turns, and write 20 of their thoughts to OUT.pilot.html.

    Raises:
        RunStopped: if not one turn of the sample was decided.
    """
    check_parent(settings.out)
    source = Source.open(settings)
    page = settings.out.with_name(f"{settings.out.name}.pilot.html")
    with ModelRun.open(settings, source) as run:
        plan = run.plan()
        try:
            run.ask(plan)
        except RunStopped as stopped:
            if not run.journal.turns:
                raise
            say(str(stopped))
        facts, cases = _found(run, plan)
    write_file(page, pilot_page(cases, facts))
    lines = [
        f"asked {facts['turns_asked']:,} of {facts['turns_total']:,} turns: {facts['accepted']:,} thoughts accepted, "
        f"{facts['given_up']:,} turns given up, {facts['reasked']:,} asked again",
        *(f"  {code}: {count:,}" for code, count in Counter(facts["rejects"]).most_common()),
        f"${facts['usd']:,.4f} for {facts['tokens_in']:,} tokens in, {facts['tokens_out']:,} out",
    ]
    if facts["turns_asked"]:
        whole = facts["usd"] / facts["turns_asked"] * facts["turns_total"]
        if not run.price.known:
            lines.append(run.price.about())
        lines.append(f"the whole set would cost about ${whole:,.2f}; run again without --limit to go on from here")
    return [*lines, str(page)]


def cancel_batches(settings: AugmentSettings) -> list[str]:
    """Cancel the open batches of a run's journal and keep what they did."""
    with ModelRun.open(settings, Source.open(settings)) as run:
        before = run.journal.replies
        count = run.cancel()
        return [
            f"{count:,} batches cancelled; {run.journal.replies - before:,} answers that they had given are kept in "
            f"{settings.journal}; ${dollars(run.ledger.total):,.4f} spent"
        ]


def _found(run: ModelRun, plan: Plan) -> tuple[PilotFacts, list[PilotCase]]:
    """The figures of a pilot, and the turns to show: those drawn first."""
    settings = run.settings
    rejects = Counter[str]()
    days: set[str] = set()
    facts = PilotFacts(
        teacher=settings.teacher,
        prompt_version=run.shop.version,
        turns_total=plan_all(run.source.folder, settings.recorded).turns,
        turns_asked=0,
        accepted=0,
        reasked=0,
        given_up=0,
        tokens_in=0,
        tokens_out=0,
        usd=0.0,
    )
    shown: list[tuple[int, int, PilotCase]] = []
    run.shop = replace(run.shop, retry_failed=False)  # all that was to be asked has been
    for number, asks in enumerate(run.rows(plan)):
        for index in asks.indices:
            outcome = asks.open(index).outcome
            if outcome is None:
                continue
            facts["turns_asked"] += 1
            facts["accepted"] += outcome.text is not None
            facts["given_up"] += outcome.text is None
            facts["reasked"] += len(outcome.tried) > 1
            facts["tokens_in"] += outcome.tokens_in
            facts["tokens_out"] += outcome.tokens_out
            facts["usd"] += outcome.usd
            rejects.update(code for codes in outcome.tried for code in codes)
            days.update(day for day in (outcome.at,) if day)
            place = -plan.place(asks.row["trajectory_id"], index)
            heapq.heappush(shown, (place, -number * 100_000 - index, _case(run, asks, index)))
            if len(shown) > MAX_CASES:
                heapq.heappop(shown)
    facts["rejects"] = rejects
    facts["date"] = " - ".join(sorted({min(days), max(days)})) if days else ""
    return facts, [case for *_, case in sorted(shown, key=lambda entry: -entry[0])]


def _case(run: ModelRun, asks: RowAsks, index: int) -> PilotCase:
    """One turn as the page shows it, with every attempt."""
    turn = asks.open(index, whole_story=True)
    attempts = [
        PilotAttempt(text, codes, None if reply["usage"] is None else Usage(*reply["usage"]), reply["usd"])
        for text, codes, reply in turn.story()
    ]
    kind = next(t.kind for t in plan_turns(asks.row, run.settings.recorded) if t.message_index == index)
    accepted = turn.outcome is not None and turn.outcome.text is not None
    return PilotCase(asks.row, index, kind, "teacher" if accepted else "none", tuple(attempts))
