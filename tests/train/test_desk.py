import json

import pytest

from curate.readers.messages import message
from tests.train.rows import says
from train.desk import DeskTasks, LiveSession, desk_dialogue, judged
from train.dialogue import open_part, play
from train.rollout import Rollout


def played(task):
    """The gold calls of a task on its live desk."""
    session = LiveSession(task, 0)
    return session, [session.turn([(tool, json.dumps(arguments))])[0] for tool, arguments in task.gold_calls]


@pytest.mark.parametrize("preset", ["mini", "full"])
def test_gold_calls_and_facts_are_judged_right(preset):
    for task in DeskTasks(preset, 12, seed=3, first_state=5, per_state=6):
        session, answers = played(task)
        assert {(answer.tier, answer.p, answer.origin) for answer in answers} <= {("exact", 1.0, "live")}
        assert session.judge(" ".join(fact.split("|")[0] for fact in task.required_facts)).reward == 1.0


def test_an_answer_without_its_facts_is_wrong():
    (task,) = DeskTasks("mini", 1, seed=0, first_state=0)
    session, _ = played(task)
    assert session.judge("no idea").reward == 0.0


def test_a_malformed_call_fails_and_changes_nothing():
    (task,) = DeskTasks("mini", 1, seed=0, first_state=0)
    session, _ = played(task)
    (answer,) = session.turn([("find", "{oops")])
    assert answer.failed and session.judge(" ".join(task.required_facts)).state_ok


def test_a_session_that_nobody_called_is_judged_too():
    task = next(task for task in DeskTasks("mini", 20, seed=0, first_state=0) if task.kind == "STATUS")
    assert LiveSession(task, 0).judge("").state_ok


def test_a_task_starts_with_what_the_user_says():
    (task,) = DeskTasks("mini", 1, seed=0, first_state=0)
    row = desk_dialogue(task, 0).case.row
    part = open_part(row, kept=False)
    assert part.history[-1] == {"role": "user", "content": task.requests[0].goal}
    assert [tool["function"]["name"] for tool in part.tools] and row["initial_state_id"] == task.initial_state_id


def test_held_out_states_are_other_states():
    known = {task.initial_state_id for task in DeskTasks("mini", 20, 0, 0, per_state=2)}
    held = {task.initial_state_id for task in DeskTasks("mini", 20, 0, 100, per_state=2)}
    assert len(known) == 10 and not known & held


def gold_player(tasks):
    """A model that does all at its first turn, says every fact, and asks what else there is."""
    rollouts = []
    for task in tasks:
        desk = task.episode.task
        if not any(said["role"] == "assistant" for said in task.part.history):
            for tool, arguments in desk.gold_calls:
                task.episode.turn([(tool, json.dumps(arguments))])
        text = " ".join(fact.split("|")[0] for fact in desk.required_facts) + ". Is there anything else?"
        rollouts.append(Rollout([], messages=[says(text)], status="answered", answer=text, turn_lengths=[1]))
    return rollouts


def test_users_of_the_full_desk_talk_until_they_are_done_or_handed_over():
    dialogues = [desk_dialogue(task, 0) for task in DeskTasks("full", 150, seed=1, first_state=7)]
    play(dialogues, gold_player, kept=False, most=16)
    found = [judged(dialogue) for dialogue in dialogues]
    assert all(each.reward == 1.0 for each in found)
    ends = {"complaint": "handed_over"}
    for dialogue in dialogues:
        assert dialogue.status == ends.get(dialogue.case.kind, "user_done")
    assert {dialogue.status for dialogue in dialogues} == {"user_done", "handed_over"}
    several = next(each for each in dialogues if each.case.kind == "multi")
    assert several.rollouts == len(several.episode.task.requests)
    assert several.messages[-1]["role"] == "user" and several.messages[-1]["content"].endswith("###STOP###")


def test_a_user_who_hears_nothing_asks_again_and_then_leaves():
    (task,) = DeskTasks("full", 1, seed=1, first_state=7)
    dialogue = desk_dialogue(task, 0)
    play(
        [dialogue], lambda tasks: [Rollout([], messages=[says("")], status="answered")] * len(tasks), kept=False, most=9
    )
    assert dialogue.status == "user_done" and 1 < dialogue.rollouts < 9


def test_the_same_attempt_is_the_same_dialogue_and_another_is_another():
    tasks = list(DeskTasks("full", 6, seed=1, first_state=7))
    first, again, other = ([desk_dialogue(task, trial).case.row["messages"] for task in tasks] for trial in (0, 0, 1))
    assert first == again and first != other


def test_a_checker_that_fails_makes_a_crashed_episode(monkeypatch):
    (task,) = DeskTasks("mini", 1, seed=0, first_state=0)
    dialogue = desk_dialogue(task, 0)
    dialogue.status, dialogue.messages = "answered", [message("assistant", "x")]
    monkeypatch.setattr(LiveSession, "judge", lambda *_: 1 / 0)
    assert judged(dialogue).reward == 0.0 and dialogue.status == "crashed"
