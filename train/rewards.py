"""The hybrid reward: R = a * R_answer + (1 - a) * R_process, where a falls with the worst evidence of the rollout.

Form and tier weights are the paper's (arXiv 2606.14179, section 4); a from p, the cost of evidence and the tiers it
does not have are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from cachebuild.answer import Tier
from synth.process_reward import ProcessReward
from train.settings import HIGHEST, LOWEST, RewardSettings

TIER_ALPHA: dict[Tier, float] = {
    "exact": 0.6,
    "normalised": 0.3,
    "fuzzy": 0.3,
    "best_effort": 0.1,
    "unavailable": 0.1,
    "simulated": 0.1,
}
"""Weight of the answer by worst tier; normalised is no better than fuzzy until an audit shows it >= .99 right."""


@dataclass(frozen=True, slots=True)
class Reward:
    """What a rollout is paid, and what for.

    Attributes:
        total: R, 0 to 1; None where the judge gave no score.
        alpha: weight of the answer.
        answer: R_answer, 0 to 1; None where the judge gave no score.
        process: R_process with its parts.
        tier: the worst tier, None without calls.
        p: the lowest p; 0 for a rollout without a call where the reference calls.
    """

    total: float | None
    alpha: float
    answer: float | None
    process: ProcessReward
    tier: Tier | None
    p: float


def hybrid_reward(
    answer: float | None,
    process: ProcessReward,
    tier: Tier | None,
    min_p: float,
    settings: RewardSettings,
    *,
    wants_calls: bool = False,
) -> Reward:
    """Pay a rollout.

    Args:
        answer: R_answer, 0 to 1; None if there is no score: nothing is paid then, not even for the process, as that
            would compare a part of one rollout with the whole of another.
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
    if answer is None:
        return Reward(None, alpha, None, process, tier, p)
    total = alpha * answer + (1 - alpha) * process.total
    return Reward(total * (0.5 + 0.5 * p) if settings.evidence_cost else total, alpha, answer, process, tier, p)
