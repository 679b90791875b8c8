import json
import re
from collections import defaultdict

import pytest

from curate.errors import UsageError
from curate.sandbox import SKILLS, STOP, World, record, task_by_id
from curate.sandbox.mini import KINDS

WORD = re.compile(r"[A-Za-z0-9_]+")


@pytest.fixture(scope="module")
def episodes():
    return {preset: list(record(600, 4, preset)) for preset in ("full", "mini")}


def mean_by_skill(rows):
    rewards = defaultdict(list)
    for row in rows:
        rewards[row["metadata"]["skill"]].append(row["reward"])
    return {skill: sum(values) / len(values) for skill, values in rewards.items()}


@pytest.mark.parametrize("preset", ["full", "mini"])
def test_replaying_the_calls_on_a_fresh_world_gives_the_same_bytes(episodes, preset):
    failed = volatile = 0
    for row in episodes[preset][:240]:
        task = task_by_id(row["task_id"])
        assert task.initial_state_id == row["initial_state_id"]
        world = task.world(row["trial"])
        results = {message["tool_call_id"]: message for message in row["messages"] if message["role"] == "tool"}
        for message in row["messages"]:
            for call in message.get("tool_calls", ()):
                try:
                    arguments = json.loads(call["function"]["arguments"])
                except ValueError:
                    arguments = None
                text = results[call["id"]]["content"]
                assert world.call(call["function"]["name"], arguments) == text
                failed += "carrier did not answer" in text
                volatile += call["function"]["name"] == "get_wait_time"
        world.close()
    assert preset == "mini" or (failed and volatile)


@pytest.mark.parametrize("preset", ["full", "mini"])
def test_messages_are_openai_chat(episodes, preset):
    env_ids = {row["env_id"] for row in episodes[preset]}
    assert env_ids == {{"full": "desk", "mini": "desk-mini"}[preset]}
    for row in episodes[preset]:
        roles = [message["role"] for message in row["messages"]]
        assert roles[:2] == ["system", "user"]
        ids = [call["id"] for message in row["messages"] for call in message.get("tool_calls", ())]
        answered = [message["tool_call_id"] for message in row["messages"] if message["role"] == "tool"]
        assert ids == answered and len(set(ids)) == len(ids)
        for message in row["messages"]:
            assert message["role"] != "assistant" or message["content"] or message.get("tool_calls")
        assert {call["name"] for call in row["metadata"]["gold_calls"]} <= {t["function"]["name"] for t in row["tools"]}


def test_dialogues_end_with_the_user_or_a_transfer(episodes):
    for row in episodes["full"]:
        last = row["messages"][-1]
        assert last["content"].endswith(STOP) if last["role"] == "user" else last["name"] == "transfer_to_human"


@pytest.mark.parametrize("preset", ["full", "mini"])
def test_experts_succeed_and_rewards_follow_skill(episodes, preset):
    means = mean_by_skill(episodes[preset])
    assert means["expert"] >= 0.97
    assert means["expert"] > means["skilled"] > means["average"] > means["clumsy"]
    assert means["skilled"] > means["hasty"]
    overall = sum(row["reward"] for row in episodes[preset]) / len(episodes[preset])
    assert 0.5 <= overall <= 0.72


def test_assistant_turns_are_of_all_sorts(episodes):
    turns = [message for row in episodes["full"] for message in row["messages"] if message["role"] == "assistant"]
    calling = [turn for turn in turns if turn.get("tool_calls")]
    silent = sum(turn["content"] is None for turn in calling) / len(calling)
    assert 0.3 < silent < 0.8
    assert any(turn["content"] and re.search(r"\byour?\b", turn["content"]) for turn in calling)
    assert any(turn["content"] and "must be" in turn["content"] for turn in calling)
    assert any(len(turn["tool_calls"]) > 1 for turn in calling)
    assert any(not turn["tool_calls"][0]["function"]["arguments"].endswith("}") for turn in calling)


def test_tasks_share_start_states_and_trials_share_tasks():
    rows = list(record(60, 0, tasks_per_state=10, trials=2))
    assert len({row["initial_state_id"] for row in rows}) == 3
    assert len({row["task_id"] for row in rows}) == 30
    assert [row["trial"] for row in rows[:4]] == [0, 1, 0, 1]
    held_out = {row["initial_state_id"] for row in record(60, 0, tasks_per_state=10, trials=2, first_state=3)}
    assert held_out.isdisjoint(row["initial_state_id"] for row in rows)


def test_recording_is_deterministic_and_a_prefix_of_a_longer_run():
    short = list(record(40, 9))
    assert short == list(record(80, 9))[:40]
    assert short != list(record(40, 10))


def test_the_mini_desk_speaks_a_closed_vocabulary(episodes):
    words = set(World.vocabulary)
    assert len(words) == len(World.vocabulary)
    kinds = set()
    for row in episodes["mini"]:
        kinds.add(row["metadata"]["task_kind"])
        for message in row["messages"][1:]:
            texts = [message["content"] or ""]
            for call in message.get("tool_calls", ()):
                texts += [call["function"]["name"], call["function"]["arguments"]]
            assert set(WORD.findall(" ".join(texts))) <= words
    assert kinds == set(KINDS)


def test_only_named_skills_play():
    assert {row["metadata"]["skill"] for row in record(30, 0, skills=("clumsy", "hasty"))} == {"clumsy", "hasty"}
    assert next(iter(SKILLS)) == "expert"


@pytest.mark.parametrize(
    "wrong",
    [{"episodes": 0}, {"trials": 0}, {"tasks_per_state": -1}, {"seed": -1}, {"preset": "x"}, {"skills": ("x",)}],
)
def test_wrong_settings_are_usage_errors(wrong):
    with pytest.raises(UsageError):
        record(**{"episodes": 3, **wrong})


def shingles(row):
    words = []
    for message in row["messages"][1:]:
        if message["role"] != "tool":
            words += (message["content"] or "").split()
        for call in message.get("tool_calls", ()):
            words += [call["function"]["name"], *call["function"]["arguments"].split()]
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def test_different_tasks_are_not_near_duplicates():
    rows = list(record(500, 21, trials=1))
    sets = [shingles(row) for row in rows]
    holders = defaultdict(list)
    for number, each in enumerate(sets):
        for shingle in each:
            holders[shingle].append(number)
    near = set()
    for number, each in enumerate(sets):
        shared = defaultdict(int)
        for shingle in each:
            for other in holders[shingle]:
                shared[other] += 1
        for other, count in shared.items():
            if other > number and count / (len(each) + len(sets[other]) - count) >= 0.8:
                near |= {number, other}
    assert len(near) / len(rows) < 0.005
