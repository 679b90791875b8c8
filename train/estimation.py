"""The arithmetic of `train.estimate`: lines of memory and of time, each with how it came about.

An estimate, not a measurement: GB are 10^9 bytes, and what the allocator loses is the line "reserve".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from train.model_shape import Shape

if TYPE_CHECKING:
    from train.estimate import EstimateSettings

GIGA, TERA = 1e9, 1e12
TILE = 32_768
"""Entries of the vocabulary whose logits stand at once (TRL 1.16, trl/trainer/utils.py: fused LM head)."""
RESERVE = 4e9
"""Bytes for CUDA, NCCL, kernels and what the allocator loses; ours."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: what it is, how it came about, how much; `counts` if it is part of the sum."""

    name: str
    how: str
    value: float
    counts: bool = True


def memory(shape: Shape, asked: EstimateSettings) -> list[Line]:
    """Bytes on one GPU of the trainer, at the longest example."""
    lines = [*_states(shape, asked), *_activations(shape, asked)]
    if asked.stage == "grpo" and asked.vllm == "colocate":
        share = asked.vllm_memory * asked.gpu_memory * GIGA
        lines.append(Line("vLLM beside it", f"{asked.vllm_memory:g} x {asked.gpu_memory:g} GB", share))
    return [*lines, Line("reserve", "CUDA, NCCL, fragments", RESERVE)]


def _states(shape: Shape, asked: EstimateSettings) -> Iterator[Line]:
    """Weights, gradients, Adam: 16 bytes a trained parameter in mixed precision (ZeRO, arXiv 1910.02054, section 3).

    FSDP keeps what is trained in float32 (accelerate 1.15, utils/fsdp_utils.py), ZeRO-2 a copy of it beside bfloat16.
    """
    whole, trained = shape.parameters, shape.adapters(asked.lora_rank) if asked.lora_rank else shape.parameters
    frozen, parts = whole if asked.lora_rank else 0, asked.gpus
    count, kept = f"{trained:,}", f"{frozen:,}"
    shared = parts if asked.strategy == "fsdp" else 1
    if asked.stage == "grpo" and not frozen:
        yield Line("first model, for the KL", f"2 B x {whole:,}", 2.0 * whole)
    if frozen:
        yield Line("frozen weights", f"2 B x {kept} / {shared}", 2 * frozen / shared)
    if asked.strategy == "zero2":
        yield Line("trained weights, bfloat16", f"2 B x {count}", 2 * trained)
        yield Line("gradients", f"2 B x {count} / {parts}", 2 * trained / parts)
        yield Line("float32 weights and Adam", f"12 B x {count} / {parts}", 12 * trained / parts, not asked.offload)
        return
    yield Line("trained weights, float32", f"4 B x {count} / {shared}", 4 * trained / shared, not asked.offload)
    yield Line("gradients", f"4 B x {count} / {shared}", 4 * trained / shared, not asked.offload)
    yield Line("Adam", f"8 B x {count} / {shared}", 8 * trained / shared, not asked.offload)
    if asked.strategy == "fsdp":
        gathered = shape.embedding + 2 * shape.layer_parameters
        yield Line("gathered weights", f"2 B x (embedding + 2 layers = {gathered:,})", 2 * gathered)


def _activations(shape: Shape, asked: EstimateSettings) -> Iterator[Line]:
    tokens, scored = asked.batch_size * asked.max_tokens, asked.batch_size * asked.scored_tokens
    kept = 2 * shape.hidden * shape.layers
    yield Line("kept inputs of layers", f"2 B x {shape.hidden:,} x {shape.layers} x {tokens:,} tokens", kept * tokens)
    one = shape.layer_activations
    yield Line("one layer done again", f"{one:,} B x {tokens:,} tokens", one * tokens)
    yield Line("logits", f"4 B x {min(TILE, shape.vocab):,} x {scored:,} tokens", 4 * min(TILE, shape.vocab) * scored)


def serving(shape: Shape, asked: EstimateSettings) -> list[Line]:
    """How much of a rollout's keys and values a vLLM has room for: bytes, and rollouts of the longest length."""
    share = asked.vllm_memory if asked.vllm == "colocate" else 0.9
    room = share * asked.gpu_memory * GIGA - 2 * shape.parameters - RESERVE / 2
    each = shape.kv_bytes * asked.max_tokens
    return [
        Line("room for keys and values", f"{share:g} x {asked.gpu_memory:g} GB - weights - 2 GB", room),
        Line("one longest rollout", f"{shape.kv_bytes:,} B x {asked.max_tokens:,} tokens", each),
    ]


def seconds(shape: Shape, asked: EstimateSettings) -> list[Line]:
    """Seconds of one step, at the mean length."""
    lines = [_learning(shape, asked)]
    if asked.stage == "grpo":
        lines += _generating(shape, asked)
    return [*lines, *_talking(shape, asked)]


def _learning(shape: Shape, asked: EstimateSettings) -> Line:
    """2 operations a parameter and token forward, 2 for the inputs' gradients, 2 for the weights' (arXiv 2001.08361).

    Activation checkpointing goes forward once more; adapters spare the gradients of frozen weights; GRPO goes forward
    for the old and the first model too. Attention: 2 x heads x head x length a layer and token forward, twice that
    backward.
    """
    more = 2 if asked.stage == "grpo" else 0
    passes = (2 + 2 + 2) + (0 if asked.lora_rank else 2) + 2 * more
    tokens = asked.examples * asked.mean_tokens
    attention = (4.0 + more) * 2 * shape.heads * shape.head * asked.mean_tokens * shape.layers
    work = tokens * (passes * shape.parameters + attention)
    speed = asked.gpus * asked.tflops * TERA * asked.mfu
    how = f"{passes} x {shape.parameters:,} + {attention:.3g} of attention, x {tokens:,} tokens = {work:.3g} operations"
    return Line("learn", f"{how} / ({asked.gpus} x {asked.tflops:g} TFLOP/s x {asked.mfu:g})", work / speed)


def _generating(shape: Shape, asked: EstimateSettings) -> Iterator[Line]:
    """Decoding reads all weights and the rollouts' keys and values for each token, at the memory's pace.

    As if all were of the mean length: a step that waits for a long one takes longer.
    """
    servers = asked.gpus if asked.vllm == "colocate" else asked.servers
    room, each = (line.value for line in serving(shape, asked))
    each = each * asked.mean_tokens / asked.max_tokens
    on_one = ceil(asked.examples / servers)
    at_once = max(1, min(on_one, int(room / each)))
    waves = ceil(on_one / at_once)
    read = 2 * shape.parameters + at_once * each
    pace = asked.bandwidth * TERA * asked.memory_share
    how = f"{waves} x {asked.mean_completion:,} tokens x ({read / GIGA:.1f} GB for {at_once} rollouts at once"
    how += f" / ({asked.bandwidth:g} TB/s x {asked.memory_share:g}))"
    yield Line("generate", how, waves * asked.mean_completion * read / pace)
    new = asked.examples // asked.generations * asked.mean_prompt
    work = 2 * shape.parameters * new
    speed = servers * asked.tflops * TERA * asked.mfu
    yield Line("read prompts", f"2 x {shape.parameters:,} x {new:,} tokens, one prompt a group", work / speed)


def _talking(shape: Shape, asked: EstimateSettings) -> Iterator[Line]:
    """What a GPU sends for weights and gradients, at the pace of the slowest link; it is hidden behind the learning."""
    if asked.gpus == 1:
        return
    trained = float(shape.adapters(asked.lora_rank) if asked.lora_rank else shape.parameters)
    pace = asked.link if asked.gpus <= asked.gpus_a_node else asked.network
    batches = ceil(asked.examples / (asked.gpus * asked.batch_size))
    if asked.strategy == "fsdp":
        sent, how = (4 * shape.parameters + 4 * trained) * batches, "(2 + 2 B x weights + 4 B x trained)"
    else:
        sent, how = 4 * trained * (batches if asked.strategy == "zero2" else 1), "(2 + 2 B x trained)"
    how = f"{how} x {batches} batches = {sent / GIGA:.1f} GB / {pace:g} GB/s, while it learns"
    yield Line("send", how, sent / GIGA / pace, counts=False)
