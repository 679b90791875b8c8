"""How long a text a model takes, read from its config.json; no torch, no network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.errors import UsageError
from train.settings import GrpoSettings, PromptSettings, RolloutSettings

DEFAULT_MAX_PROMPT = 16_384
"""Tokens of a prompt where --max-prompt leaves it open; the paper's."""


def model_config(model: str) -> dict[str, Any] | None:
    """What config.json of a folder says, or of a model of the Hub that was fetched before; None if there is none."""
    path: Any = Path(model) / "config.json"
    if not path.is_file() and model.count("/") == 1 and not Path(model).exists():
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            path = try_to_load_from_cache(model, "config.json")
        except HFValidationError:
            return None
    if not isinstance(path, str | Path):
        return None
    try:
        told = json.loads(Path(path).read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def context_of(model: str) -> int | None:
    """Tokens that a model has positions for, more where its config stretches them; None where it cannot be known."""
    told = model_config(model) or {}
    told = told.get("text_config") if isinstance(told.get("text_config"), dict) else told  # type: ignore[assignment]
    most = told.get("max_position_embeddings")
    if not isinstance(most, int) or isinstance(most, bool):
        return None
    scaling = told.get("rope_scaling") or told.get("rope_parameters") or {}
    factor = scaling.get("factor") if isinstance(scaling, dict) else None
    original = scaling.get("original_max_position_embeddings") if isinstance(scaling, dict) else None
    if isinstance(factor, int | float) and factor > 1:
        base = original if isinstance(original, int) else most
        most = max(most, int(factor * base))
    return most


def fitted(settings: GrpoSettings) -> GrpoSettings:
    """The settings with --max-prompt named.

    Raises:
        UsageError: if prompt and completion do not fit the model's context.
    """
    return replace(settings, prompt=fitted_prompt(settings.model, settings.prompt, settings.rollout))


def fitted_prompt(model: str | None, prompt: PromptSettings, rollout: RolloutSettings) -> PromptSettings:
    """Prompts with --max-prompt named.

    Args:
        model: a folder or an id on the Hub; None where its context cannot be known.
        prompt: which user turns become prompts.
        rollout: the limits of what follows them.

    Raises:
        UsageError: if prompt and completion do not fit the model's context.
    """
    context, completion = None if model is None else context_of(model), rollout.max_completion
    if context is not None and prompt.max_prompt + completion >= context + (prompt.max_prompt > 0):
        asked = f"--max-prompt {prompt.max_prompt} and " if prompt.max_prompt else ""
        raise UsageError(
            f"{asked}--max-completion {completion} do not fit the {context:,} positions of {model}"
            + ("" if prompt.max_prompt else ", or leave no room for a prompt")
        )
    if prompt.max_prompt:
        return prompt
    left = DEFAULT_MAX_PROMPT if context is None else min(DEFAULT_MAX_PROMPT, context - completion)
    return replace(prompt, max_prompt=left)
