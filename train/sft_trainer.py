"""TRL's SFTTrainer on examples whose labels stand already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from train.chat_format import ChatFormat
from train.settings import SftSettings
from train.trainers import dtype_of, lora_of, optimiser_arguments, run_arguments, trackers


def sft_trainer(settings: SftSettings, form: ChatFormat, examples: Dataset, checkpoints: Path) -> Any:
    """A trainer that keeps its checkpoints in a folder."""
    optimiser = settings.optimiser
    args = SFTConfig(
        output_dir=str(checkpoints),
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        model_init_kwargs={"dtype": dtype_of(optimiser)},
        **run_arguments(settings.run),
        **optimiser_arguments(optimiser),
    )
    tokenizer: Any = form.tokenizer
    return SFTTrainer(
        model=settings.model,
        args=args,
        train_dataset=examples,
        processing_class=tokenizer,
        peft_config=lora_of(settings.lora),
        callbacks=trackers(settings.run, checkpoints),
    )
