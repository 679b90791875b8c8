"""What each check lets pass and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from curate.errors import UsageError
from curate.trajectory import Trajectory
from synth.checks.row import Finding, RowChecks, fingerprint
from synth.checks.settings import CODES, CheckSettings

TOOLS = json.dumps(
    [
        {"type": "function", "function": {"name": name, "parameters": {}}}
        for name in ("get_user_details", "get_reservation_details", "cancel_reservation", "calculate", "think")
    ]
)
POLICY = (
    "Basic economy flights cannot be modified, and a cancelled booking is never brought back by anyone at the desk."
)


@pytest.fixture(scope="module")
def row(message: Callable, trajectory: Callable) -> Trajectory:
    return trajectory(
        message("system", POLICY),
        message("user", "I want to cancel reservation ABC123, please. I am sara_doe_496."),
        message("assistant", None, ("get_user_details", '{"user_id": "sara_doe_496"}')),
        message("tool", '{"name": "Sara Doe"}'),
        message("assistant", "Shall I cancel ABC123?"),
        message("user", "Yes."),
        message("assistant", None, ("cancel_reservation", '{"reservation_id": "ABC123"}')),
        message("tool", '{"status": "cancelled"}'),
        message("assistant", "It is cancelled."),
        tools=TOOLS,
    )


def codes(row: Trajectory, thought: str | None, at: int, **settings: object) -> tuple[str, ...]:
    return RowChecks(row, CheckSettings(**settings)).failed(at, thought)  # type: ignore[arg-type]


GOOD = {
    2: "The user wants to cancel ABC123. To be sure who they are I look at the profile of sara_doe_496 first.",
    4: "The profile shows that it is Sara Doe. Before I change anything I ask, and once they agree I cancel it.",
    6: "They agreed, so I cancel the reservation now. If that fails I will tell them.",
    8: "The cancellation went through: the result shows the status cancelled, so I report it.",
}


@pytest.mark.parametrize("at", GOOD)
def test_good_thoughts_pass(row: Trajectory, at: int) -> None:
    assert RowChecks(row, CheckSettings()).found(at, GOOD[at]) == []


@pytest.mark.parametrize(
    ("thought", "code"),
    [
        (None, "no_thought"),
        (" \n", "no_thought"),
        ("I get the user details.", "too_short"),
        ("I get the user details. " * 200, "too_long"),
        (f"{GOOD[2]} </think>", "markup"),
        (f"{GOOD[2]} <|im_end|>", "markup"),
        (GOOD[2] + ' {"name": "get_user_details", "arguments": {}}', "markup"),
        (GOOD[2][:-1] + " and then", "unfinished"),
        (f"{GOOD[2]} \ufffd.", "language"),
        ("用户想要取消预订 所以我先用 get_user_details 查看用户的详细信息 然后再决定下一步怎么做。", "language"),
        (f"{GOOD[2]} Мне нужно сначала узнать, кто это.", "language"),
        (f"{GOOD[2]} I check and check again. I check and check again. I check and check again.", "repetition"),
        (f"As an AI language model I explain: {GOOD[2]}", "meta_talk"),
        (f"{GOOD[2]} That leads to the recorded action.", "meta_talk"),
        (f"{POLICY} So I get the user details.", "parroting"),
        ("Nothing is known about the weather there, and rain could spoil everything.", "action_fit"),
        ("The user wants to cancel, so I will call cancel_reservation for ABC123 now.", "action_fit"),
        (f"{GOOD[2]} In hindsight that was right.", "hindsight_words"),
        (f"{GOOD[2]} The call to get_user_details returned the profile.", "hindsight_words"),
        (f"{GOOD[2]} The result shows that all is well.", "hindsight_words"),
    ],
)
def test_each_fault_has_its_code(row: Trajectory, thought: str | None, code: str) -> None:
    assert code in codes(row, thought, 2)


@pytest.mark.parametrize(
    ("thought", "code"),
    [
        ("I will call get_reservation_details to see what the reservation holds.", "action_fit"),
        ("I use the tool for reservations now, to see what ABC123 holds.", "action_fit"),
        ("I ask whether to cancel it. The user will agree to it in any case.", "hindsight_words"),
    ],
)
def test_a_text_announces_no_call_and_knows_no_answer(row: Trajectory, thought: str, code: str) -> None:
    assert codes(row, thought, 4) == (code,)


@pytest.mark.parametrize(
    "thought",
    [
        "I already called get_user_details, and it gave the name, so only the question is left.",
        "Once the user agrees I will call cancel_reservation; until then I only ask.",
        "I cannot call cancel_reservation before the user agrees, so I ask.",
    ],
)
def test_a_text_may_speak_of_earlier_and_of_later_calls(row: Trajectory, thought: str) -> None:
    assert codes(row, thought, 4) == ()


def test_of_earlier_results_anything_may_be_said(row: Trajectory) -> None:
    thought = "The lookup returned Sara Doe and turned out as hoped, so I cancel the reservation ABC123."
    assert codes(row, thought, 6) == ()
    assert "hindsight_words" in codes(row, thought, 2)


@pytest.mark.parametrize(
    ("thought", "failed"),
    [
        ("I now have the user details for sara_doe_496, so I go on.", ("hindsight_words",)),
        ("The user details for sara_doe_496 show one name, as I hoped.", ("hindsight_words",)),
        ("I need the user details for sara_doe_496, so I get them now.", ()),
        ("If I have the user details for sara_doe_496, I can go on.", ()),
    ],
)
def test_what_a_call_asks_for_is_not_there_before_it(row: Trajectory, thought: str, failed: tuple[str, ...]) -> None:
    assert codes(row, thought, 2) == failed
    assert "hindsight_words" not in codes(row, thought, 4)


def test_think_tools_may_be_preceded_by_anything(message: Callable, trajectory: Callable) -> None:
    row = trajectory(
        message("user", "Hello there, who are you?"),
        message("assistant", None, ("think", '{"thought": "x"}'), ("log", "{}")),
        tools=TOOLS,
    )
    assert codes(row, "A word of greeting is due, so it goes to the log first of all.", 1) == ()
    row["messages"][1]["tool_calls"].pop()
    assert codes(row, "A greeting is due, and then some patience on my side.", 1) == ()


def test_users_of_another_script_get_thoughts_in_it(message: Callable, trajectory: Callable) -> None:
    row = trajectory(
        message("user", "我想取消预订 请帮我处理一下 谢谢。"), message("assistant", "好的 请告诉我预订编号。")
    )
    assert (
        codes(
            row,
            "用户想取消预订 但没有给出预订编号 所以我先向用户询问预订编号 这样之后才能用 cancel_reservation 继续。",
            1,
        )
        == ()
    )
    assert codes(row, "The user wants to cancel but gave no number, so I ask for it.", 1) == ("language",)


def test_what_the_dialogue_is_about_is_no_meta_talk(message: Callable, trajectory: Callable) -> None:
    row = trajectory(message("user", "I am a teacher. Send my transcript."), message("assistant", "To which address?"))
    assert codes(row, "The teacher wants a transcript, and I need the address to send it to.", 1) == ()
    assert codes(row, "The annotation of this step says that I need the address.", 1) == ("meta_talk",)


def test_codes_come_in_their_order_and_can_be_skipped(row: Trajectory) -> None:
    thought = "As an AI I know that in hindsight ABC999 is the ground truth <think>"
    failed = codes(row, thought, 2)
    assert list(failed) == sorted(failed, key=CODES.index)
    assert len(failed) > 3
    assert codes(row, thought, 2, skip=failed) == ()
    assert codes(row, None, 2, skip=("no_thought",)) == ()


def test_turns_may_be_asked_in_any_order(row: Trajectory) -> None:
    forth, back = RowChecks(row, CheckSettings()), RowChecks(row, CheckSettings())
    thoughts = [(at, text) for at in GOOD for text in GOOD.values()]
    assert [forth.failed(*one) for one in thoughts] == [back.failed(*one) for one in reversed(thoughts)][::-1]


def test_details_are_short_and_on_one_line(row: Trajectory) -> None:
    for finding in RowChecks(row, CheckSettings()).found(2, f"{GOOD[2]}\n" + "“Yes.\x00\u2028 " * 200):
        assert isinstance(finding, Finding)
        assert len(finding.detail) <= 120
        assert finding.detail.isprintable()


def test_the_fingerprint_changes_with_each_threshold() -> None:
    prints = {
        fingerprint(CheckSettings()), fingerprint(CheckSettings(min_chars=41)),
        fingerprint(CheckSettings(skip=("language",))), fingerprint(CheckSettings(copy_words=9)),
    }  # fmt: skip
    assert len(prints) == 4
    assert fingerprint(CheckSettings()) == fingerprint(CheckSettings(min_chars=40))


@pytest.mark.parametrize(
    "wrong",
    [{"min_chars": 50, "max_chars": 40}, {"max_chars": 10**6}, {"parrot_share": 0}, {"skip": ("hindsight",)},
     {"entity_digits": 0}, {"near_duplicate": 1.5}],
)  # fmt: skip
def test_settings_that_cannot_be_right_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        CheckSettings(**wrong).check()  # type: ignore[arg-type]
    CheckSettings().check()


HOSTILE = [
    "a", "1", "1,", "111,", ".1", '"', '"a ', "a_", "/a", "a@b.", "!", " ", "\n", " - ", "call a", "let me call the ",
    "the user then ", "later ", "later is aaaa", "may 1 ", "1:11", "\u201c", "\\u00e9", "\\", "中", "write a ",
    "the assistant ", '{"name":', "<", "get_user_details", "this call x ", "ABCDE ", "1001 ",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_anything_is_judged(row: Trajectory, piece: str) -> None:
    text = piece * (10**6 // len(piece)) + " x"
    RowChecks(row, CheckSettings()).failed(2, text)
    messages = [{**message, "content": text} if message["role"] == "tool" else message for message in row["messages"]]
    checks = RowChecks({**row, "messages": messages}, CheckSettings())  # type: ignore[typeddict-item]
    assert checks.failed(6, "They agreed, so I cancel the reservation ABC123 now.") == ()
