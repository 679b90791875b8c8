"""What a finished rollout is paid, what is logged of it, and the trajectory it is saved as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from cachebuild.answer import TIERS
from curate.canonical import hash128
from curate.env import DEFAULT_RULES, EnvRules
from curate.sandbox.checking import has_fact
from curate.trajectory import Message, Parent, Trajectory
from synth.answer_judge import required_facts
from synth.judging import Case, Verdict
from synth.judging.offline import OfflineJudge
from synth.process_reward import process_reward
from train.going_on import gone_on
from train.prompts import StoredPrompt
from train.rewards import Reward, hybrid_reward
from train.rollout import STATUSES, Rollout
from train.settings import RewardSettings


def case_of(rollout: Rollout, prompt: StoredPrompt) -> Case:
    """What a judge is given of a rollout: its answer, the dialogue before it, and what the data know of a good one."""
    dialogue = prompt.row["messages"][: prompt.part.message_index + 1]
    reference = final_text(prompt.reference)
    return Case(rollout.answer, dialogue, reference, _facts(prompt.row, reference))


def _facts(row: Trajectory, reference: str) -> tuple[str, ...]:
    """What the answer to one user turn must say: of a dialogue that said all it must, what was said in that turn."""
    facts = required_facts(row)
    if row["reward"] is None or row["reward"] < 1:
        return facts
    return tuple(fact for fact in facts if has_fact(reference, fact))


def score(
    rollout: Rollout,
    prompt: StoredPrompt,
    settings: RewardSettings,
    verdict: Verdict | None = None,
    rules: EnvRules = DEFAULT_RULES,
) -> Reward:
    """Pay a rollout for its answer, and for how it was made.

    Args:
        rollout: what happened.
        prompt: where it began.
        settings: how it is paid.
        verdict: of a judge on the answer; the offline judge's unless given.
        rules: of the env: which tools write.
    """
    if verdict is None:
        (verdict,) = OfflineJudge().judge([case_of(rollout, prompt)])
    wants = any(message["tool_calls"] for message in prompt.reference if message["role"] == "assistant")
    process = process_reward(rollout.messages, prompt.row["tools"], prompt.reference, settings.process, rules)
    return hybrid_reward(verdict.score, process, rollout.worst_tier, rollout.min_p, settings, wants_calls=wants)


def final_text(messages: Sequence[Message]) -> str:
    """The last text that the model said without a call."""
    said = (
        each["content"] or "" for each in reversed(messages) if each["role"] == "assistant" and not each["tool_calls"]
    )
    return next(said, "")


def metrics(rollouts: Sequence[Rollout], rewards: Sequence[Reward]) -> dict[str, float]:
    """What is logged of the rollouts of a step: means, shares of tiers and endings, reward by tier."""
    found: dict[str, float] = {
        "rollout/calls": fmean(len(each.evidence) for each in rollouts),
        "rollout/turns": fmean(len(each.turn_lengths) for each in rollouts),
        "rollout/first_turn_tokens": fmean(each.turn_lengths[0] if each.turn_lengths else 0 for each in rollouts),
        "rollout/malformed_calls": fmean(each.malformed for each in rollouts),
        "rollout/min_first_bound": fmean(each.min_bound for each in rollouts),
        "rollout/cut_results": fmean(each.cut_results for each in rollouts),
        "rollout/min_p": fmean(each.min_p for each in rollouts),
        "reward/answer": _mean(each.answer for each in rewards),
        "reward/process": fmean(each.process.total for each in rewards),
        "reward/alpha": fmean(each.alpha for each in rewards),
    }
    for name in rewards[0].process.parts:
        found[f"process/{name}"] = fmean(each.process.parts[name] for each in rewards)
    for status in STATUSES:
        found[f"ended/{status}"] = fmean(each.status == status for each in rollouts)
    for tier in (*TIERS, None):
        met = [reward for reward in rewards if reward.tier == tier]
        found[f"tier/{tier or 'no_call'}"] = len(met) / len(rewards)
        if any(reward.total is not None for reward in met):
            found[f"reward_by_tier/{tier or 'no_call'}"] = _mean(reward.total for reward in met)
    return found


def _mean(values: Iterable[float | None]) -> float:
    """Of those that there are; 0 without any."""
    there = [value for value in values if value is not None]
    return fmean(there) if there else 0.0


def trajectory(
    rollout: Rollout,
    prompt: StoredPrompt,
    reward: Reward,
    name: str,
    trial: int,
    judged: Mapping[str, str] | None = None,
) -> Trajectory:
    """The rollout as a row of the one schema, with tier and reward per step.

    Args:
        rollout: what happened.
        prompt: where it began.
        reward: what it was paid.
        name: tells rollouts of one prompt apart, e.g. by step and number.
        trial: its number within its group.
        judged: who scored the answer, by what, and what was said.
    """
    row, at = prompt.row, prompt.part.message_index
    return gone_on(
        row,
        at + 1,
        rollout.messages,
        [step | {"step_reward": reward.total} for step in rollout.evidence],
        _told(rollout, reward, judged),
        trajectory_id=hash128("rollout", row["trajectory_id"], str(at), name),
        source="rollout",
        trial=trial,
        reward=reward.total,
        parent=Parent(trajectory_id=row["trajectory_id"], message_index=at),
    )


def _told(rollout: Rollout, reward: Reward, judged: Mapping[str, str] | None) -> dict[str, Any]:
    """How it ended and what it was paid for, as a saved rollout tells it."""
    paid = {"answer": reward.answer, "process": reward.process.total, "alpha": reward.alpha, **reward.process.parts}
    told: dict[str, Any] = {
        "status": rollout.status,
        "error": rollout.error,
        "malformed_calls": rollout.malformed,
        "reward": paid,
    }
    told |= {"worst_tier": reward.tier, "min_p": reward.p}
    return told if judged is None else told | {"judge": dict(judged)}
