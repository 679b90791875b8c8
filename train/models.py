"""Tokenizers and models, from a folder or the Hub."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from curate.errors import UsageError
from train.chat_format import ChatFormat, Template, chat_format

# trl 1.16 and peft 0.21 ask for the old name of a transformers 5 property, at every step.
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)


def load_format(model: str, template: Template, *, whole_dialogues: bool = False) -> ChatFormat:
    """The format to train a checkpoint in; its tokenizer is saved with that template.

    Raises:
        UsageError: if there is no tokenizer, or none that can be trained with.
    """
    form = chat_format(load_tokenizer(model), template, whole_dialogues=whole_dialogues)
    form.tokenizer.chat_template = form.template
    return form


def load_tokenizer(model: str) -> Any:
    """The tokenizer of a checkpoint.

    Raises:
        UsageError: if there is none.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise UsageError(f"--model {model} has no tokenizer that can be read: {_first_line(error)}") from error


def load_model(model: str) -> Any:
    """A causal language model to speak with: on the GPU if there is one, there in bfloat16, else in float32.

    Raises:
        UsageError: if there is none.
    """
    import torch
    from transformers import AutoModelForCausalLM

    check_checkpoint(model)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=usual_dtype())
    except (OSError, ValueError) as error:
        raise UsageError(f"--model {model} has no model that can be read: {_first_line(error)}") from error
    return loaded.to("cuda") if torch.cuda.is_available() else loaded


def usual_dtype() -> str:
    """The type of weights where none is asked for: bfloat16 on a GPU that has it, else float32."""
    import torch

    return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float32"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def check_checkpoint(model: str) -> None:
    """Refuse a folder that holds no checkpoint; an id of the Hub is not looked up.

    Raises:
        UsageError: naming it.
    """
    path = Path(model)
    if path.exists() and not (path / "config.json").is_file():
        raise UsageError(f"--model {model} is no checkpoint: it has no config.json")
