"""Tokenizers and models, from a folder or the Hub."""

from __future__ import annotations

from typing import Any

from curate.errors import UsageError


def load_tokenizer(model: str) -> Any:
    """The tokenizer of a checkpoint.

    Raises:
        UsageError: if there is none.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"--model {model} has no tokenizer that can be read: {first}") from error
