import pytest

from cachebuild.answer import is_unavailable
from curate.errors import UsageError
from curate.folder import DatasetFolder
from curate.readers.messages import message
from tests.train.rows import call, result, row_of, says, write_folder
from train.evaluate_settings import EvaluateSettings, RecordedSettings
from train.recorded import RecordedAnswers, RecordedTurns, expected, recorded_dialogue


def order(number, call_id):
    return call("get_order", {"order_id": number}, call_id)


@pytest.fixture
def row():
    """Three user turns: two with calls, the second of them with a slip and a call made twice."""
    return row_of(
        message("user", "Where is W1?"),
        says(None, order("W1", "a"), thought="I look."),
        result('{"status": "open"}', "a"),
        says("It is open."),
        message("user", "And now, and W2?"),
        says(None, order("W9", "b"), call("get_order", "{oops", "c")),
        result("Error: unknown order", "b"),
        result("Error: invalid", "c"),
        says(None, order("W1", "d"), order("W2", "e")),
        result('{"status": "sent"}', "d"),
        result('{"status": "lost"}', "e"),
        says("Sent, and lost."),
        message("user", "Thanks."),
        says("Bye."),
        split="test",
    )


def settings(**given):
    places = {name: given.pop(name) for name in ("splits", "min_reward") if name in given}
    return EvaluateSettings("model", recorded=RecordedSettings(**places), **given)


def texts(answers):
    return [answer.result for answer in answers]


def test_calls_that_failed_or_cannot_be_read_are_not_expected(row):
    assert expected(row["messages"], 4, 12) == [
        ("get_order", {"order_id": "W1"}),
        ("get_order", {"order_id": "W2"}),
    ]
    assert expected(row["messages"], 12, 14) == []


def test_equal_calls_get_the_recorded_results_of_their_turn_first(row):
    answers = RecordedAnswers(row["messages"][:12], 5)
    ask = ("get_order", '{ "order_id": "W1" }')
    assert texts(answers.turn([ask, ask])) == ['{"status": "sent"}', '{"status": "sent"}']
    (failed,) = answers.turn([("get_order", '{"order_id": "W9"}')])
    assert failed.failed and failed.tier == "exact"
    (other,) = answers.turn([("get_order", '{"order_id": "W7"}')])
    assert other.tier == "unavailable" and is_unavailable(other.result)


def test_a_result_from_before_answers_where_the_turn_has_none(row):
    answers = RecordedAnswers(row["messages"][:14], 13)
    assert texts(answers.turn([("get_order", '{"order_id": "W1"}')])) == ['{"status": "sent"}']


def test_results_of_a_call_made_again_come_in_their_order(row):
    answers = RecordedAnswers(row["messages"][:12], 1)
    ask = ("get_order", '{"order_id": "W1"}')
    assert texts(answers.turn([ask, ask, ask])) == ['{"status": "open"}', '{"status": "sent"}', '{"status": "sent"}']


def test_user_turns_whose_reply_calls_are_played_so_many_times(tmp_path, row):
    folder = DatasetFolder.open(write_folder(tmp_path / "data", [row]))
    dialogues = list(RecordedTurns(folder, settings(samples=3)))
    assert [(each.case.turn.split(":")[1], each.case.trial) for each in dialogues] == [
        ("0", 0), ("0", 1), ("0", 2), ("4", 0), ("4", 1), ("4", 2),
    ]  # fmt: skip
    assert len({each.case.task_id for each in dialogues}) == 1 and len({each.case.seed for each in dialogues}) == 6
    assert dialogues[3].case.row["messages"][-1]["content"] == "And now, and W2?"
    assert len(list(RecordedTurns(folder, settings(tasks=1, samples=1)))) == 1


def test_rewards_and_splits_choose(tmp_path, row):
    low = row | {"trajectory_id": "low", "reward": 0.0}
    folder = DatasetFolder.open(write_folder(tmp_path / "data", [low]))
    assert len(list(RecordedTurns(folder, settings(min_reward=0.0, samples=1)))) == 2
    for given in ({}, {"min_reward": 0.0, "splits": ("train",)}):
        with pytest.raises(UsageError, match=r"no user turn .* --splits"):
            RecordedTurns(folder, settings(**given))


def test_think_calls_are_not_expected_and_can_be_left_out_of_the_history():
    think = call("think", {"thought": "W1, then."}, "t")
    row = row_of(
        message("user", "Where is W1?"),
        says(None, think),
        result("ok", "t", "think"),
        says("Which W1?"),
        message("user", "The one."),
        says(None, call("think", {"thought": "That one."}, "t"), order("W1", "a")),
        result("ok", "t", "think"),
        result('{"status": "open"}', "a"),
        says("Open."),
    )
    assert expected(row["messages"], 4, 9) == [("get_order", {"order_id": "W1"})]
    plain, dropped = (
        recorded_dialogue(row, 4, 9, 0, 0, answered=True, drop_think_calls=drop).case for drop in (False, True)
    )
    assert plain.row["messages"] == row["messages"][:5] and plain.turn == dropped.turn
    assert [each["content"] for each in dropped.row["messages"]] == ["Where is W1?", "Which W1?", "The one."]
    assert dropped.row["messages"][1]["reasoning_content"] == "W1, then."
