"""What both trainers share: how long and how fast, adapters, going on from a checkpoint, and what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers.trainer_callback import TrainerCallback, TrainerState

from train.chat_format import ChatFormat
from train.model_folder import CHECKPOINTS, STATE, ModelFolder
from train.models import usual_dtype
from train.ranks import rank, together
from train.trainer_settings import LoraSettings, OptimiserSettings, RunSettings


def run_trainer(trainer: Any, form: ChatFormat, place: ModelFolder) -> list[dict[str, Any]]:
    """Train from the last checkpoint on, and write the model; returns what was logged."""
    last = place.last_checkpoint()
    if last is not None and _is_last_step(last):  # to resume there would train one step more
        trainer.state = TrainerState.load_from_json(str(last / STATE))
        trainer._load_from_checkpoint(str(last))
    else:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    _save(trainer, form, place)
    history: list[dict[str, Any]] = trainer.state.log_history
    return history


def _save(trainer: Any, form: ChatFormat, place: ModelFolder) -> None:
    """Write the whole model, adapters merged; where its weights lie in parts, they are put together on the way."""
    parts: Path | None = None
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        parts = place.checkpoints / "whole"
        trainer.save_model(str(parts))  # all ranks give their part
    together()
    if rank():
        return
    model: Any = trainer.accelerator.unwrap_model(trainer.model) if parts is None else _loaded(parts, trainer)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()  # adapters become weights
    model.save_pretrained(place.partial)
    tokenizer: Any = form.tokenizer
    tokenizer.save_pretrained(place.partial)


def _loaded(saved: Path, trainer: Any) -> Any:
    """The model that a trainer saved, in the type that it was to have."""
    from transformers import AutoModelForCausalLM

    dtype = trainer.args.model_init_kwargs["dtype"]
    if not (saved / "adapter_config.json").is_file():
        return AutoModelForCausalLM.from_pretrained(str(saved), dtype=dtype)
    from peft import PeftModel

    base = AutoModelForCausalLM.from_pretrained(trainer.model.config._name_or_path, dtype=dtype)
    return PeftModel.from_pretrained(base, str(saved))


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


def run_arguments(settings: RunSettings) -> dict[str, Any]:
    """What all trainers are told of checkpoints and trackers."""
    return {
        "save_steps": settings.save_every,
        "save_total_limit": 2,
        "logging_steps": 1,
        "report_to": [name for name in settings.report_to if name != "tensorboard"] or "none",
    }


def trackers(settings: RunSettings, checkpoints: Path) -> list[TrainerCallback]:
    """TensorBoard's files beside the model: among the checkpoints they would go with them."""
    if "tensorboard" not in settings.report_to or rank():
        return []
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations.integration_utils import TensorBoardCallback

    beside = checkpoints.with_name(checkpoints.name.removesuffix(CHECKPOINTS) + ".tensorboard")
    return [TensorBoardCallback(SummaryWriter(str(beside)))]  # type: ignore[no-untyped-call]


def dtype_of(settings: OptimiserSettings) -> str:
    """The type of the weights."""
    return usual_dtype() if settings.dtype == "auto" else settings.dtype


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
