"""What both trainers share: how long and how fast, adapters, going on from a checkpoint, and what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers.trainer_callback import TrainerState

from train.chat_format import ChatFormat
from train.model_folder import STATE, ModelFolder
from train.settings import LoraSettings, OptimiserSettings


def run_trainer(trainer: Any, form: ChatFormat, place: ModelFolder) -> list[dict[str, Any]]:
    """Train from the last checkpoint on, and write the model; returns what was logged."""
    last = place.last_checkpoint()
    if last is not None and _is_last_step(last):  # to resume there would train one step more
        trainer.state = TrainerState.load_from_json(str(last / STATE))
        trainer._load_from_checkpoint(str(last))
    else:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()  # adapters become weights
    model.save_pretrained(place.partial)
    tokenizer: Any = form.tokenizer
    tokenizer.save_pretrained(place.partial)
    history: list[dict[str, Any]] = trainer.state.log_history
    return history


def _is_last_step(checkpoint: Path) -> bool:
    state = TrainerState.load_from_json(str(checkpoint / STATE))
    return bool(state.global_step >= state.max_steps)


def optimiser_arguments(settings: OptimiserSettings) -> dict[str, Any]:
    """What all trainers are told of how long and how fast."""
    cpu = not torch.cuda.is_available()
    return {
        "num_train_epochs": settings.epochs,
        "max_steps": settings.max_steps or -1,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.schedule,
        "warmup_steps": settings.warmup_share,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulate,
        "train_sampling_strategy": "group_by_length" if settings.group_by_length else "random",
        "weight_decay": settings.weight_decay,
        "activation_checkpointing": settings.activation_checkpointing,
        "seed": settings.seed,
        "data_seed": settings.seed,
        "use_cpu": cpu,
        "bf16": dtype_of(settings) == "bfloat16",
        "disable_tqdm": False,
    }


def dtype_of(settings: OptimiserSettings) -> str:
    """The type of the weights."""
    if settings.dtype != "auto":
        return settings.dtype
    return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float32"


def lora_of(settings: LoraSettings) -> LoraConfig | None:
    """The adapters, None for a full fine-tune."""
    if not settings.lora_rank:
        return None
    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
