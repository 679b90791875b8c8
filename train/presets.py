"""Settings to begin with, by name: those of the paper (arXiv 2606.14179) and of the mini desk.

They stand here as a config file has them. What a preset does not name keeps its default; `--config FILE` and flags
override it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SFT_PRESETS: Mapping[str, Mapping[str, Any]] = {
    # The paper fine-tunes all weights and names no figures; epochs and learning rate are ours.
    "paper": {
        "tokens": {"max_length": 16_384},
        "lora": {"lora_rank": 0},
        "optimiser": {"epochs": 2, "learning_rate": 1e-5, "activation_checkpointing": True},
    },
    "mini": {
        "tokens": {"max_length": 320},
        "optimiser": {
            "max_steps": 600,
            "batch_size": 64,
            "accumulate": 1,
            "group_by_length": True,
            "learning_rate": 3e-3,
            "warmup_share": 0.05,
        },
    },
}
"""Presets of train.sft."""

GRPO_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        "prompt": {"max_prompt": 16_384},
        "rollout": {"max_completion": 32_768, "min_first": 150},
        "reward": {"alpha": "tier"},
        "group": {"generations": 16, "beta": 0.15},
        "lora": {"lora_rank": 128, "lora_alpha": 128},
        "optimiser": {"learning_rate": 1e-6, "activation_checkpointing": True},
    },
    "mini": {
        "rollout": {"max_turns": 10, "max_completion": 240, "max_turn": 32, "min_first": 0, "answer_room": 8},
        # Where bad evidence costs nothing, a rollout that looks for it is paid .9 * R_process without an answer.
        "reward": {"alpha": "tier", "evidence_cost": True},
        "group": {"prompts": 16, "generations": 8, "beta": 0.03},
        "optimiser": {
            "max_steps": 60,
            "batch_size": 128,
            "learning_rate": 5e-4,
            "schedule": "constant",
            "warmup_share": 0.0,
        },
    },
}
"""Presets of train.grpo."""
