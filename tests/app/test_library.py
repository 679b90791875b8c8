from __future__ import annotations

import json

import polars as pl
import pytest

from app.library import Library, TraceKey
from curate.__main__ import main as curate
from curate.errors import FolderError, UsageError
from curate.folder import DatasetFolder
from curate.pairing import pair_calls
from curate.trajectory import Trajectory
from curate.turns import result_failed, turn_kind
from tests.app.dataset_folders import message, order, reject, row, write_folder, write_model


@pytest.fixture
def opened(tmp_path):
    """Open folders with indexes in a place of their own."""
    return lambda *dirs: Library.open(dirs, tmp_path / "index")


@pytest.fixture(scope="session")
def airline(shared, tmp_path_factory):
    """The real airline file, curated."""
    out = tmp_path_factory.mktemp("airline") / "airline"
    assert curate([str(shared / "tau_bench_airline_gpt4o.json.gz"), "--out", str(out)]) == 0
    return out


def test_a_folder_is_a_frame_with_a_row_a_trace_in_the_order_of_its_tables(tmp_path, opened):
    folder = write_folder(tmp_path / "data", [order(1), order(2)], [reject("filter", "repeated_calls", order(3))])
    library = opened(folder)
    frame = library.frame
    assert frame["row"].to_list() == [0, 1, 2]
    assert frame["trace"].to_list() == ["order-1", "order-2", "order-3"]
    assert frame["table"].to_list() == ["trajectories", "trajectories", "rejects"]
    assert frame["reject_reason"].to_list() == [None, None, "repeated_calls"]
    assert frame["folder"].to_list() == ["data"] * 3 and frame["kind"].to_list() == ["curated"] * 3
    assert library.told() == "1 folder, 2 trajectories, 1 reject"


def test_a_trace_is_read_whole(tmp_path, opened):
    library = opened(write_folder(tmp_path / "data", [order(1), order(2)], [reject("dedup", "exact", order(3))]))
    trace = library.trace(TraceKey("data", "order-2"))
    assert trace is not None and trace.kind == "curated" and trace.table == "trajectories"
    assert trace.row == order(2)
    turned_away = library.trace(TraceKey("data", "order-3"))
    assert turned_away is not None and turned_away.row["reject_step"] == "dedup"
    assert turned_away.row["messages"] == order(3)["messages"]


def test_a_reject_without_an_id_is_named_by_its_place(tmp_path, opened):
    rejects = [reject("read", "not_json", raw=b"\xff{"), reject("filter", "empty", order(9))]
    library = opened(write_folder(tmp_path / "data", [order(1)], rejects))
    assert library.frame["trace"].to_list() == ["order-1", "row-1", "order-9"]
    assert library.frame["trajectory_id"].to_list() == ["order-1", None, "order-9"]
    trace = library.trace(TraceKey("data", "row-1"))
    assert trace is not None and trace.row["messages"] == [] and trace.row["raw"] == b"\xff{"
    assert library.frame["first_words"].to_list()[1] == ""


@pytest.mark.parametrize(
    "key", [TraceKey("data", "no-such"), TraceKey("../data", "order-1"), TraceKey("/etc", "passwd"), TraceKey("", "")]
)
def test_no_key_reaches_beyond_the_opened_folders(tmp_path, opened, key):
    assert opened(write_folder(tmp_path / "data", [order(1)])).trace(key) is None


def test_a_trajectory_is_found_in_every_folder_that_has_it(tmp_path, opened):
    before = write_folder(tmp_path / "curated", [order(1), order(2)])
    after = write_folder(tmp_path / "augmented", [order(2)], kind="augmented")
    library = opened(before, after)
    assert library.find("order-2") == [TraceKey("curated", "order-2"), TraceKey("augmented", "order-2")]
    assert library.find("order-2", "augmented") == [TraceKey("augmented", "order-2")]
    assert library.find("order-2", "elsewhere") == [] and library.find("order-7") == []


def test_folders_of_one_name_are_told_apart_by_where_they_stand(tmp_path, opened):
    dirs = [write_folder(tmp_path / name / "out", [order(n)]) for n, name in enumerate(("first", "second"))]
    library = opened(*dirs, dirs[0])
    assert [folder.name for folder in library.folders] == ["first/out", "second/out"]
    trace = library.trace(TraceKey("second/out", "order-1"))
    assert trace is not None and trace.row["trajectory_id"] == "order-1"


def test_a_model_opens_with_its_rollouts(tmp_path, opened):
    library = opened(write_model(tmp_path / "model", [order(1)]), write_folder(tmp_path / "data", [order(2)]))
    assert [(each.name, each.kind) for each in library.folders] == [
        ("model", "model"),
        ("model/rollouts", "rollouts"),
        ("data", "curated"),
    ]
    assert library.trace(TraceKey("model/rollouts", "order-1")) is not None
    assert library.trace(TraceKey("model", "order-1")) is None
    alone = opened(write_model(tmp_path / "sft"))
    assert alone.frame.is_empty() and alone.frame.columns == library.frame.columns
    assert alone.told() == "1 folder, 0 trajectories, 0 rejects"
    assert alone.search("order").to_list() == [] and alone.find("order-1") == []


def test_what_is_no_folder_of_ours_is_refused_in_a_line(tmp_path, opened):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name, why in (("missing", "does not exist"), ("file", "is a file"), ("empty", "neither a manifest.json nor")):
        with pytest.raises(UsageError, match=why):
            opened(tmp_path / name)
    model = write_model(tmp_path / "model")
    (model / "training.json").write_text("{")
    with pytest.raises(FolderError, match=r"training\.json cannot be read"):
        opened(model)


def test_a_folder_that_was_changed_is_refused_also_when_it_was_opened_before(tmp_path, opened):
    folder = write_folder(tmp_path / "data", [order(1)])
    opened(folder)
    shard = folder / "trajectories-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(FolderError, match="was changed after it was written"):
        opened(folder)


def test_a_folder_that_is_taken_away_while_it_is_open_is_named(tmp_path, opened):
    folder = write_folder(tmp_path / "data", [order(1)])
    library = opened(folder)
    for shard in folder.glob("*.parquet"):
        shard.unlink()
    for look in (lambda: library.trace(TraceKey("data", "order-1")), lambda: library.search("order")):
        with pytest.raises(FolderError, match="since it was opened"):
            look()


@pytest.mark.parametrize("name", ["../secret.parquet", "/etc/passwd", "a/../../b"])
def test_a_manifest_leads_nowhere_but_into_its_folder(tmp_path, opened, name):
    folder = write_folder(tmp_path / "data", [order(1)])
    told = json.loads((folder / "manifest.json").read_text())
    told["tables"]["trajectories"][0]["path"] = name
    (folder / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(FolderError, match="outside its folder"):
        opened(folder)


def test_nothing_is_written_into_an_opened_folder(tmp_path):
    folder = write_folder(tmp_path / "data", [order(1)])
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UsageError, match="choose another"):
        Library.open([folder], folder / "index")
    assert sorted(path.name for path in folder.iterdir()) == before


def test_what_an_index_tells_of_a_trajectory(tmp_path, opened):
    talk = row(
        "talk",
        message("system", "Be kind."),
        message("user", "  Cancel it\n\tplease " + "x" * 300),
        message("assistant", "One moment please.", ("cancel", "{}"), ("cancel", "{}"), reasoning_content="I must."),
        message("tool", "Error: no such order"),
        message("tool", '{"error": "late"}'),
        message("assistant", None, ("look", "{}")),
        message("tool", "fine"),
        message("assistant", "Done."),
        reward=0.5,
        thinking=[thought(2, ["too_long", "empty"]), thought(5, ["empty"])],
        evidence=[rested(2, 0, "fuzzy", 0.75), rested(2, 1, "exact", 1.0), rested(5, 0, "best_effort", 0.5)],
        parent={"trajectory_id": "mother", "message_index": 2},
        metadata='{"status": "answered"}',
    )
    found = opened(write_folder(tmp_path / "data", [talk])).frame.row(0, named=True)
    counted = {name: found[name] for name in ("messages", "turns", "calls", "failed_calls", "thinking")}
    assert counted == {"messages": 8, "turns": 3, "calls": 3, "failed_calls": 2, "thinking": 1}
    assert found["tools"] == ["cancel", "look"] and found["turn_kinds"] == ["announce", "final", "silent"]
    assert found["tiers"] == ["exact", "fuzzy", "best_effort"]
    assert (found["worst_tier"], found["min_p"]) == ("best_effort", 0.5)
    assert found["flags"] == ["empty", "too_long"] and found["parent_id"] == "mother" and found["status"] == "answered"
    assert found["first_words"].startswith("Cancel it please xxx") and len(found["first_words"]) == 120
    texts = [each[name] or "" for each in talk["messages"] for name in ("content", "reasoning_content")]
    assert found["characters"] == sum(map(len, texts)) + 3 * len("{}")


def test_odd_metadata_says_nothing_and_stops_nothing(tmp_path, opened):
    odd = ['{"status": 3}', '["status"]', '{"status"', "null", "", '"status"']
    rows = [order(number, metadata=text) for number, text in enumerate(odd)]
    assert opened(write_folder(tmp_path / "data", rows)).frame["status"].to_list() == [None] * len(odd)


def test_what_counts_as_a_failure_is_the_word_of_who_curated(tmp_path, opened):
    rules = {"shop": {"failed": "^NO"}}
    rows = [row("a", message("tool", "NO such order")), row("b", message("tool", "NO"), env_id="elsewhere")]
    frame = opened(write_folder(tmp_path / "data", rows, env_rules=rules)).frame
    assert frame["failed_calls"].to_list() == [1, 0]


def test_the_real_airline_file_is_indexed_as_the_rest_of_the_toolkit_sees_it(airline, opened):
    library = opened(airline)
    folder = DatasetFolder.open(airline)
    rows: list[Trajectory] = [*folder.rows("trajectories"), *folder.rows("rejects")]  # type: ignore[list-item]
    assert len(library.frame) == len(rows) == 200
    for found, one in zip(library.frame.iter_rows(named=True), rows, strict=True):
        messages = one["messages"]
        assistant = [each for each in messages if each["role"] == "assistant"]
        assert found["trajectory_id"] == one["trajectory_id"] and found["content_hash"] == one["content_hash"]
        assert found["tools"] == sorted({call["name"] for each in messages for call in each["tool_calls"]})
        assert found["turn_kinds"] == sorted({turn_kind(each) for each in assistant})
        assert found["calls"] == len(pair_calls(messages))
        assert found["failed_calls"] == sum(result_failed(each) for each in messages if each["role"] == "tool")
    read = library.trace(TraceKey("airline", rows[7]["trajectory_id"]))
    assert read is not None and read.row == rows[7]


def test_the_frame_filters_and_sorts_by_plain_words(airline, opened):
    frame = opened(airline).frame
    booked = frame.filter(pl.col("tools").list.contains("book_reservation"), pl.col("reward") == 1.0)
    assert 0 < len(booked) < len(frame)
    by_split = frame.filter(pl.col("split").is_in(["train"]))
    assert set(by_split["split"].unique()) == {"train"}
    assert frame.sort("characters", descending=True)["characters"].is_sorted(descending=True)


def thought(index, codes):
    empty = dict.fromkeys(("teacher", "prompt_version", "original"))
    return {"message_index": index, "kind": "silent", "origin": "none", "checks_failed": codes} | empty


def rested(index, call, tier, p):
    empty = dict.fromkeys(("source_trajectory_id", "source_message_index", "reason", "step_reward"))
    return {"message_index": index, "call_index": call, "tier": tier, "p": p} | empty
