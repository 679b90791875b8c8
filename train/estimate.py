"""Memory and time of a training step before it is paid for: `python -m train.estimate --stage sft --gpus 8`.

Every figure is printed with how it came about. It is an estimate from dimensions and data sheets, not a measurement:
expect a third more or less in time. Nothing is loaded, torch is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from curate.cli import out, parse, run
from curate.errors import UsageError
from curate.report import text_table


@dataclass(frozen=True)
class EstimateSettings:
    """Settings of `python -m train.estimate`; the GPU is NVIDIA's H100 SXM (data sheet: 80 GB, 989 TFLOP/s, 3.35 TB/s).

    Attributes:
        model: a folder with config.json, or a name that is known.
        stage: fine-tuning or practice.
        gpus: that train.
        servers: GPUs of a vLLM server beside them.
        strategy: fsdp (all in parts), zero2 (weights whole), ddp (all whole).
        offload: weights and optimiser in the host's memory where the strategy can.
        lora_rank: of adapters on all linears; 0 trains all weights.
        batch_size: examples on a GPU at once.
        examples: of a step, or rollouts.
        generations: rollouts of one prompt.
        max_prompt: tokens of a prompt at most; of practice.
        max_tokens: tokens of an example or rollout at most, prompt included: memory follows from it.
        mean_prompt: tokens of a prompt on average; of practice.
        mean_tokens: tokens on average, prompt included: time follows from it.
        vllm: where turns are generated; of practice.
        vllm_memory: share of the GPU's memory that vLLM takes beside the trainer.
        gpu_memory: GB of a GPU.
        tflops: its peak in bfloat16, dense.
        bandwidth: TB/s of its memory.
        mfu: share of the peak that learning reaches.
        memory_share: share of the bandwidth that decoding reaches.
        gpus_a_node: joined by fast links.
        link: GB/s that a GPU sends within a node (NVLink 4: 900 both ways).
        network: GB/s that a GPU sends between nodes (one 400 Gb/s port a GPU).
    """

    model: str = "Qwen/Qwen3-4B-Thinking-2507"
    stage: Literal["sft", "grpo"] = "sft"
    gpus: int = 8
    servers: int = 0
    strategy: Literal["fsdp", "zero2", "ddp"] = "fsdp"
    offload: bool = False
    lora_rank: int = 0
    batch_size: int = 1
    examples: int = 64
    generations: int = 16
    max_prompt: int = 16_384
    max_tokens: int = 16_384
    mean_prompt: int = 4_096
    mean_tokens: int = 8_192
    vllm: Literal["colocate", "server"] = "colocate"
    vllm_memory: float = 0.4
    gpu_memory: float = 80.0
    tflops: float = 989.0
    bandwidth: float = 3.35
    mfu: float = 0.4
    memory_share: float = 0.6
    gpus_a_node: int = 8
    link: float = 450.0
    network: float = 50.0

    @property
    def scored_tokens(self) -> int:
        """Tokens that logits are needed of."""
        return self.max_tokens - self.max_prompt if self.stage == "grpo" else self.max_tokens

    @property
    def mean_completion(self) -> int:
        """Tokens of a completion on average."""
        return self.mean_tokens - self.mean_prompt

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: naming the flag.
        """
        for name in ("gpus", "batch_size", "examples", "generations", "max_tokens", "mean_tokens", "gpus_a_node"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1, not {getattr(self, name)}")
        for name in ("gpu_memory", "tflops", "bandwidth", "link", "network"):
            if not 0 < getattr(self, name) < inf:
                raise UsageError(f"--{name.replace('_', '-')} must be above 0, not {getattr(self, name)}")
        for name in ("mfu", "memory_share", "vllm_memory"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"--{name.replace('_', '-')} is a share above 0, not {getattr(self, name)}")
        if self.lora_rank < 0:
            raise UsageError(f"--lora-rank must be 0 (all weights) or more, not {self.lora_rank}")
        if self.mean_tokens > self.max_tokens:
            raise UsageError(f"--mean-tokens {self.mean_tokens} is more than --max-tokens {self.max_tokens}")
        if self.stage == "grpo" and (self.max_prompt >= self.max_tokens or self.mean_prompt >= self.mean_tokens):
            raise UsageError("--max-prompt and --mean-prompt must leave tokens for a completion")
        if self.stage == "grpo" and self.vllm == "server" and self.servers < 1:
            raise UsageError("--vllm server needs --servers, GPUs of the server")
        if self.offload and self.strategy == "ddp":
            raise UsageError("--offload is of --strategy fsdp and zero2")


def main(argv: Sequence[str] | None = None) -> int:
    """Print memory and time, line by line."""
    settings = parse(EstimateSettings, "python -m train.estimate", __doc__ or "", argv)

    def command() -> int:
        settings.check()
        return _estimate(settings)

    return run(command)


def _estimate(settings: EstimateSettings) -> int:
    from train.estimation import GIGA, memory, seconds, serving
    from train.model_shape import shape_of

    shape = shape_of(settings.model)
    adapters = f", {shape.adapters(settings.lora_rank):,} of adapters" if settings.lora_rank else ""
    out(f"{settings.model}: {shape.parameters:,} parameters{adapters}\n")
    lines = memory(shape, settings)
    rows = [[each.name + ("" if each.counts else " (host)"), f"{each.value / GIGA:.2f}", each.how] for each in lines]
    used = sum(each.value for each in lines if each.counts) / GIGA
    verdict = f"of {settings.gpu_memory:g} GB" + ("" if used <= settings.gpu_memory else ": does not fit")
    out(text_table(["memory of a GPU", "GB", "how"], [*rows, ["together", f"{used:.2f}", verdict]]))
    if settings.stage == "grpo":
        room, each = serving(shape, settings)
        rows = [[line.name, f"{line.value / GIGA:.2f}", line.how] for line in (room, each)]
        fits = max(0, int(room.value / each.value))
        told = "on one GPU" if fits else "on one GPU: does not fit"
        out("\n" + text_table(["vLLM", "GB", "how"], [*rows, ["longest rollouts at once", str(fits), told]]))
    times = seconds(shape, settings)
    rows = [[each.name + ("" if each.counts else " (hidden)"), f"{each.value:.1f}", each.how] for each in times]
    took = sum(each.value for each in times if each.counts)
    took = max([took, *(each.value for each in times)])
    out("\n" + text_table(["time of a step", "s", "how"], [*rows, ["together", f"{took:.1f}", ""]]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
