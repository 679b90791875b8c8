"""Settings of the training commands, as flags; light, so that `--help` needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from curate.errors import UsageError


@dataclass(frozen=True)
class TokenSettings:
    """How rows become examples.

    Attributes:
        max_length: tokens of an example; a longer one is cut at the end of a turn.
        dialogue: "split": one example a user turn, earlier thoughts left out; "whole": one, with every thought.
    """

    max_length: int = 16_384
    dialogue: Literal["split", "whole"] = "split"

    def check(self) -> None:
        """Refuse lengths that hold nothing.

        Raises:
            UsageError: naming the setting.
        """
        if self.max_length < 2:
            raise UsageError(f"--max-length must be at least 2 tokens, not {self.max_length}")


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


@dataclass(frozen=True)
class SftSettings:
    """Settings of `python -m train.sft`.

    Attributes:
        data: a curated or augmented dataset folder, or rollouts.
        model: a local checkpoint or the id of one on the Hub.
        out: the folder of the trained model; what a stopped run left in OUT.checkpoints is gone on from.
        template: chat template to train with; auto takes the training form of the model's own.
        splits: whose trajectories are trained on; those of the validation split are evaluated on.
        dry_run: print one example with its trained tokens marked, and the counts; nothing is trained.
        save_every: steps between checkpoints.
        report_to: trackers that get the metrics too, e.g. trackio, wandb, tensorboard.
        overwrite: replace an existing model of this command.
        tokens: how rows become examples.
        lora: adapters.
        optimiser: how long and how fast.
        config: YAML or JSON file with any of these settings.
    """

    data: Positional[Path]
    model: str
    out: Path | None = None
    template: Literal["auto", "qwen3", "chatml", "own"] = "auto"
    splits: tuple[str, ...] = ("train",)
    dry_run: bool = False
    save_every: int = 100
    report_to: tuple[str, ...] = ()
    overwrite: bool = False
    tokens: TokenSettings = field(default_factory=TokenSettings)
    lora: LoraSettings = field(default_factory=LoraSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    config: Path | None = None

    def check(self) -> None:
        """Refuse settings that cannot be right.

        Raises:
            UsageError: naming the flag.
        """
        if self.out is None and not self.dry_run:
            raise UsageError("--out names the folder of the trained model; only --dry-run goes without")
        if self.save_every < 1:
            raise UsageError(f"--save-every must be at least 1 step, not {self.save_every}")
        for part in (self.tokens, self.lora, self.optimiser):
            part.check()
