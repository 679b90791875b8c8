"""Settings of the trainers, light as `train.settings`: adapters, optimiser, checkpoints, trackers, vLLM."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from math import inf
from typing import Literal
from urllib.parse import urlsplit

from curate.errors import UsageError


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

    def need_installed(self) -> None:
        """Refuse vLLM where it is not installed; TRL's client of a server needs it too.

        Raises:
            UsageError: naming the setting.
        """
        if self.vllm != "off" and find_spec("vllm") is None:
            raise UsageError(f"--vllm {self.vllm} needs a package that is not installed: pip install 'trl[vllm]'")
