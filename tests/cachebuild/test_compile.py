import json
import shutil

import pytest

from cachebuild import ToolCache
from cachebuild.__main__ import main
from curate.folder import DatasetFolder
from curate.manifest import is_index

READ = ("get_order", {"order_id": "W1"}, '{"status": "open"}')


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not is_index(path.name)}


def entries(folder):
    return list(DatasetFolder.open(folder).rows("entries"))


def test_an_entry_holds_the_parts_of_its_key_and_the_recorded_texts(make, write_folder, tmp_path, capsys):
    cancel = ("cancel_order", "{'order_id': 'W1', 'items': \"['1', '2']\"}", "done")
    row = make("one", "hi", [cancel], [READ])
    assert main([str(write_folder([row])), "--out", str(tmp_path / "cache")]) == 0
    write, read = entries(tmp_path / "cache")
    assert write["arguments"] == cancel[1] and write["args_status"] == "literal"
    assert write["canonical_arguments"] == '{"items":["1","2"],"order_id":"W1"}'
    assert (read["message_index"], read["call_index"], read["result_index"]) == (3, 0, 4)
    assert json.loads(read["state"]) == [["cancel_order", write["canonical_arguments"]]]
    assert (read["trajectory_id"], read["content_hash"]) == (row["trajectory_id"], row["content_hash"])
    assert (read["result"], read["success"], read["kind"], read["split"]) == (READ[2], True, "read", "train")
    printed = capsys.readouterr().out
    assert "get_order" in printed and "2 recorded calls, 2 distinct, of 1 trajectories" in printed
    assert {"report.md", "report.html", "manifest.json"} <= files(tmp_path / "cache").keys()
    assert not list(tmp_path.glob("*.journal"))


def test_splits_are_chosen_and_train_is_the_default(make, write_folder, tmp_path, capsys):
    folder = write_folder([make(split, [READ], split=split) for split in ("train", "validation", "test")])
    for given, expected in ([], 1), (["--splits", "all"], 3), (["--splits", "validation,test"], 2):
        out = tmp_path / f"cache{expected}"
        assert main([str(folder), "--out", str(out), *given]) == 0
        assert len(entries(out)) == expected
    assert main([str(folder), "--out", str(tmp_path / "x"), "--splits", "dev"]) == 2
    assert "--splits dev: no such split" in capsys.readouterr().err


def test_rejects_are_taken_by_the_words_of_their_reason(make, write_folder, tmp_path, capsys):
    rejects = [(make("a", [READ]), "below_outcome"), (make("b", [READ]), "call_loop"), (make("c", [READ]), "unpaired")]
    folder = write_folder([make("kept", [READ])], rejects)
    assert main([str(folder), "--out", str(tmp_path / "cache"), "--include-rejects", "outcome,call_loop,nonsense"]) == 0
    assert len(entries(tmp_path / "cache")) == 3
    assert "no reject" in (said := capsys.readouterr().err) and "'nonsense'" in said


def test_calls_that_cannot_be_cached_are_counted(make, write_folder, tmp_path, capsys):
    rollout = make("rollout", [READ])
    rollout["evidence"] = [
        dict.fromkeys(("source_trajectory_id", "source_message_index", "reason", "step_reward"))
        | {"message_index": 0, "call_index": 0, "tier": "fuzzy", "p": 0.9}
    ]
    null = make("null", [READ])
    null["messages"][1]["content"] = None
    rows = [
        make("a", [("get_order", "{broken", "x")], [("get_order", {}, None)]),
        make("b", [("cancel_order", {"order_id": "W1"}, None)], [READ], [("get_order", {"order_id": "W2"}, "fine")]),
        rollout,
        null,
    ]
    assert main([str(write_folder(rows, kind="rollouts")), "--out", str(tmp_path / "cache")]) == 0
    assert [entry["result"] for entry in entries(tmp_path / "cache")] == ["fine"]
    assert DatasetFolder.open(tmp_path / "cache").manifest.counts["left_out"] == {
        "after_a_write_of_unknown_outcome": 1,
        "answered_by_a_cache": 1,
        "null_result": 1,
        "unanswered": 2,
        "unparsed_arguments": 1,
    }
    assert "left out, unparsed arguments: 1 calls" in capsys.readouterr().out


def test_kinds_come_from_rules_hints_and_names(make, write_folder, tmp_path):
    tools = [
        {"type": "function", "function": {"name": "frob", "annotations": {"readOnlyHint": True}}},
        {"type": "function", "function": {"name": "never_called"}},
        "not a schema",
    ]
    calls = [[(name, {}, "x")] for name in ("frob", "get_x", "mystery", "think", "named")]
    folder = write_folder(
        [make("one", *calls, tools=json.dumps(tools))], env_rules={"shop": {"kinds": {"named": "pure"}}}
    )
    assert main([str(folder), "--out", str(tmp_path / "cache")]) == 0
    rows = {row["tool"]: row for row in DatasetFolder.open(tmp_path / "cache").rows("tools")}
    assert {tool: (row["kind"], row["kind_evidence"]) for tool, row in rows.items()} == {
        "frob": ("read", "mcp"),
        "get_x": ("read", "name"),
        "mystery": ("write", "unknown"),
        "named": ("pure", "user"),
        "never_called": ("write", "unknown"),
        "think": ("pure", "name"),
    }
    assert rows["never_called"]["calls"] == 0
    assert rows["mystery"]["policy"] == ["exact", "normalised"]


def test_scope_and_volatility_follow_the_data(make, write_folder, tmp_path):
    rows = [
        make(
            f"{task}{trial}",
            *([("read_file", {"path": f"f{n}"}, f"{task} {n}")] for n in range(6)),
            *([("get_quote", {"symbol": f"s{n}"}, f"{task}{trial}{n}")] for n in range(6)),
            *([("get_order", {"order_id": f"o{n}"}, f"Error {task}{trial}")] for n in range(6)),
            task_id=task,
        )
        for task in ("t1", "t2")
        for trial in range(2)
    ]
    assert main([str(write_folder(rows)), "--out", str(tmp_path / "cache")]) == 0
    found = {row["tool"]: row for row in DatasetFolder.open(tmp_path / "cache").rows("tools")}
    assert {tool: (row["scope"], row["volatile"]) for tool, row in found.items()} == {
        "get_order": ("env", False),  # failures agree, however they are worded
        "get_quote": ("env", True),
        "read_file": ("task", False),
    }
    assert (found["read_file"]["within_agreement"], found["read_file"]["across_agreement"]) == (1.0, 0.0)
    assert found["read_file"]["keys"] == 12 and found["get_quote"]["keys"] == 6
    assert found["get_order"]["agreement"] < 0.3
    scopes = {(entry["tool"], entry["scope"], entry["scope_value"]) for entry in entries(tmp_path / "cache")}
    assert ("read_file", "task", "t2") in scopes and ("get_quote", "env", "") in scopes


def test_equal_runs_give_equal_bytes(make, write_folder, tmp_path):
    rows = [make(f"{n}", [READ], [("find_shop", {"q": f"a {n}"}, "r")], task_id=f"t{n % 3}") for n in range(20)]
    folder = write_folder(rows)
    for name in ("one", "two"):
        assert main([str(folder), "--out", str(tmp_path / name)]) == 0
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_env_rules_of_the_flag_go_before_those_of_the_folder(make, write_folder, tmp_path, capsys):
    folder = write_folder([make("one", [READ])], env_rules={"shop": {"kinds": {"get_order": "pure"}}})
    rules = tmp_path / "rules.yaml"
    rules.write_text("shop: {kinds: {get_order: terminal}}")
    assert main([str(folder), "--out", str(tmp_path / "a"), "--env-rules", str(rules)]) == 0
    assert entries(tmp_path / "a")[0]["kind"] == "terminal"
    rules.write_text("shop: {kinds: {get_order: sometimes}}")
    assert main([str(folder), "--out", str(tmp_path / "b"), "--env-rules", str(rules)]) == 2
    assert "env 'shop'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "does not exist"),
        (lambda folder: (folder / "manifest.json").unlink(), "has no manifest.json"),
        (lambda folder: (folder / "trajectories-00000.parquet").write_bytes(b"x"), "was changed after it was written"),
        (lambda folder: (folder / "trajectories-00000.parquet").unlink(), "is missing"),
    ],
)
def test_bad_input_folders_are_refused(make, write_folder, tmp_path, capsys, damage, message):
    folder = write_folder([make("one", [READ])])
    damage(folder)
    assert main([str(folder), "--out", str(tmp_path / "cache")]) == 2
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said
    assert not (tmp_path / "cache").exists()


def test_wrong_kinds_and_existing_folders_are_refused(make, write_folder, tmp_path, capsys):
    folder, out = write_folder([make("one", [READ])]), tmp_path / "cache"
    assert main([str(folder), "--out", str(out)]) == 0
    before = files(out)
    assert main([str(folder), "--out", str(out)]) == 0
    assert "up to date" in capsys.readouterr().err
    assert main([str(folder), "--out", str(out), "--splits", "all"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert files(out) == before
    assert main([str(folder), "--out", str(out), "--splits", "all", "--overwrite"]) == 0
    assert main([str(out), "--out", str(tmp_path / "again")]) == 2
    assert "kind 'cache'" in capsys.readouterr().err
    with pytest.raises(Exception, match="this needs cache"):
        ToolCache.open(folder)


def test_a_cache_of_another_key_version_is_refused(make, write_folder, tmp_path, monkeypatch):
    assert main([str(write_folder([make("one", [READ])])), "--out", str(tmp_path / "cache")]) == 0
    monkeypatch.setattr("cachebuild.cache.KEY_VERSION", "other")
    with pytest.raises(Exception, match="Compile it again"):
        ToolCache.open(tmp_path / "cache")


def test_an_empty_cache_is_said_and_answers_unavailable(make, write_folder, tmp_path, capsys):
    assert main([str(write_folder([make("one", [READ], split="test")])), "--out", str(tmp_path / "cache")]) == 0
    assert "the cache is empty" in capsys.readouterr().err
    assert ToolCache.open(tmp_path / "cache").session("shop").call("get_order", {}).tier == "unavailable"


@pytest.mark.parametrize(
    "flags",
    ["--weight nan", "--power -1", "--power nan", "--max-group -5", "--min-keys 0", "--across-below 7", "--margin nan"],
)
def test_settings_that_cannot_be_are_refused(make, write_folder, tmp_path, capsys, flags):
    folder = write_folder([make("one", [READ])])
    assert main([str(folder), "--out", str(tmp_path / "cache"), *flags.split()]) == 2
    said = capsys.readouterr().err
    assert flags.split()[0] in said and "must be" in said and not (tmp_path / "cache").exists()


def test_a_later_schema_with_hints_is_not_hidden_by_an_earlier_one_without(make, write_folder, tmp_path):
    plain = {"type": "function", "function": {"name": "get_ticket"}}
    hinted = plain | {"annotations": {"destructiveHint": True}}
    rows = [make(str(n), [READ], tools=json.dumps([tool]), task_id=str(n)) for n, tool in enumerate((plain, hinted))]
    assert main([str(write_folder(rows)), "--out", str(tmp_path / "cache")]) == 0
    kinds = {row["tool"]: row["kind"] for row in DatasetFolder.open(tmp_path / "cache").rows("tools")}
    assert kinds["get_ticket"] == "write"
