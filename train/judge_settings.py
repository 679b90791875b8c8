"""Who judges the answers of rollouts, as flags; light, so that `--help` needs neither torch nor an SDK."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import UsageError

if TYPE_CHECKING:
    from synth.judging import JudgeOptions

_OURS = {"--teacher": "--judge"} | {
    f"--{name}": f"--judge-{name}"
    for name in (
        "base-url",
        "max-tokens",
        "temperature",
        "effort",
        "extra-body",
        "journal",
        "budget-usd",
        "prices",
        "concurrency",
        "timeout-s",
        "give-up-s",
    )
}
"""Flags of synth.augment, which the shared client names in its messages, and ours."""

MAX_TRIES = 3
"""Of one ask in a row; a whole step waits for it."""


@dataclass(frozen=True)
class JudgeSettings:
    """Who scores the final answers.

    Attributes:
        judge: offline (required facts and values of the reference; no model, no key), openai:MODEL or anthropic:MODEL
            (0 to 5 by a written rubric). Keys are read from OPENAI_API_KEY and ANTHROPIC_API_KEY.
        judge_base_url: an OpenAI-compatible server (vLLM, Ollama, DeepSeek ...), or another Anthropic endpoint.
        judge_max_tokens: most tokens of one reply, thinking of a reasoning model included.
        judge_temperature: sampling temperature; left to the server unless given.
        judge_effort: reasoning effort; left to the server unless given.
        judge_extra_body: JSON object merged into each request.
        judge_journal: folder of everything a judge model said, usable for any OUT; OUT.judge unless given. A score in
            it is never paid for again.
        judge_budget_usd: hard cap of the journal's whole spending, earlier runs included; none without.
        judge_prices: YAML table of prices that goes before the built-in one.
        judge_concurrency: most requests at once; fewer while the server says that it is too many.
        judge_timeout_s: seconds until a reply counts as lost.
        judge_give_up_s: training waits while the judge does not answer, and stops after so many seconds without any
            reply; the same command goes on later.
    """

    judge: str = "offline"
    judge_base_url: str | None = None
    judge_max_tokens: int = 1024
    judge_temperature: float | None = None
    judge_effort: str | None = None
    judge_extra_body: str | None = None
    judge_journal: Path | None = None
    judge_budget_usd: float | None = None
    judge_prices: Path | None = None
    judge_concurrency: int = 64
    judge_timeout_s: float = 180.0
    judge_give_up_s: float = 900.0

    def check(self) -> None:
        """Refuse settings that cannot be right, or say nothing together.

        Raises:
            UsageError: naming the flag.
        """
        if self.judge == "offline":
            self._check_silent()
            return
        from synth.teachers.apis import checked_url, extra_fields, split_teacher

        with self.options(None).own_flags():
            split_teacher(self.judge)
            if self.judge_base_url is not None:
                checked_url(self.judge_base_url)
            if self.judge_extra_body is not None:
                extra_fields(self.judge_extra_body)
        least = {
            "max_tokens": 16,
            "budget_usd": 0,
            "temperature": 0,
            "concurrency": 1,
            "timeout_s": 0.001,
            "give_up_s": 0,
        }
        for name, bound in least.items():
            value = getattr(self, f"judge_{name}")
            if value is not None and not bound <= value < inf:
                raise UsageError(
                    f"--judge-{name.replace('_', '-')} must be at least {bound:g} and finite, not {value:g}"
                )

    def options(self, out: Path | None) -> JudgeOptions:
        """What the judge is made of.

        Args:
            out: the folder of the trained model, beside which a journal stands unless one is named.
        """
        from synth.judging import JudgeOptions
        from synth.settings import ModelSettings, PaceSettings

        beside = None if out is None else out.with_name(f"{out.name}.judge")
        return JudgeOptions(
            judge=self.judge,
            model=ModelSettings(
                base_url=self.judge_base_url,
                max_tokens=self.judge_max_tokens,
                temperature=self.judge_temperature,
                effort=self.judge_effort,
                extra_body=self.judge_extra_body,
            ),
            pace=PaceSettings(
                concurrency=self.judge_concurrency,
                timeout_s=self.judge_timeout_s,
                max_tries=MAX_TRIES,
                give_up_s=self.judge_give_up_s,
            ),
            journal=self.judge_journal or beside,
            budget_usd=self.judge_budget_usd,
            prices=self.judge_prices,
            flags=_OURS,
            waits="training waits",
        )

    def identity(self) -> dict[str, Any]:
        """What decides the scores, and with them the weights."""
        return self.options(None).identity()

    def _check_silent(self) -> None:
        asking = ("base_url", "journal", "budget_usd", "prices", "extra_body", "effort", "temperature")
        for name in asking:
            if getattr(self, f"judge_{name}") is not None:
                flag = f"--judge-{name.replace('_', '-')}"
                raise UsageError(f"{flag} says nothing with --judge offline, which asks no model and costs nothing")
