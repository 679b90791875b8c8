"""TRL's SFTTrainer on examples whose labels stand already."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from curate.folder import DatasetFolder
from train.chat_format import ChatFormat
from train.settings import LoraSettings, OptimiserSettings, SftSettings
from train.sft_data import write_examples
from train.tokens import Renderer


def examples_of(folder: DatasetFolder, splits: Iterable[str], renderer: Renderer, path: Path) -> Dataset:
    """The examples of a folder, mapped into memory from `path`."""
    write_examples(folder, splits, renderer, path)
    return Dataset.from_file(str(path))


def sft_trainer(settings: SftSettings, form: ChatFormat, examples: Dataset, checkpoints: Path) -> Any:
    """A trainer that keeps its checkpoints in a folder."""
    optimiser = settings.optimiser
    args = SFTConfig(
        output_dir=str(checkpoints),
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        model_init_kwargs={"dtype": dtype_of(optimiser)},
        save_steps=settings.save_every,
        save_total_limit=2,
        logging_steps=1,
        report_to=list(settings.report_to) or "none",
        **optimiser_arguments(optimiser),
    )
    tokenizer: Any = form.tokenizer
    return SFTTrainer(
        model=settings.model,
        args=args,
        train_dataset=examples,
        processing_class=tokenizer,
        peft_config=lora_of(settings.lora),
    )


def save_model(trainer: Any, form: ChatFormat, path: Path) -> None:
    """Write the trained model, adapters merged, and the tokenizer with the template it was trained with."""
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    model.save_pretrained(path)
    tokenizer: Any = form.tokenizer
    tokenizer.save_pretrained(path)


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
