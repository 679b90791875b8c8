"""Settings of `synth.augment`, as flags; nested by what they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from curate.errors import UsageError
from curate.settings import RunSettings
from synth.checks.settings import FUTURE, CheckSettings
from synth.turn_rule import Recorded


@dataclass(frozen=True)
class ModelSettings:
    """The teacher model and what it is asked.

    Attributes:
        base_url: an OpenAI-compatible server (vLLM, Ollama, DeepSeek ...), or another Anthropic endpoint.
        per: one request a turn, which shows the teacher nothing that comes after it; or one a trajectory, about a
            seventh of the price, in which the teacher sees all results and may explain a step by what came of it.
            The hindsight checks are then always on.
        max_tokens: most tokens of one answer, thinking of a reasoning model included.
        max_tokens_field: what the server calls that; "auto" is max_completion_tokens for OpenAI itself and max_tokens
            for others.
        temperature: sampling temperature; left to the server unless given.
        effort: reasoning effort; left to the server unless given.
        extra_body: JSON object merged into each request, e.g. '{"chat_template_kwargs": {"enable_thinking": false}}'.
        cache_prompts: mark the dialogue so far for Anthropic's prompt cache (a write costs 1.25 of a read token, a
            hit .1); other servers cache by themselves.
        max_prompt_chars: a longer dialogue is shown with its longest old tool results shortened.
    """

    base_url: str | None = None
    per: Literal["turn", "trajectory"] = "turn"
    max_tokens: int = 1024
    max_tokens_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    temperature: float | None = None
    effort: str | None = None
    extra_body: str | None = None
    cache_prompts: bool = False
    max_prompt_chars: int = 200_000


@dataclass(frozen=True)
class PaceSettings:
    """How hard the teacher's server is pressed.

    Attributes:
        concurrency: most requests at once; fewer while the server says that it is too many.
        timeout_s: seconds until an answer counts as lost.
        max_wait_s: most seconds that a server's Retry-After is obeyed.
        max_tries: tries of one request before its turn is given up.
        give_up_s: the run stops after so many seconds in which no request succeeded.
    """

    concurrency: int = 64
    timeout_s: float = 180.0
    max_wait_s: float = 600.0
    max_tries: int = 8
    give_up_s: float = 900.0


@dataclass(frozen=True)
class MoneySettings:
    """What a run may cost.

    Attributes:
        budget_usd: hard cap of the journal's whole spending, earlier runs included; none without.
        prices: YAML table of prices that goes before the built-in one.
        dry_run: say what the run would cost, online and as a batch, and ask nobody.
        limit: a pilot: ask for this many turns only, and write 20 thoughts side by side to OUT.pilot.html.
        sample_seed: which turns a pilot takes.
    """

    budget_usd: float | None = None
    prices: Path | None = None
    dry_run: bool = False
    limit: int | None = None
    sample_seed: int = 0


@dataclass(frozen=True)
class BatchSettings:
    """The vendor's batch API: half the price, within 24 hours.

    Attributes:
        batch: submit the asks as batches and wait for them; a run that is stopped finds its batches again.
        cancel_batches: cancel the journal's open batches, keep what they have done, and end.
        poll_s: seconds between two looks at the open batches.
        max_open: most batches at once.
    """

    batch: bool = False
    cancel_batches: bool = False
    poll_s: float = 30.0
    max_open: int = 8


@dataclass(frozen=True)
class JournalSettings:
    """Where paid work is kept, and what becomes of what is missing.

    Attributes:
        journal: folder of everything a model teacher said, usable for any OUT; OUT.thoughts unless given.
        accept_partial: write OUT although turns were not asked for, or not in time; they are not trained on.
        retry_failed: ask again for turns that were given up.
        progress: a bar, or one JSON object a line on stderr.
    """

    journal: Path | None = None
    accept_partial: bool = False
    retry_failed: bool = False
    progress: Literal["bar", "json"] = "bar"


@dataclass(frozen=True)
class AugmentSettings:
    """Settings of one run.

    Attributes:
        folder: the curated dataset folder to read.
        out: the dataset folder to write.
        teacher: who writes the thoughts: offline (rules; no model, no key), openai:MODEL or anthropic:MODEL. Keys are
            read from OPENAI_API_KEY and ANTHROPIC_API_KEY.
        recorded: what becomes of thinking that the source recorded. A dropped one is not replaced, and its turn is not
            trained on.
        model: the teacher model.
        checks: what a written thought must not do.
        pace: how hard the server is pressed.
        money: what the run may cost.
        batches: the vendor's batch API.
        keep: where paid work is kept.
        run: workers and engine.
        overwrite: replace OUT.
        config: YAML file of these settings; flags override it.
    """

    folder: tyro.conf.Positional[Path]
    out: Path
    teacher: str = "offline"
    recorded: Recorded = "keep"
    model: ModelSettings = field(default_factory=ModelSettings)
    checks: CheckSettings = field(default_factory=CheckSettings)
    pace: PaceSettings = field(default_factory=PaceSettings)
    money: MoneySettings = field(default_factory=MoneySettings)
    batches: BatchSettings = field(default_factory=BatchSettings)
    keep: JournalSettings = field(default_factory=JournalSettings)
    run: RunSettings = field(default_factory=RunSettings)
    overwrite: bool = False
    config: Path | None = None

    @property
    def journal(self) -> Path:
        """The folder of what a model teacher says."""
        return self.keep.journal or self.out.with_name(f"{self.out.name}.thoughts")

    def check(self) -> None:
        """Refuse settings that cannot be right, or say nothing together.

        Raises:
            UsageError: naming the flag.
        """
        self.checks.check()
        self.run.check()
        _check_teacher(self)
        _check_amounts(self)


def _check_teacher(settings: AugmentSettings) -> None:
    if settings.teacher == "offline":
        asking = {
            "--base-url": settings.model.base_url,
            "--budget-usd": settings.money.budget_usd,
            "--dry-run": settings.money.dry_run,
            "--limit": settings.money.limit,
            "--batch": settings.batches.batch,
            "--cancel-batches": settings.batches.cancel_batches,
            "--journal": settings.keep.journal,
        }
        for flag, value in asking.items():
            if value:
                raise UsageError(f"{flag} says nothing with --teacher offline, which asks no model and costs nothing")
        return
    if settings.model.per == "trajectory" and (skipped := sorted(set(settings.checks.skip) & set(FUTURE))):
        raise UsageError(
            f"--per trajectory shows the teacher what comes later, so --skip {skipped[0]} cannot be: the hindsight "
            "checks are always on then"
        )
    if settings.run.engine == "ray" and settings.money.budget_usd is not None:
        raise UsageError("--budget-usd needs one purse, and --engine ray asks from many processes: leave one out")
    if settings.run.engine == "ray" and (settings.batches.batch or settings.model.base_url is None):
        raise UsageError(
            "--engine ray asks self-hosted teachers (--base-url, without --batch); for a vendor's API one process is "
            "enough: leave it out"
        )
    _check_alone(settings)


def _check_alone(settings: AugmentSettings) -> None:
    """Refuse flags that the way of asking could not keep."""
    money, ray = settings.money, settings.run.engine == "ray"
    if ray and money.budget_usd is not None:
        raise UsageError(
            "--budget-usd cannot be kept by many machines at once; leave it out, or leave out --engine ray"
        )
    if ray and money.limit is not None:
        raise UsageError("--limit is a pilot, which one process asks: leave out --engine ray")
    if settings.batches.cancel_batches and (money.dry_run or money.limit is not None):
        raise UsageError("--cancel-batches does nothing else; leave out --dry-run and --limit")


def _check_amounts(settings: AugmentSettings) -> None:
    least = {
        "--concurrency": (settings.pace.concurrency, 1),
        "--timeout-s": (settings.pace.timeout_s, 0.001),
        "--max-wait-s": (settings.pace.max_wait_s, 0),
        "--max-tries": (settings.pace.max_tries, 1),
        "--give-up-s": (settings.pace.give_up_s, 0),
        "--max-tokens": (settings.model.max_tokens, 16),
        "--max-prompt-chars": (settings.model.max_prompt_chars, 10_000),
        "--poll-s": (settings.batches.poll_s, 0.01),
        "--max-open": (settings.batches.max_open, 1),
        "--limit": (settings.money.limit, 1),
        "--budget-usd": (settings.money.budget_usd, 0),
    }
    for flag, (value, bound) in least.items():
        if value is not None and not value >= bound:
            raise UsageError(f"{flag} must be at least {bound:g}, not {value:g}")
