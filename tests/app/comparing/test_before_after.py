"""What augmentation changed."""

import pytest

from app.comparing.before_after import (
    counted,
    folders_after,
    folders_before,
    restored,
    same_shape,
    shared_traces,
    turns,
)
from curate.folder import DatasetFolder
from tests.app.comparing.made import dialogue, indexed, row


def entry(at, origin, original=None, failed=(), teacher="offline"):
    made = {"message_index": at, "kind": "silent", "origin": origin, "teacher": teacher, "prompt_version": "1"}
    return made | {"checks_failed": list(failed), "original": original}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A curated and an augmented folder of the desk."""
    from curate.__main__ import main as curate
    from curate.sandbox.__main__ import main as record
    from synth.augment import main as augment

    at = tmp_path_factory.mktemp("before")
    assert record(["--out", str(at / "desk.jsonl"), "--episodes", "20"]) == 0
    assert curate([str(at / "desk.jsonl"), "--out", str(at / "curated")]) == 0
    assert augment([str(at / "curated"), "--out", str(at / "augmented"), "--teacher", "offline"]) == 0
    return [DatasetFolder.open(at / name) for name in ("curated", "augmented")]


def test_augmentation_adds_thinking_and_touches_no_call(made):
    before, after = (list(folder.rows("trajectories")) for folder in made)
    for old, new in zip(before, after, strict=True):
        assert same_shape(old["messages"], new["messages"])
        found = turns(old["messages"], new)
        assert found and all(turn.thinking[1] for turn in found) and all(turn.told for turn in found)


def test_one_augmented_folder_tells_what_stood_there_before(made):
    before, after = (list(folder.rows("trajectories")) for folder in made)
    for old, new in zip(before, after, strict=True):
        assert turns(restored(new), new) == turns(old["messages"], new)


def test_a_text_that_became_thinking_is_told_as_moved():
    old = dialogue()
    old[1]["content"] = "I need to read W1 first."
    new = row("a", [message.copy() for message in old])
    new["messages"][1] |= {"content": None, "reasoning_content": "I need to read W1 first."}
    new["thinking"] = [entry(1, "wrapped", "I need to read W1 first.")]
    first, last = turns(old, new)
    assert first.text == ("I need to read W1 first.", "") and first.thinking == ("", "I need to read W1 first.")
    assert first.changed and not last.changed
    assert counted([first, last]) == {"turns": 2, "text changed": 1, "thinking changed": 1, "thinking wrapped": 1}
    assert restored(new)[1]["content"] == "I need to read W1 first."


def test_recorded_thinking_stays_and_entries_of_no_message_change_nothing():
    new = row("a", dialogue(thought="Recorded."), thinking=[entry(1, "recorded", teacher=None), entry(99, "teacher")])
    assert [message["reasoning_content"] for message in restored(new)] == [None, "Recorded.", None, "Recorded."]


def test_folders_are_offered_by_what_they_share():
    plain, thought = [row("a"), row("b")], [row("b", dialogue(thought="x")), row("c", dialogue(thought="x"))]
    frame = indexed(curated=("curated", plain), other=("curated", [row("z")]), new=("augmented", thought))
    assert folders_after(frame) == ["new"]
    assert folders_before(frame, "new") == ["curated"]
    assert shared_traces(frame, "new", "curated").to_list() == ["b"]
    assert shared_traces(frame, "new", None).to_list() == ["b", "c"]
