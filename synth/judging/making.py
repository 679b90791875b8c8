"""From settings to a judge, whichever it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import UsageError
from synth.judging.base import Judge
from synth.settings import ModelSettings, PaceSettings


@dataclass(frozen=True)
class JudgeOptions:
    """Who judges, and how a model is asked.

    Attributes:
        judge: "offline", "openai:MODEL" or "anthropic:MODEL"; keys are read from OPENAI_API_KEY and ANTHROPIC_API_KEY.
        model: what a model is asked with.
        pace: how hard its server is pressed, and how long an outage is waited out.
        journal: folder of everything that a model said.
        budget_usd: hard cap of the journal's whole spending, earlier runs included; none without.
        prices: YAML table of prices that goes before the built-in one.
        flags: what the command calls the flags that messages of the teachers' client name.
        waits: who waits in an outage, in words.
    """

    judge: str = "offline"
    model: ModelSettings = field(default_factory=ModelSettings)
    pace: PaceSettings = field(default_factory=PaceSettings)
    journal: Path | None = None
    budget_usd: float | None = None
    prices: Path | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    waits: str = "judging waits"

    def identity(self) -> dict[str, Any]:
        """What decides the scores; neither host nor pace nor where they are kept."""
        if self.judge == "offline":
            from synth.judging.offline import OFFLINE_RUBRIC

            return {"judge": self.judge, "rubric": OFFLINE_RUBRIC}
        from synth.judging.rubric import rubric_version

        return {
            "judge": self.judge,
            "rubric": rubric_version(),
            "max_tokens": self.model.max_tokens,
            "temperature": self.model.temperature,
            "effort": self.model.effort,
            "extra_body": self.model.extra_body,
        }

    @contextmanager
    def own_flags(self) -> Iterator[None]:
        """Let errors that the client raises in the block name the flags as the command calls them."""
        from synth.asking.asker import RunStopped

        try:
            yield
        except (UsageError, RunStopped) as error:
            named = re.sub(
                r"(?<![\w/.-])--[a-z]+(?:-[a-z]+)*", lambda found: self.flags.get(found[0], found[0]), str(error)
            )
            raise type(error)(named) from error


@contextmanager
def open_judge(options: JudgeOptions) -> Iterator[Judge]:
    """The judge of the options, ready to be asked.

    Raises:
        UsageError: for a judge, a key or a price that is not there, or a journal that cannot be used.
    """
    if options.judge == "offline":
        from synth.judging.offline import OfflineJudge

        yield OfflineJudge()
        return
    from synth.judging.model import ModelJudge

    with ModelJudge.open(options) as judge:
        yield judge
