"""The hybrid reward: R = a * R_answer + (1 - a) * R_process, where a falls with the worst evidence of the rollout.

Form and tier weights are the paper's (arXiv 2606.14179, section 4); a from p, the cost of evidence and the tiers it
does not have are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cachebuild.answer import Tier
from curate.errors import UsageError
from synth.process_reward import ProcessReward, ProcessWeights

TIER_ALPHA: dict[Tier, float] = {
    "exact": 0.6,
    "normalised": 0.3,
    "fuzzy": 0.3,
    "best_effort": 0.1,
    "unavailable": 0.1,
    "simulated": 0.1,
}
"""Weight of the answer by worst tier; normalised is no better than fuzzy until an audit shows it >= .99 right."""
LOWEST, HIGHEST = 0.1, 0.6


@dataclass(frozen=True)
class RewardSettings:
    """How a rollout is paid.

    Attributes:
        alpha: weight of the answer by the worst "tier", by "fidelity" (.1 + .5 * lowest p), or "constant".
        constant: the weight where it is constant.
        evidence_cost: pay R * (.5 + .5 * lowest p), since the paper's form pays 1 on every tier when both parts are 1.
        process: weights of the parts of R_process.
    """

    alpha: Literal["tier", "fidelity", "constant"] = "tier"
    constant: float = HIGHEST
    evidence_cost: bool = False
    process: ProcessWeights = field(default_factory=ProcessWeights)

    def check(self) -> None:
        """Refuse weights that are none.

        Raises:
            UsageError: naming the setting.
        """
        if not 0 <= self.constant <= 1:
            raise UsageError(f"--constant must be between 0 and 1, not {self.constant}")
        self.process.check()


@dataclass(frozen=True, slots=True)
class Reward:
    """What a rollout is paid, and what for.

    Attributes:
        total: R, 0 to 1.
        alpha: weight of the answer.
        answer: R_answer, 0 to 1.
        process: R_process with its parts.
        tier: the worst tier, None without calls.
        p: the lowest p; 0 for a rollout without a call where the reference calls.
    """

    total: float
    alpha: float
    answer: float
    process: ProcessReward
    tier: Tier | None
    p: float


def hybrid_reward(
    answer: float,
    process: ProcessReward,
    tier: Tier | None,
    min_p: float,
    settings: RewardSettings,
    *,
    wants_calls: bool = False,
) -> Reward:
    """Pay a rollout.

    Args:
        answer: R_answer, 0 to 1.
        process: R_process.
        tier: the worst tier of the rollout, None if it made no call.
        min_p: the lowest p of its results, 1 without.
        settings: how it is paid.
        wants_calls: the reference calls a tool; a rollout without a call then rests on nothing.
    """
    p = 0.0 if tier is None and wants_calls else min_p
    if settings.alpha == "constant":
        alpha = settings.constant
    elif settings.alpha == "fidelity":
        alpha = LOWEST + (HIGHEST - LOWEST) * p
    else:
        alpha = TIER_ALPHA["unavailable" if wants_calls else "exact"] if tier is None else TIER_ALPHA[tier]
    total = alpha * answer + (1 - alpha) * process.total
    return Reward(total * (0.5 + 0.5 * p) if settings.evidence_cost else total, alpha, answer, process, tier, p)
