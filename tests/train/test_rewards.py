import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachebuild.answer import TIERS
from curate.errors import UsageError
from synth.process_reward import ProcessReward
from train.rewards import hybrid_reward
from train.settings import RewardSettings

HALF = ProcessReward({}, 0.5)


@pytest.mark.parametrize(
    ("tier", "alpha"),
    [
        ("exact", 0.6),
        ("normalised", 0.3),
        ("fuzzy", 0.3),
        ("best_effort", 0.1),
        ("unavailable", 0.1),
        ("simulated", 0.1),
    ],
)
def test_the_answer_weighs_by_the_worst_tier(tier, alpha):
    paid = hybrid_reward(1.0, HALF, tier, 0.9, RewardSettings())
    assert (paid.alpha, paid.total) == (alpha, pytest.approx(alpha + (1 - alpha) * 0.5))


def test_the_answer_weighs_by_the_lowest_p():
    assert hybrid_reward(1.0, HALF, "fuzzy", 0.8, RewardSettings(alpha="fidelity")).alpha == pytest.approx(0.5)


def test_evidence_costs_where_both_parts_are_full():
    full = ProcessReward({}, 1.0)
    assert hybrid_reward(1.0, full, "fuzzy", 0.8, RewardSettings()).total == pytest.approx(1.0)
    assert hybrid_reward(1.0, full, "fuzzy", 0.8, RewardSettings(evidence_cost=True)).total == pytest.approx(0.9)


def test_no_call_where_one_was_wanted_rests_on_nothing():
    guessed = hybrid_reward(1.0, HALF, None, 1.0, RewardSettings(), wants_calls=True)
    assert (guessed.alpha, guessed.p) == (0.1, 0.0)
    assert hybrid_reward(1.0, HALF, None, 1.0, RewardSettings()).alpha == 0.6
    assert hybrid_reward(1.0, HALF, None, 1.0, RewardSettings(alpha="fidelity"), wants_calls=True).alpha == 0.1


def test_a_constant_weight_is_the_same_on_every_tier():
    settings = RewardSettings(alpha="constant", constant=0.4)
    assert {hybrid_reward(1.0, HALF, tier, 0.5, settings).total for tier in TIERS} == {0.7}
    with pytest.raises(UsageError, match="--constant"):
        RewardSettings(constant=1.5).check()


unit = st.floats(0, 1)


@given(
    unit, unit, st.sampled_from([None, *TIERS]), unit, st.sampled_from(["tier", "fidelity", "constant"]), st.booleans()
)
def test_a_reward_is_between_0_and_1_and_grows_with_its_parts(answer, process, tier, p, alpha, cost):
    settings = RewardSettings(alpha=alpha, evidence_cost=cost)
    paid = hybrid_reward(answer, ProcessReward({}, process), tier, p, settings).total
    assert -1e-9 <= paid <= 1 + 1e-9
    assert paid <= hybrid_reward(1.0, ProcessReward({}, 1.0), tier, p, settings).total + 1e-9
