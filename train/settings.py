"""Settings of the training commands, as flags; light, so that `--help` needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from tyro.conf import Positional

from curate.errors import UsageError
from synth.process_reward import ProcessWeights
from train.judge_settings import JudgeSettings

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
class LoraSettings:
    """Low-rank adapters instead of a full fine-tune; merged into the model that is saved.

    Attributes:
        lora_rank: of the adapters; 0 trains all weights.
        lora_alpha: their scale is lora_alpha / lora_rank.
        dropout: before them.
    """

    lora_rank: int = 0
    lora_alpha: int = 128
    dropout: float = 0.0

    def check(self) -> None:
        """Refuse adapters that are none.

        Raises:
            UsageError: naming the setting.
        """
        if self.lora_rank < 0:
            raise UsageError(f"--lora-rank must be 0 (all weights) or more, not {self.lora_rank}")
        if self.lora_alpha < 1:
            raise UsageError(f"--lora-alpha must be at least 1, not {self.lora_alpha}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"--dropout must be at least 0 and below 1, not {self.dropout}")


@dataclass(frozen=True)
class OptimiserSettings:
    """How long and how fast.

    Attributes:
        epochs: passes over the examples.
        max_steps: stop after so many steps; 0 for all epochs.
        learning_rate: at its highest.
        schedule: how it falls.
        warmup_share: share of the steps in which it rises.
        batch_size: examples on a device at once.
        accumulate: batches of one step.
        group_by_length: batches of examples of about one length: less padding, in a less random order.
        weight_decay: of AdamW.
        dtype: of the weights; auto is bfloat16 on a GPU that has it, else float32.
        activation_checkpointing: trade time for memory.
        seed: of shuffling and dropout.
    """

    epochs: float = 2.0
    max_steps: int = 0
    learning_rate: float = 1e-5
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_share: float = 0.03
    batch_size: int = 1
    accumulate: int = 8
    group_by_length: bool = False
    weight_decay: float = 0.0
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    activation_checkpointing: bool = False
    seed: int = 0

    def check(self) -> None:
        """Refuse a run that would not train.

        Raises:
            UsageError: naming the setting.
        """
        if not 0 < self.epochs < inf:
            raise UsageError(f"--epochs must be above 0, not {self.epochs}")
        if not 0 < self.learning_rate < inf:
            raise UsageError(f"--learning-rate must be above 0, not {self.learning_rate}")
        for name, least in ("max_steps", 0), ("batch_size", 1), ("accumulate", 1):
            if getattr(self, name) < least:
                raise UsageError(f"--{name.replace('_', '-')} must be at least {least}, not {getattr(self, name)}")
        if not 0 <= self.warmup_share < 1:
            raise UsageError(f"--warmup-share must be at least 0 and below 1, not {self.warmup_share}")
        if not 0 <= self.weight_decay < inf:
            raise UsageError(f"--weight-decay must not be negative, not {self.weight_decay}")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"--seed must be at least 0 and below 2^32, not {self.seed}")


TRACKERS = ("trackio", "wandb", "tensorboard", "mlflow", "comet_ml", "swanlab", "clearml", "dvclive")
"""Trackers, by the names that transformers and their packages have."""


@dataclass(frozen=True)
class RunSettings:
    """What does not change the weights.

    Attributes:
        save_every: steps between checkpoints.
        report_to: trackers that get the metrics too, e.g. trackio, wandb, tensorboard (files in OUT.tensorboard).
        overwrite: replace an existing model of this command.
    """

    save_every: int = 100
    report_to: tuple[str, ...] = ()
    overwrite: bool = False

    def check(self) -> None:
        """Refuse a tracker that is unknown or not installed.

        Raises:
            UsageError: naming the setting.
        """
        if self.save_every < 1:
            raise UsageError(f"--save-every must be at least 1 step, not {self.save_every}")
        for name in self.report_to:
            if name not in TRACKERS:
                raise UsageError(f"--report-to knows no tracker {name!r}; known are {', '.join(TRACKERS)}")
            if find_spec(name) is None:
                raise UsageError(f"--report-to {name} needs a package that is not installed: pip install {name}")


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
class VllmSettings:
    """How turns are generated; see the vLLM guide of TRL.

    Attributes:
        vllm: by transformers, by vLLM beside the trainer on its GPUs, or by a vLLM server on GPUs of its own.
        vllm_server: address of that server.
        vllm_timeout: seconds to wait for it.
        vllm_memory: share of a GPU's memory that vLLM takes beside the trainer.
        vllm_tensor_parallel: GPUs that share one copy of the model beside the trainer; divides the number of processes.
    """

    vllm: Literal["off", "colocate", "server"] = "off"
    vllm_server: str = "http://localhost:8000"
    vllm_timeout: float = 240.0
    vllm_memory: float = 0.3
    vllm_tensor_parallel: int = 1

    def check(self) -> None:
        """Refuse what vLLM or TRL would refuse later, or hang on.

        Raises:
            UsageError: naming the setting.
        """
        address = urlsplit(self.vllm_server)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise UsageError(f"--vllm-server must be an address like http://localhost:8000, not {self.vllm_server!r}")
        if not 0 < self.vllm_timeout < inf:
            raise UsageError(f"--vllm-timeout must be above 0 seconds, not {self.vllm_timeout}")
        if not 0 < self.vllm_memory < 1:
            raise UsageError(f"--vllm-memory is a share between 0 and 1, not {self.vllm_memory}")
        if self.vllm_tensor_parallel < 1:
            raise UsageError(f"--vllm-tensor-parallel must be at least 1, not {self.vllm_tensor_parallel}")
        if self.vllm_tensor_parallel > 1 and self.vllm != "colocate":
            raise UsageError("--vllm-tensor-parallel is of --vllm colocate; a server has flags of its own")


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
