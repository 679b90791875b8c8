"""Other attempts at a task."""

from app.comparing.same_task import attempts, tasks_with_several
from tests.app.comparing.made import indexed, row


def test_attempts_at_the_same_task_are_offered_own_folder_first():
    ours = [row("a"), row("b", task_id="other"), row("c", reward=1.0)]
    frame = indexed(left=("curated", [row("x", reward=0.0)]), right=("rollouts", ours))
    assert attempts(frame, "right", "a").select("folder", "trace").rows() == [("right", "c"), ("left", "x")]
    assert attempts(frame, "right", "b").is_empty() and attempts(frame, "right", "none").is_empty()


def test_tasks_are_offered_that_several_folders_tried():
    frame = indexed(left=("curated", [row("x"), row("y", env_id="bank")]), right=("rollouts", [row("a", reward=1.0)]))
    assert tasks_with_several(frame).select("env_id", "task_id", "attempts", "folders").rows() == [("shop", "t1", 2, 2)]
