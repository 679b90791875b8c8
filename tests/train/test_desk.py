import json

from train.desk import DeskTasks, LiveDesk, start_of


def played(task):
    """The gold calls of a task on its live desk, and what the session then says to an answer with the facts."""
    session = LiveDesk([(task, 0)]).session("desk", None, None, history=(), seed=0)
    answers = [session.turn([(tool, json.dumps(arguments))])[0] for tool, arguments in task.gold_calls]
    return session, answers


def test_gold_calls_and_facts_are_judged_right():
    for task in DeskTasks("mini", 12, seed=3, first_state=5, per_state=6):
        session, answers = played(task)
        assert not any(answer.failed for answer in answers)
        assert {(answer.tier, answer.p, answer.origin) for answer in answers} == {("exact", 1.0, "live")}
        assert session.judge(" ".join(task.required_facts)).reward == 1.0
        assert session.judge("no idea").reward == 0.0


def test_a_malformed_call_fails_and_changes_nothing():
    (task,) = DeskTasks("mini", 1, seed=0, first_state=0)
    session, _ = played(task)
    (answer,) = session.turn([("find", "{oops")])
    assert answer.failed and session.judge(" ".join(task.required_facts)).state_ok


def test_a_task_starts_with_what_the_user_says():
    (task,) = DeskTasks("mini", 1, seed=0, first_state=0)
    row, part = start_of(task)
    assert part.history[-1] == {"role": "user", "content": task.requests[0].goal}
    assert [tool["function"]["name"] for tool in part.tools] and row["initial_state_id"] == task.initial_state_id


def test_held_out_states_are_other_states():
    known = {task.initial_state_id for task in DeskTasks("mini", 20, 0, 0, per_state=2)}
    held = {task.initial_state_id for task in DeskTasks("mini", 20, 0, 100, per_state=2)}
    assert len(known) == 10 and not known & held
