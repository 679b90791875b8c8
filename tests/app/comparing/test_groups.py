"""The rollouts of one prompt and step."""

import pytest

from app.comparing.groups import group_of, groups, members, table
from tests.app.comparing.made import dialogue, indexed, rollout, row


@pytest.fixture
def rows():
    """Two steps of two prompts with four rollouts each."""
    return [
        rollout(f"{step}{prompt}{trial}", trial, trial / 4, parent=prompt)
        for step in range(2)
        for prompt in ("p", "q")
        for trial in range(4)
    ]


def test_rollouts_of_a_prompt_and_step_are_a_group(rows):
    found = groups(indexed(rolls=("rollouts", rows)), "rolls")
    assert found["group"].to_list() == ["0p0", "0q0", "1p0", "1q0"]
    assert found["visit"].to_list() == [1, 1, 2, 2] and set(found["rollouts"]) == {4}
    assert found["mean"].to_list() == pytest.approx([0.375] * 4) and found["highest"].to_list() == [0.75] * 4


def test_one_prompt_alone_is_told_apart_by_rising_numbers():
    rows = [rollout(f"{step}{trial}", trial, 0.5) for step in range(3) for trial in range(4)]
    assert groups(indexed(rolls=("rollouts", rows)), "rolls")["rollouts"].to_list() == [4, 4, 4]


def test_trajectories_without_a_parent_are_in_no_group():
    frame = indexed(curated=("curated", [row("a"), row("b")]))
    assert groups(frame, "curated").is_empty() and members(frame, "curated", "a").is_empty()


def test_any_rollout_leads_to_its_group(rows):
    frame = indexed(rolls=("rollouts", rows))
    assert group_of(frame, "rolls", "1q2") == "1q0" and group_of(frame, "rolls", "none") is None
    assert members(frame, "rolls", "1q0")["trace"].to_list() == ["1q0", "1q1", "1q2", "1q3"]


def test_the_table_says_what_each_was_paid_for(rows):
    frame = indexed(rolls=("rollouts", rows))
    read = {each["trajectory_id"]: each for each in rows}
    found = table(members(frame, "rolls", "0p0"), read.get)
    assert found["rollout"].to_list() == [0, 1, 2, 3] and found["tier"].to_list() == ["exact"] * 4
    assert found["answer"].to_list() == [1.0] * 4 and found["no_repeats"].to_list() == [0.25] * 4
    assert found["ending"].to_list() == ["answered"] * 4
    assert set(found["length"]) == {len('{"order_id": "W1"}It is open.')}
    assert found["advantage"].sum() == pytest.approx(0, abs=1e-6) and found["advantage"][0] < 0 < found["advantage"][3]


def test_a_rollout_without_a_score_or_with_broken_metadata_stands_in_the_table():
    good, none, broken = rollout("a", 0, 1.0), rollout("b", 1, None), rollout("c", 2, 0.5)
    frame = indexed(rolls=("rollouts", [good, none, broken]))
    broken["metadata"] = "{"
    none["metadata"] = '{"reward": {"answer": null, "trace": 3, "reward": "x"}, "status": "crashed"}'
    read = {each["trajectory_id"]: each for each in (good, none, broken)}
    found = table(members(frame, "rolls", "a"), read.get)
    assert found["trace"].to_list() == ["a", "b", "c"]
    assert found["answer"].to_list() == [1.0, None, None] and found["advantage"][1] is None


def test_a_group_whose_rollouts_are_all_paid_the_same_has_no_advantage():
    rows = [rollout(str(trial), trial, 0.5, messages=dialogue()) for trial in range(4)]
    found = table(members(indexed(rolls=("rollouts", rows)), "rolls", "0"), {r["trajectory_id"]: r for r in rows}.get)
    assert found["advantage"].to_list() == [0.0] * 4
