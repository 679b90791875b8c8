from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra: pip install -e '.[app]'")

from app.agreed import Agreed, judged_answers, places
from app.labels.accounts import Annotator
from app.labels.events import Event, Target, new_event_id
from app.labels.queues import Queue
from app.library import Library
from app.traces import TraceKey
from curate.folder import FolderWriter, Manifest
from curate.schema import TRAJECTORY
from curate.trajectory import Message, trajectory_of
from tests.app.index_frames import FakeLibrary, index_frame


def target(name: str, message: int | None = None) -> Target:
    return Target(name, f"hash-{name}", message)


def test_labels_become_ratings_and_rulings_stand_apart(labels, label) -> None:
    labels.add_annotator("lead", "long enough", "lead")
    for who, verdict in {"ann": "good", "bob": "bad", "eve": "bad"}.items():
        label(who, "one", verdict, *(["made_up"] if verdict == "bad" else []))
    label("ann", "two", "good")
    label("bob", "two", "bad")
    label("lead", "one", "good", action="adjudicate")
    agreed = Agreed.of(labels, None, None, "trajectory")
    assert agreed.ratings.categories == ("bad", "unsure", "good")
    assert agreed.ordinal
    assert [each.item for each in agreed.open_disputes(settled=True)] == [target("two"), target("one")]
    assert [each.item for each in agreed.open_disputes(settled=False)] == [target("two")]
    assert agreed.rulings == {target("one"): ("good", "lead")}
    assert agreed.final() == {target("one"): "good"}
    ((tag, times, shared, alpha),) = agreed.tag_figures()
    assert (tag, times) == ("made_up", 2)
    assert shared.value == pytest.approx((1 / 3 + 1) / 2)
    assert alpha.value is not None


def test_turns_are_another_matter_than_trajectories(labels) -> None:
    for who, verdict in {"ann": "good", "bob": "bad"}.items():
        said = Event(new_event_id(), who, target("one", 3), verdict, schema_version=labels.schema.version)
        assert labels.record(said)
    assert Agreed.of(labels, None, None, "trajectory").labels.is_empty()
    assert [each.item for each in Agreed.of(labels, None, None, "turn").open_disputes(False)] == [target("one", 3)]


def test_the_blind_rule_holds(labels) -> None:
    for name in ("ann", "bob"):
        labels.add_annotator(name, "long enough")
    targets = [(target("one"), 0.0), (target("two"), 0.0)]
    labels.add_queue(Queue("q", annotators=("ann", "bob"), targets=targets))

    def say(who: str, name: str) -> None:
        version = labels.schema.version
        assert labels.record(Event(new_event_id(), who, target(name), "good", schema_version=version, queue="q"))

    for who, name in (("ann", "one"), ("bob", "one"), ("bob", "two")):
        say(who, name)
    ann, bob = Annotator("ann"), Annotator("bob")
    assert Agreed.of(labels, ann, "q", "trajectory").ratings.raters == ("ann",)
    assert Agreed.of(labels, bob, "q", "trajectory").ratings.raters == ("ann", "bob")
    say("ann", "two")
    assert Agreed.of(labels, ann, "q", "trajectory").ratings.raters == ("ann", "bob")


def test_targets_are_found_with_the_content_that_was_labelled() -> None:
    library = FakeLibrary(index_frame({"trace": "one"}, {"trace": "two"}))
    found = places(library, [target("one"), Target("two", "another content"), target("three")])
    assert {where.trajectory_id: seen.key for where, seen in found.items()} == {"one": TraceKey("clean", "one")}


def message(role: str, text: str) -> Message:
    nothing: Any = dict.fromkeys(Message.__annotations__)
    return nothing | {"role": role, "content": text, "tool_calls": [], "train": role == "assistant"}


def test_a_judge_is_met_with_peoples_verdicts(tmp_path: Path) -> None:
    def row(name: str, told: dict[str, Any]) -> Any:
        said = [message("user", "hi"), message("assistant", name)]
        return trajectory_of(name, said, source="rollout", env_id="e", task_id="t", metadata=json.dumps(told))

    judge = {"name": "openai:m", "code": "ok"}
    rows = [
        row("a", {"judge": judge, "reward": {"answer": 1.0}}),
        row("b", {"judge": judge, "reward": {"answer": 0.2}}),
        row("c", {"judge": judge, "reward": {"answer": None}}),
        row("d", {"reward": {"answer": 1.0}}),
    ]
    with FolderWriter(tmp_path / "rollouts", Manifest("rollouts", "x", {}, [])) as writer:
        writer.table("trajectories", TRAJECTORY).write_table(pa.Table.from_pylist(rows, TRAJECTORY))
    library = Library.open([tmp_path / "rollouts"], tmp_path / "index")
    final = {Target(each["trajectory_id"], each["content_hash"]): "good" for each in rows}
    final[Target("b", rows[1]["content_hash"])] = "bad"
    (found,) = judged_answers(library, final)
    assert (found.judge, found.scores, found.good) == ("openai:m", (1.0, 0.2), (True, False))
    stale = {Target("a", "another content"): "good", Target("b", rows[1]["content_hash"]): "unsure"}
    assert judged_answers(library, stale) == []
    assert judged_answers(SimpleNamespace(folders=()), final) == []
