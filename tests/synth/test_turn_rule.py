from __future__ import annotations

import copy
import json

import pytest

from curate.env import DEFAULT_RULES
from curate.trajectory import Trajectory, rehash
from synth.checks.settings import CheckSettings
from synth.teachers.offline import OfflineTeacher
from synth.thoughts import OfflineThoughts
from synth.turn_rule import plan_turns, strip_thinking, with_thoughts

OFFLINE = ("offline", "rule")
REASONS = "I need to check the policy first, because basic economy may not be changed."


def augmented(row: Trajectory, recorded: str = "keep", checks: CheckSettings = CheckSettings()) -> Trajectory:  # noqa: B008
    row = copy.deepcopy(row)
    turns = plan_turns(row, recorded)  # type: ignore[arg-type]
    written = OfflineThoughts(checks).of(row, turns, DEFAULT_RULES)
    return with_thoughts(row, turns, written, OFFLINE)  # type: ignore[arg-type]


@pytest.fixture
def dialogue(message, trajectory) -> Trajectory:
    return trajectory(
        message("system", "Be brief."),
        message("user", "I want to change my reservation ABC123."),
        message("assistant", REASONS, ("get_reservation_details", '{"reservation_id": "ABC123"}')),
        message("tool", '{"reservation_id": "ABC123", "cabin": "economy"}'),
        message("assistant", None, ("think", json.dumps({"thought": "The cabin is economy, so a change is allowed."}))),
        message("tool", ""),
        message("assistant", "Your reservation can be changed. To which date?"),
        message("user", "To May 20, please."),
        message("assistant", "One moment, I am changing it for you.", ("update", '{"date": "2024-05-20"}')),
        message("tool", "Error: no seats"),
        message("assistant", "Sorry, that day is full."),
    )


def test_each_kind_of_turn_gets_its_thought(dialogue: Trajectory) -> None:
    row = augmented(dialogue)
    by_index = {entry["message_index"]: entry for entry in row["thinking"]}
    origins = {at: (entry["kind"], entry["origin"]) for at, entry in by_index.items()}
    assert origins == {
        2: ("analysis", "wrapped"),
        4: ("silent", "recorded"),
        6: ("final", "rule"),
        8: ("announce", "rule"),
        10: ("final", "rule"),
    }
    wrapped = row["messages"][2]
    assert (wrapped["content"], wrapped["reasoning_content"]) == (None, REASONS)
    assert by_index[2]["original"] == REASONS
    assert row["messages"][4]["reasoning_content"] == "The cabin is economy, so a change is allowed."
    assert row["messages"][4]["tool_calls"] == dialogue["messages"][4]["tool_calls"]
    assert row["messages"][8]["content"] == dialogue["messages"][8]["content"]
    assert (by_index[8]["teacher"], by_index[8]["prompt_version"]) == ("offline", OfflineTeacher.prompt_version)
    assert row["content_hash"] == rehash(copy.deepcopy(row))["content_hash"] != dialogue["content_hash"]


def test_undoing_gives_the_input_back(dialogue: Trajectory) -> None:
    assert strip_thinking(augmented(dialogue)) == dialogue


def test_users_calls_and_texts_are_not_touched(message, trajectory) -> None:
    row = trajectory(
        message("user", None, ("reboot", "{}"), requestor="user"),
        message("tool", "ok", requestor="user"),
        message("assistant", None, ("look", "{}"), requestor="user"),
    )
    assert plan_turns(row) == []
    assert augmented(row) == row


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        ({"content": ""}, "empty_turn"),
        ({"content": None}, "empty_turn"),
        ({"content_json": '[{"type": "image"}]'}, "parts_only"),
        ({"calls": [("look", "{not json")]}, "unparsed_call"),
    ],
)
def test_a_turn_without_a_thought_is_not_trained_on_and_says_why(message, trajectory, turn, reason) -> None:
    made = message("assistant", turn.get("content"), *turn.get("calls", []), content_json=turn.get("content_json"))
    row = trajectory(message("user", "hello there"), made)
    done = augmented(row)
    assert done["messages"][1]["train"] is False
    assert done["messages"][1]["reasoning_content"] is None
    assert done["thinking"][0]["origin"] == "none"
    assert done["thinking"][0]["checks_failed"] == [reason]
    assert strip_thinking(done) == row


def test_a_turn_that_was_not_trained_on_stays_so_after_undoing(message, trajectory) -> None:
    row = trajectory(message("user", "hello"), message("assistant", "", train=False))
    assert strip_thinking(augmented(row)) == row


def test_thoughts_outside_the_bounds_are_refused(dialogue: Trajectory) -> None:
    done = augmented(dialogue, checks=CheckSettings(min_chars=1, max_chars=20))
    refusals = {tuple(entry["checks_failed"]) for entry in done["thinking"] if entry["origin"] == "none"}
    assert refusals == {("too_long",)}
    assert strip_thinking(done) == dialogue


@pytest.mark.parametrize("original", [None, "<think>I know.</think>Hello"])
def test_recorded_thinking_is_kept_rewritten_or_dropped(message, trajectory, original: str | None) -> None:
    row = trajectory(message("user", "hello there"), message("assistant", "Hello", reasoning_content="I know."))
    row["thinking"] = [
        {"message_index": 1, "kind": "final", "origin": "recorded", "teacher": None, "prompt_version": None,
         "checks_failed": [], "original": original}
    ]  # fmt: skip
    kept, rewritten, dropped = (augmented(row, how) for how in ("keep", "rewrite", "drop"))
    assert kept == row
    assert rewritten["thinking"][-1]["origin"] == "rule"
    assert rewritten["thinking"][-1]["original"] == "I know."
    assert rewritten["messages"][1]["reasoning_content"] not in (None, "I know.")
    assert dropped["messages"][1]["reasoning_content"] is None
    assert dropped["messages"][1]["train"] is False
    assert dropped["thinking"][-1]["checks_failed"] == ["recorded_dropped"]
    assert [strip_thinking(done) for done in (kept, rewritten, dropped)] == [row, row, row]


def test_real_files_undoing_gives_calls_results_and_texts_back(real_rows: dict[str, list[Trajectory]]) -> None:
    for rows in real_rows.values():
        for row in rows:
            done = augmented(row)
            for before, after in zip(row["messages"], done["messages"], strict=True):
                assert after["tool_calls"] == before["tool_calls"]
                assert before["role"] == "assistant" or after == before
            assert strip_thinking(done) == row


def test_real_files_every_assistant_turn_has_a_thought_or_a_reason(real_rows: dict[str, list[Trajectory]]) -> None:
    for rows in real_rows.values():
        for row in map(augmented, rows):
            entries = {entry["message_index"]: entry for entry in row["thinking"]}
            for at, turn in enumerate(row["messages"]):
                if turn["role"] != "assistant":
                    assert turn["reasoning_content"] is None and at not in entries
                elif turn["reasoning_content"] is None:
                    assert turn["train"] is False and entries[at]["checks_failed"]
                else:
                    assert entries[at]["origin"] in ("wrapped", "recorded", "rule")
