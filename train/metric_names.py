"""Columns that metrics.parquet of train.grpo always has, so that a plot of one run works for every run.

What the process reward weighs and TRL adds stands beside them.
"""

from __future__ import annotations

from dataclasses import fields

from cachebuild.answer import TIERS
from synth.process_reward import ProcessWeights
from train.rollout import STATUSES

_TIERS = (*TIERS, "no_call")

GRPO_METRICS = (
    *("step", "reward", "reward_std", "frac_reward_zero_std", "loss", "kl", "grad_norm", "learning_rate"),
    *("reward/answer", "reward/process", "reward/alpha"),
    *(f"reward_by_tier/{tier}" for tier in _TIERS),
    *(f"tier/{tier}" for tier in _TIERS),
    *(f"process/{part.name}" for part in fields(ProcessWeights)),
    *(f"ended/{status}" for status in STATUSES),
    *("rollout/calls", "rollout/turns", "rollout/first_turn_tokens", "rollout/malformed_calls"),
    *("rollout/min_first_bound", "rollout/cut_results", "rollout/min_p"),
    *("completions/mean_length", "completions/min_length", "completions/max_length", "completions/clipped_ratio"),
    *("time/generation_s", "time/cache_s", "time/reward_s", "time/bookkeeping_s", "time/keeping_s", "step_time"),
)
"""reward_by_tier is null where no rollout met the tier; frac_reward_zero_std: the share of groups without variance."""
