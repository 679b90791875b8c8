"""Settings of the training commands, as flags; light, so that `--help` needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Literal, TypeAlias

from tyro.conf import Positional

from curate.errors import UsageError
from synth.process_reward import ProcessWeights
from train.judge_settings import JudgeSettings
from train.trainer_settings import LoraSettings, OptimiserSettings, RunSettings, VllmSettings

PROMPT_KINDS = ("curated", "augmented")
"""Folders whose user turns a model can be put to."""
Preset: TypeAlias = Literal["paper", "mini"]
"""Settings to begin with (`train.presets`)."""


@dataclass(frozen=True)
class TokenSettings:
    """How rows become examples.

    Attributes:
        max_length: tokens of an example; a longer one is cut at the end of a turn.
        dialogue: "split": one example a user turn, earlier thoughts left out; "whole": one, with every thought.
        drop_think_calls: leave out calls of think tools and their results; their thoughts stay as thinking.
    """

    max_length: int = 16_384
    dialogue: Literal["split", "whole"] = "split"
    drop_think_calls: bool = False

    def check(self) -> None:
        """Refuse lengths that hold nothing.

        Raises:
            UsageError: naming the setting.
        """
        if self.max_length < 2:
            raise UsageError(f"--max-length must be at least 2 tokens, not {self.max_length}")


@dataclass(frozen=True)
class PromptSettings:
    """Which user turns become prompts.

    Attributes:
        splits: whose user turns.
        min_reward: least reward of the trajectory; one without a reward is taken too.
        max_prompt: tokens of a prompt at most, a longer one is left out and counted; 0 for 16,384, or for what
            --max-completion leaves of a shorter context.
        every_turn: also turns whose recorded reply calls no tool.
        drop_think_calls: leave out calls of think tools and their results; their thoughts stay as thinking.
    """

    splits: tuple[str, ...] = ("train",)
    min_reward: float = 1.0
    max_prompt: int = 0
    every_turn: bool = False
    drop_think_calls: bool = False

    def check(self) -> None:
        """Refuse bounds that no prompt can meet.

        Raises:
            UsageError: naming the setting.
        """
        if not -inf < self.min_reward < inf:
            raise UsageError(f"--min-reward must be a number, not {self.min_reward}")
        if self.max_prompt < 0:
            raise UsageError(f"--max-prompt must not be negative, not {self.max_prompt}")


@dataclass(frozen=True)
class RolloutSettings:
    """The limits of a rollout.

    Attributes:
        max_turns: turns of the model; calls of the last one are not run.
        max_completion: tokens of all turns and results together.
        max_turn: tokens of one turn; 0 for what is left of the completion.
        answer_room: tokens that must be left behind a result, or it is not put in and the rollout ends on its call.
        min_first: tokens of the first turn at least (the paper's 150; without it many rollouts make no call).
        max_result: tokens of one result; what is longer is cut, with a mark.
    """

    max_turns: int = 16
    max_completion: int = 32_768
    max_turn: int = 0
    answer_room: int = 256
    min_first: int = 150
    max_result: int = 4_096

    def check(self) -> None:
        """Refuse limits under which nothing can be said.

        Raises:
            UsageError: naming the setting.
        """
        for name in ("max_turns", "max_completion", "max_result"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1, not {getattr(self, name)}")
        for name in ("max_turn", "answer_room", "min_first"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} must not be negative, not {getattr(self, name)}")
        if self.answer_room >= self.max_completion:
            room = f"a --max-completion of {self.max_completion}"
            raise UsageError(f"--answer-room {self.answer_room} leaves no room for calls in {room}")
        most = self.max_turn or self.max_completion
        if self.min_first > most:
            raise UsageError(f"--min-first {self.min_first} is more than a turn may have ({most} tokens)")


LOWEST, HIGHEST = 0.1, 0.6
"""The least and the greatest weight of the answer in the paper's reward."""


@dataclass(frozen=True)
class RewardSettings:
    """How a rollout is paid.

    Attributes:
        alpha: weight of the answer by the worst "tier", by "fidelity" (.1 + .5 * lowest p), or "constant".
        constant: the weight where it is constant.
        evidence_cost: pay R * (.5 + .5 * lowest p), since the paper's form pays 1 on every tier when both parts are 1.
        process: weights of the parts of R_process.
    """

    alpha: Literal["tier", "fidelity", "constant"] = "tier"
    constant: float = HIGHEST
    evidence_cost: bool = False
    process: ProcessWeights = field(default_factory=ProcessWeights)

    def check(self) -> None:
        """Refuse weights that are none.

        Raises:
            UsageError: naming the setting.
        """
        if not 0 <= self.constant <= 1:
            raise UsageError(f"--constant must be between 0 and 1, not {self.constant}")
        self.process.check()


@dataclass(frozen=True)
class SftSettings:
    """Settings of `python -m train.sft`.

    Attributes:
        data: a curated or augmented dataset folder, or rollouts.
        model: a local checkpoint or the id of one on the Hub.
        out: the folder of the trained model; what a stopped run left in OUT.checkpoints is gone on from.
        template: chat template to train with; auto takes the training form of the model's own.
        splits: whose trajectories are trained on.
        dry_run: print one example with its trained tokens marked, and the counts; nothing is trained.
        tokens: how rows become examples.
        lora: adapters.
        optimiser: how long and how fast.
        run: what does not change the weights.
        preset: settings to begin with: the paper's, or those of the mini desk; --config and flags override them.
        config: YAML or JSON file with any of these settings; flags override it.
    """

    data: Positional[Path]
    model: str
    out: Path | None = None
    template: Literal["auto", "qwen3", "chatml", "own"] = "auto"
    splits: tuple[str, ...] = ("train",)
    dry_run: bool = False
    tokens: TokenSettings = field(default_factory=TokenSettings)
    lora: LoraSettings = field(default_factory=LoraSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    run: RunSettings = field(default_factory=RunSettings)
    preset: Preset | None = None
    config: Path | None = None

    def check(self) -> None:
        """Refuse settings that cannot be right.

        Raises:
            UsageError: naming the flag.
        """
        if self.out is None and not self.dry_run:
            raise UsageError("--out names the folder of the trained model; only --dry-run goes without")
        for part in (self.tokens, self.lora, self.optimiser, self.run):
            part.check()


@dataclass(frozen=True)
class GroupSettings:
    """How rollouts are drawn and compared.

    Attributes:
        generations: rollouts of one prompt, compared with each other.
        prompts: prompts of one step.
        temperature: of sampling.
        beta: weight of the KL divergence from the model that training began with.
        outcomes: whether the rollouts of a prompt share the recorded outcome of an equal call, or each draws its own.
        loss: how TRL adds up the tokens.
        engine: what generates.
    """

    generations: int = 16
    prompts: int = 8
    temperature: float = 1.0
    beta: float = 0.15
    outcomes: Literal["shared", "varied"] = "shared"
    loss: Literal["dapo", "grpo", "dr_grpo"] = "dapo"
    engine: VllmSettings = field(default_factory=VllmSettings)

    def check(self) -> None:
        """Refuse groups that cannot be compared.

        Raises:
            UsageError: naming the setting.
        """
        if self.generations < 2:
            raise UsageError(
                f"--generations must be at least 2, or there is nothing to compare, not {self.generations}"
            )
        if self.prompts < 1:
            raise UsageError(f"--prompts must be at least 1, not {self.prompts}")
        if not 0 < self.temperature < inf:
            raise UsageError(f"--temperature must be above 0, not {self.temperature}")
        if not 0 <= self.beta < inf:
            raise UsageError(f"--beta must not be negative, not {self.beta}")
        self.engine.check()


@dataclass(frozen=True)
class GrpoSettings:
    """Settings of `python -m train.grpo`.

    Attributes:
        data: a curated or augmented dataset folder, whose user turns are the prompts.
        cache: the tool-result cache that answers calls.
        model: a checkpoint of train.sft, or the id of a model.
        out: the folder of the trained model; what a stopped run left in OUT.checkpoints is gone on from.
        template: as of train.sft.
        prompt: which user turns become prompts.
        rollout: limits of a rollout.
        reward: how it is paid.
        judging: who scores its answer.
        group: how rollouts are drawn and compared.
        lora: adapters.
        optimiser: how long and how fast; batch_size is rollouts on a device at once, accumulate follows from it.
        run: what does not change the weights.
        preset: settings to begin with: the paper's, or those of the mini desk; --config and flags override them.
        config: YAML or JSON file with any of these settings; flags override it.
    """

    data: Positional[Path]
    cache: Path
    model: str
    out: Path
    template: Literal["auto", "qwen3", "chatml", "own"] = "auto"
    prompt: PromptSettings = field(default_factory=PromptSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    reward: RewardSettings = field(default_factory=RewardSettings)
    judging: JudgeSettings = field(default_factory=JudgeSettings)
    group: GroupSettings = field(default_factory=GroupSettings)
    lora: LoraSettings = field(default_factory=LoraSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    run: RunSettings = field(default_factory=lambda: RunSettings(save_every=20))
    preset: Preset | None = None
    config: Path | None = None

    def check(self) -> None:
        """Refuse settings that cannot be right.

        Raises:
            UsageError: naming the flag.
        """
        parts = (self.prompt, self.rollout, self.reward, self.judging, self.group, self.lora, self.optimiser, self.run)
        for part in parts:
            part.check()
