"""Settings of `python -m train.evaluate`, as flags; light, so that `--help` needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Literal, TypeAlias

from curate.errors import UsageError
from train.served_settings import ServerSettings
from train.settings import RolloutSettings

Thinking: TypeAlias = Literal["dropped", "kept"]
"""Whether thoughts of earlier user turns stand in the prompt."""

DESK = "desk"


@dataclass(frozen=True)
class EpisodeSettings(RolloutSettings):
    """The limits of one user turn; nothing holds up the first turn, since it is not training."""

    min_first: int = 0


@dataclass(frozen=True)
class SpeechSettings:
    """How turns are generated.

    Attributes:
        template: chat template; auto takes the training form of the model's own.
        temperature: of sampling; 0 takes the likeliest token, and one attempt says all.
        batch: episodes at once; a server is limited by --concurrency instead.
    """

    template: Literal["auto", "qwen3", "chatml", "own"] = "auto"
    temperature: float = 1.0
    batch: int = 128

    def check(self) -> None:
        """Refuse what cannot be sampled.

        Raises:
            UsageError: naming the flag.
        """
        if not 0 <= self.temperature < inf:
            raise UsageError(f"--temperature must not be negative, not {self.temperature}")
        if self.batch < 1:
            raise UsageError(f"--batch must be at least 1, not {self.batch}")


@dataclass(frozen=True)
class LiveSettings:
    """Of `--on desk`.

    Attributes:
        preset: "mini": requests of one message in a closed vocabulary; "full": a shop whose users talk.
        first_state: number of the first start state; those of the recordings must lie below it.
        max_user_turns: user turns of a dialogue; one that goes on beyond them ends there.
    """

    preset: Literal["mini", "full"] = "mini"
    first_state: int = 100_000
    max_user_turns: int = 16

    def check(self) -> None:
        """Refuse limits that are none.

        Raises:
            UsageError: naming the flag.
        """
        if self.first_state < 0:
            raise UsageError(f"--first-state must not be negative, not {self.first_state}")
        if self.max_user_turns < 1:
            raise UsageError(f"--max-user-turns must be at least 1, not {self.max_user_turns}")


@dataclass(frozen=True)
class RecordedSettings:
    """Of `--on DATA`.

    Attributes:
        splits: whose user turns are played.
        min_reward: least reward of the trajectory; one without a reward is taken too.
        cache: what answers calls; without it, the recorded results of equal calls do.
        drop_think_calls: leave calls of think tools out of the history, as train.sft and train.grpo do by this flag.
    """

    splits: tuple[str, ...] = ("test",)
    min_reward: float = 1.0
    cache: Path | None = None
    drop_think_calls: bool = False

    def check(self) -> None:
        """Refuse a bound that is none.

        Raises:
            UsageError: naming the flag.
        """
        if not -inf < self.min_reward < inf:
            raise UsageError(f"--min-reward must be a number, not {self.min_reward}")


@dataclass(frozen=True)
class EvaluateSettings:
    """Settings of `python -m train.evaluate`.

    Attributes:
        model: the checkpoint, or the id of a model on the Hub; or --base-url and --served-model instead.
        on: "desk" for live episodes, or a curated or augmented folder, whose recorded calls are expected.
        out: folder for one row an episode, the dialogues and a report; without it the figures are only printed.
        tasks: how many tasks of the desk, or user turns of DATA, at most.
        samples: attempts at each.
        thinking: whether thoughts of earlier user turns stand in the prompt: dropped, kept, or one after the other.
        seed: of sampling, of the tasks and of the intervals.
        overwrite: replace an existing evaluation.
        speech: how turns are generated.
        server: a served model.
        live: of --on desk.
        recorded: of --on DATA.
        rollout: limits of a user turn.
        config: YAML or JSON file with any of these settings.
    """

    model: str | None = None
    on: str = DESK
    out: Path | None = None
    tasks: int = 400
    samples: int = 2
    thinking: Literal["dropped", "kept", "both"] = "dropped"
    seed: int = 0
    overwrite: bool = False
    speech: SpeechSettings = field(default_factory=SpeechSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    recorded: RecordedSettings = field(default_factory=RecordedSettings)
    rollout: EpisodeSettings = field(default_factory=EpisodeSettings)
    config: Path | None = None

    @property
    def modes(self) -> tuple[Thinking, ...]:
        """The ways to treat earlier thoughts, in the order in which they are played."""
        return ("dropped", "kept") if self.thinking == "both" else (self.thinking,)

    def check(self) -> None:
        """Refuse settings that cannot be right.

        Raises:
            UsageError: naming the flag.
        """
        if (self.model is None) == (self.server.base_url is None):
            raise UsageError("name one of --model (a checkpoint) and --base-url with --served-model (a server)")
        for name in ("tasks", "samples"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"--seed must be at least 0 and below 2^63, not {self.seed}")
        if self.on == DESK and self.recorded.cache is not None:
            raise UsageError("--cache answers the calls of recorded turns (--on DATA); the desk answers its own")
        for part in (self.speech, self.server, self.live, self.recorded, self.rollout):
            part.check()
