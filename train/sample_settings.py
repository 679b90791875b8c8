"""Settings of `train.sample`, as flags; light, so that `--help` needs no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from curate.errors import UsageError
from train.served_settings import ServerSettings
from train.settings import PromptSettings, RewardSettings, RolloutSettings


@dataclass(frozen=True)
class DrawSettings:
    """How rollouts are drawn.

    Attributes:
        samples: rollouts of one prompt.
        temperature: of sampling; 0 takes the likeliest token.
        seed: of sampling, of recorded outcomes, and of which prompts --limit takes.
        limit: take so many prompts; 0 for all.
        outcomes: whether the rollouts of a prompt share the recorded outcome of an equal call, or each draws its own.
        batch: rollouts at once of a model in this process, kept together; a server has --concurrency.
    """

    samples: int = 8
    temperature: float = 1.0
    seed: int = 0
    limit: int = 0
    outcomes: Literal["shared", "varied"] = "shared"
    batch: int = 64

    def check(self) -> None:
        """Refuse draws that are none.

        Raises:
            UsageError: naming the setting.
        """
        for name, least in ("samples", 1), ("limit", 0), ("batch", 1):
            if getattr(self, name) < least:
                raise UsageError(f"--{name} must be at least {least}, not {getattr(self, name)}")
        if not 0 <= self.temperature < inf:
            raise UsageError(f"--temperature must not be negative, not {self.temperature}")


@dataclass(frozen=True)
class SampleSettings:
    """Settings of `python -m train.sample`.

    Attributes:
        data: a curated or augmented dataset folder, whose user turns are the prompts.
        cache: the tool-result cache that answers calls.
        out: the folder of rollouts; what a stopped run left in OUT.journal is gone on from.
        model: a local checkpoint, or the id of one on the Hub; or else --base-url and --served-model.
        template: chat template of a model in this process; auto takes the training form of the model's own.
        overwrite: replace rollouts that stand there, and drop those of a stopped run with other settings.
        draw: how rollouts are drawn.
        prompt: which user turns become prompts.
        rollout: limits of a rollout; a server is not asked for --min-first, and knows --max-result as 4 bytes a token.
        reward: how it is paid.
        server: a model behind an OpenAI-compatible server.
        config: YAML or JSON file with any of these settings.
    """

    data: Positional[Path]
    cache: Path
    out: Path
    model: str | None = None
    template: Literal["auto", "qwen3", "chatml", "own"] = "auto"
    overwrite: bool = False
    draw: DrawSettings = field(default_factory=DrawSettings)
    prompt: PromptSettings = field(default_factory=PromptSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    reward: RewardSettings = field(default_factory=RewardSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    config: Path | None = None

    def check(self) -> None:
        """Refuse settings that cannot be right.

        Raises:
            UsageError: naming the flag.
        """
        for part in (self.draw, self.prompt, self.rollout, self.reward, self.server):
            part.check()
        if (self.model is None) == (self.server.base_url is None):
            raise UsageError("give either --model, or --base-url with --served-model")

    def identity(self, model: str) -> dict[str, Any]:
        """What decides the rollouts, but for what is read: not where things stand, nor how hard a server is pressed.

        Args:
            model: what names a model in this process, wherever it stands.
        """
        told = asdict(self)
        for name in ("data", "cache", "out", "overwrite", "config"):
            del told[name]
        server = told.pop("server")
        if self.model is not None:
            return told | {"model": model}
        for name in ("model", "template"):
            del told[name]
        del told["draw"]["batch"]
        return told | {name: server[name] for name in ("served_model", "extra_body")}
