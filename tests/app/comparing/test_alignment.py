"""Two trajectories by turn."""

from hypothesis import given
from hypothesis import strategies as st

from app.comparing.alignment import align
from app.comparing.steps import steps
from curate.readers.messages import message
from tests.app.comparing.made import call, dialogue, result, says

MESSAGES = st.lists(
    st.sampled_from(
        [
            message("user", "Where is W1?"),
            message("user", "Cancel it."),
            says(None, call("get_order", order_id="W1")),
            says(None, call("get_order", order_id="W2")),
            says(None, call("cancel", order_id="W1")),
            result("{}"),
            says("It is open."),
            says("Done."),
        ]
    ),
    max_size=14,
)


@given(MESSAGES, MESSAGES)
def test_every_step_of_both_stands_once_and_in_order(left, right):
    found = align(left, right)
    assert [pair.left for pair in found.pairs if pair.left] == steps(left)
    assert [pair.right for pair in found.pairs if pair.right] == steps(right)
    assert all(pair.left or pair.right for pair in found.pairs)


@given(MESSAGES)
def test_a_trajectory_meets_itself_step_by_step(messages):
    found = align(messages, messages)
    assert all(pair.same and not pair.differs for pair in found.pairs) and found.first_apart is None


def test_steps_hold_their_results_wherever_they_stand():
    found = steps([result("lost"), *dialogue()])
    assert [(step.at, step.role, len(step.results)) for step in found] == [
        (0, "tool", 0),
        (1, "user", 0),
        (2, "assistant", 1),
        (4, "assistant", 0),
    ]


def test_the_same_call_meets_although_one_calls_more_before():
    longer = dialogue()
    longer[1:1] = [says(None, call("find_user", user="Ann"), thought="Who is it?"), result("u1", "find_user")]
    found = align(dialogue(), longer)
    assert [pair.same for pair in found.pairs] == [True, False, True, True]
    assert found.pairs[1].left is None and found.only() == (0, 1) and found.first_apart == 1


def test_arguments_spelled_otherwise_are_the_same_call():
    other = dialogue()
    other[1]["tool_calls"][0]["arguments"] = '{ "order_id" :"W1" }'
    assert align(dialogue(), other).first_apart is None


def test_calls_of_one_tool_meet_and_are_not_the_same():
    found = align(dialogue("W1"), dialogue("W2"))
    assert [pair.same for pair in found.pairs] == [False, False, True]
    assert all(pair.left and pair.right for pair in found.pairs)


def test_other_results_differ_although_the_steps_are_the_same():
    found = align(dialogue(status="open"), dialogue(status="sent"))
    assert found.first_apart is None and [pair.differs for pair in found.pairs] == [False, True, False]


def test_who_speaks_never_meets_another_role():
    found = align([message("user", "Hello")], [says("Hello")])
    assert found.only() == (1, 1)


def test_long_trajectories_that_share_nothing_are_aligned_in_their_order():
    left = [says(f"left {n}") for n in range(1_000)]
    right = [says(f"right {n}") for n in range(990)]
    found = align(left, right)
    assert found.only() == (10, 0)
