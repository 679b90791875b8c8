from __future__ import annotations

import copy
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import pipeline
from curate import spool as spool_module
from curate.digest import Digest
from curate.folder import DatasetFolder

Make = Callable[..., dict[str, Any]]
Write = Callable[..., Path]
Run = Callable[..., int]


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kept(out: Path) -> list[dict[str, Any]]:
    return list(DatasetFolder.open(out).rows("trajectories"))


def rejects(out: Path) -> list[dict[str, Any]]:
    return list(DatasetFolder.open(out).rows("rejects"))


def counts(out: Path) -> dict[str, Any]:
    return DatasetFolder.open(out).manifest.counts


def litter(out: Path) -> set[str]:
    return {path.name for path in out.parent.iterdir() if "out" in path.name} - {out.name}


# --- the real files


def test_funnel_of_the_three_real_files(real_three: Path) -> None:
    assert counts(real_three)["funnel"] == [
        {"step": "filter", "reason": "empty", "rejected": 5, "left": 395},
        {"step": "filter", "reason": "no_tool_call", "rejected": 18, "left": 377},
        {"step": "filter", "reason": "call_loop", "rejected": 1, "left": 376},
        {"step": "filter", "reason": "incomplete", "rejected": 5, "left": 371},
    ]
    assert counts(real_three)["records"] == 400
    assert len(kept(real_three)) == counts(real_three)["kept"] == 371
    assert len(rejects(real_three)) == 29
    assert all(row["reject_step"] and row["reject_reason"] and row["reject_detail"] for row in rejects(real_three))


def test_the_same_bytes_wherever_the_files_stand(
    real_three: Path, three_inputs: list[Path], tmp_path: Path, run: Run
) -> None:
    moved = [Path(shutil.copy(path, tmp_path / path.name)) for path in three_inputs]
    assert run(*moved, "--env", "airline", "retail", "retail", "--out", tmp_path / "out") == 0
    assert tree(tmp_path / "out") == tree(real_three)
    text = (real_three / "manifest.json").read_text()
    assert str(three_inputs[0].parent) not in text
    assert str(real_three.parent) not in text


def test_one_task_stands_on_one_side(real_three: Path) -> None:
    sides: dict[str, set[str]] = {}
    sources: dict[str, set[str]] = {}
    for row in kept(real_three):
        sides.setdefault(row["task_group"], set()).add(row["split"])
        sources.setdefault(row["task_group"], set()).add(row["source"])
    assert all(len(side) == 1 for side in sides.values())
    assert sum(len(source) == 2 for source in sources.values()) > 80  # both retail files hold the same tasks
    assert {split for side in sides.values() for split in side} == {"train", "validation", "test"}


def test_one_env_one_list_of_tools(real_three: Path) -> None:
    lists: dict[str, set[str]] = {}
    for row in [*kept(real_three), *(row for row in rejects(real_three) if row["messages"] is not None)]:
        assert row["tools_inferred"]
        lists.setdefault(row["env_id"], set()).add(row["tools"])
    assert {env: len(tools) for env, tools in lists.items()} == {"airline": 1, "retail": 1}
    names = {env: {t["function"]["name"] for t in json.loads(next(iter(tools)))} for env, tools in lists.items()}
    assert "book_reservation" in names["airline"]
    assert "book_reservation" not in names["retail"]


def test_texts_are_kept_byte_for_byte(real_three: Path, three_inputs: list[Path]) -> None:
    recorded = [json.loads(gzip.decompress(path.read_bytes())) for path in three_inputs]
    by_source = {
        path.name.removesuffix(".json.gz"): records for path, records in zip(three_inputs, recorded, strict=True)
    }
    for row in kept(real_three):
        messages = by_source[row["source"]][row["source_row"]]["traj"]
        assert [m["content"] for m in row["messages"]] == [m.get("content") for m in messages]
        assert [[c["arguments"] for c in m["tool_calls"]] for m in row["messages"]] == [
            [c["function"]["arguments"] for c in m.get("tool_calls") or []] for m in messages
        ]


# --- small files


def test_the_order_of_the_records_is_kept(tmp_path: Path, make_chat: Make, jsonl: Write, run: Run) -> None:
    assert run(jsonl([make_chat(n) for n in range(30)]), "--out", tmp_path / "out") == 0
    assert [row["source_row"] for row in kept(tmp_path / "out")] == list(range(30))
    assert litter(tmp_path / "out") == set()


def test_adding_a_file_changes_no_content_and_moves_no_one(
    tmp_path: Path, make_chat: Make, jsonl: Write, run: Run
) -> None:
    one = jsonl([make_chat(n) for n in range(40)], "one.jsonl")
    other = copy.deepcopy(make_chat(99))
    other["messages"][2]["tool_calls"][0]["function"]["name"] = "get_parcel"
    two = jsonl([other], "two.jsonl")
    assert run(one, "--env", "shop", "--out", tmp_path / "out1") == 0
    assert run(two, one, "--env", "shop", "--out", tmp_path / "out2") == 0
    facts = ("trajectory_id", "content_hash", "task_id", "trial", "task_group", "split", "messages")
    alone = {row["trajectory_id"]: [row[fact] for fact in facts] for row in kept(tmp_path / "out1")}
    together = {row["trajectory_id"]: [row[fact] for fact in facts] for row in kept(tmp_path / "out2")}
    assert alone.items() <= together.items()
    assert kept(tmp_path / "out1")[0]["tools"] != kept(tmp_path / "out2")[0]["tools"]


def test_recorded_tools_stay(tmp_path: Path, make_chat: Make, jsonl: Write, run: Run) -> None:
    tools = [{"type": "function", "function": {"name": "get_order", "parameters": {"type": "object"}}}]
    path = jsonl([make_chat(1, tools=tools), make_chat(2)])
    assert run(path, "--out", tmp_path / "out") == 0
    recorded, inferred = kept(tmp_path / "out")
    assert json.loads(recorded["tools"]) == tools
    assert (recorded["tools_inferred"], inferred["tools_inferred"]) == (False, True)
    assert "Inferred from 1 recorded call." in inferred["tools"]


def test_duplicates(tmp_path: Path, make_chat: Make, jsonl: Write, run: Run) -> None:
    renamed = json.loads(json.dumps(make_chat(1, reward=1.0)).replace('"c1"', '"zz"'))
    records = [make_chat(1, reward=0.0), make_chat(2), make_chat(2), renamed, make_chat(2)]
    assert run(jsonl(records), "--out", tmp_path / "out") == 0
    rows, gone = kept(tmp_path / "out"), rejects(tmp_path / "out")
    assert [row["source_row"] for row in rows] == [1, 3]
    assert [(row["source_row"], row["reject_reason"]) for row in gone] == [(n, "exact_duplicate") for n in (0, 2, 4)]
    assert gone[0]["reject_detail"] == f"of {rows[1]['trajectory_id']}"
    base = rows[0]["trajectory_id"]
    assert [row["trajectory_id"] for row in gone[1:]] == [f"{base}#2", f"{base}#3"]
    assert counts(tmp_path / "out")["repeated_ids"] == 2
    assert [row["trial"] for row in [rows[0], *gone[1:]]] == [0, 1, 2]


BAD_RECORDS: list[tuple[bytes, str]] = [
    (b"{broken}", "not_json"),
    (b"[1, 2]", "wrong_type"),
    (b"3", "wrong_type"),
    (b'{"messages": 3}', "wrong_type"),
    (b'{"messages": [{"role": "wizard"}]}', "unknown_role"),
    (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "lone_surrogate"),
    (b'{"messages": [' + b"[" * 5000 + b"]" * 5000 + b"]}", "nested_too_deep"),
    (b'{"messages": [{"role": "user", "content": "\xff"}]}', "not_utf8"),
    (b'{"messages": [], "reward": 1e999}', "not_json"),
    (b'{"messages": [], "reward": 12345678901234567890123, "trial": "x"}', "wrong_type"),
    (b'{"messages": [{"role": "user", "content": "hi"}], "tools": "' + b"[" * 900 + b'"}', "wrong_type"),
    (b"{}", "wrong_type"),
]


def test_bad_records_become_counted_rejects_with_their_bytes(tmp_path: Path, make_chat: Make, run: Run) -> None:
    good = json.dumps(make_chat(1)).encode()
    lines = [good, *(line for line, _ in BAD_RECORDS), json.dumps(make_chat(2)).encode()]
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert run(tmp_path / "t.jsonl", "--out", tmp_path / "out") == 0
    found = rejects(tmp_path / "out")
    assert [row["reject_reason"] for row in found] == [reason for _, reason in BAD_RECORDS]
    assert [row["raw"].strip() for row in found] == [line for line, _ in BAD_RECORDS]
    assert {row["reject_step"] for row in found} == {"read"}
    assert all(row["reject_detail"] for row in found)
    assert len(kept(tmp_path / "out")) == 2
    assert counts(tmp_path / "out")["records"] == len(lines)


def test_arguments_nested_deeply_turn_away_one_row(tmp_path: Path, make_chat: Make, jsonl: Write, run: Run) -> None:
    deep = make_chat(1)
    deep["messages"][2]["tool_calls"][0]["function"]["arguments"] = '{"a": ' + "[" * 600 + "]" * 600 + "}"
    assert run(jsonl([deep, make_chat(2)]), "--out", tmp_path / "out") == 0
    assert [row["reject_reason"] for row in rejects(tmp_path / "out")] == ["unparsed_arguments"]


def test_ten_megabytes_in_one_result(tmp_path: Path, make_chat: Make, jsonl: Write, run: Run) -> None:
    big = make_chat(1)
    big["messages"][3]["content"] = "x" * 10_000_000
    path = jsonl([make_chat(0), big, make_chat(2)])
    assert run(path, "--out", tmp_path / "out") == 0
    (found,) = rejects(tmp_path / "out")
    assert found["reject_reason"] == "too_long"
    assert found["messages"][3]["content"] == "x" * 10_000_000
    assert run(path, "--max-chars", 20_000_000, "--out", tmp_path / "out2") == 0
    assert len(kept(tmp_path / "out2")) == 3


def test_a_file_cut_in_half_stops_the_run(
    tmp_path: Path, make_chat: Make, jsonl: Write, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    good = jsonl([make_chat(n) for n in range(3)], "good.jsonl")
    data = json.dumps([make_chat(n) for n in range(10, 14)]).encode()
    (tmp_path / "half.json").write_bytes(data[:-300])
    assert run(good, tmp_path / "half.json", "--out", tmp_path / "out") == 2
    message = capsys.readouterr().err.strip().splitlines()
    assert len(message) == 1
    assert "half.json" in message[0]
    assert "--skip-bad-files" in message[0]
    assert {path.name for path in tmp_path.iterdir()} == {"good.jsonl", "half.json"}

    assert run(good, tmp_path / "half.json", "--skip-bad-files", "--out", tmp_path / "out") == 0
    assert counts(tmp_path / "out")["bad_files"] == 1
    assert counts(tmp_path / "out")["sources"]["half"]["records"] == 3
    assert len(kept(tmp_path / "out")) == 6
    report = (tmp_path / "out" / "report.md").read_text()
    assert "half.json" in report
    assert str(tmp_path) not in report + (tmp_path / "out" / "manifest.json").read_text()
    assert "not read to their end: 1 of the input files" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x89PNG\r\n\x1a\n", gzip.compress(b"[]", mtime=0)[:9]])
def test_skipping_a_file_that_holds_nothing(
    tmp_path: Path, make_chat: Make, jsonl: Write, run: Run, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    (tmp_path / "bad.json.gz").write_bytes(gzip.compress(data, mtime=0) if data[:1] != b"\x1f" else data)
    good = jsonl([make_chat(1)], "good.jsonl")
    assert run(tmp_path / "bad.json.gz", good, "--out", tmp_path / "out") == 2
    assert "--skip-bad-files" in capsys.readouterr().err
    assert run(tmp_path / "bad.json.gz", good, "--skip-bad-files", "--out", tmp_path / "out") == 0
    assert len(kept(tmp_path / "out")) == 1


def test_no_records_at_all(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.json").write_text("[]")
    assert run(tmp_path / "t.json", "--out", tmp_path / "out") == 0
    assert kept(tmp_path / "out") == []
    assert "nothing was kept" in capsys.readouterr().err


def test_an_out_that_stands(
    tmp_path: Path, make_chat: Make, jsonl: Write, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = jsonl([make_chat(n) for n in range(3)]), tmp_path / "out"
    assert run(path, "--out", out) == 0
    before = tree(out)
    capsys.readouterr()
    assert run(path, "--out", out) == 0
    assert "up to date" in capsys.readouterr().err
    assert run(path, "--out", out, "--min-calls", 2) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert tree(out) == before
    assert run(path, "--out", out, "--min-calls", 2, "--overwrite") == 0
    assert kept(out) == []
    jsonl([make_chat(9)])
    assert run(path, "--out", out, "--min-calls", 2) == 2
    assert litter(out) == set()


def test_a_failing_run_leaves_the_old_folder(tmp_path: Path, make_chat: Make, jsonl: Write, run: Run) -> None:
    path, out = jsonl([make_chat(1)]), tmp_path / "out"
    assert run(path, "--out", out) == 0
    before = tree(out)
    path.write_text(path.read_text()[:-20])
    assert run(path, "--out", out, "--overwrite") == 2
    assert tree(out) == before
    assert litter(out) == set()


def test_formats_mixed_in_one_run(tmp_path: Path, make_chat: Make, jsonl: Write, run: Run) -> None:
    turns = [
        {"from": "human", "value": "q"},
        {"from": "gpt", "value": '<tool_call>{"name": "f", "arguments": {}}</tool_call>'},
        {"from": "tool", "value": "<tool_response>r</tool_response>"},
        {"from": "gpt", "value": "a"},
    ]
    parquet = tmp_path / "p.parquet"
    pq.write_table(pa.Table.from_pylist([{"messages": make_chat(3)["messages"], "task_id": "t"}]), parquet)
    one, two = jsonl([make_chat(1)], "a.jsonl"), jsonl([{"conversations": turns}], "b.jsonl")
    assert run(one, two, parquet, "--out", tmp_path / "out") == 0
    formats = {name: item["format"] for name, item in counts(tmp_path / "out")["sources"].items()}
    assert formats == {"a": "openai_chat", "b": "sharegpt", "p": "openai_chat"}
    assert [row["source"] for row in kept(tmp_path / "out")] == ["a", "b", "p"]


# --- interrupted runs


def test_a_resumed_run_does_not_read_its_inputs_again(
    tmp_path: Path, make_chat: Make, jsonl: Write, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = jsonl([make_chat(n) for n in range(5)]), tmp_path / "out"
    assert run(path, "--out", tmp_path / "whole") == 0

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "_finish", stop)
        assert run(path, "--out", out) == 130
    assert not out.exists()
    assert litter(out) == {"out.journal"}
    spools = {
        item.name: item.stat().st_mtime_ns for item in (tmp_path / "out.journal").iterdir() if item.name != "lock"
    }
    assert len(spools) == 2

    def read_again(*_: Any) -> None:
        raise AssertionError("the input was read again")

    monkeypatch.setattr(spool_module, "record_texts", read_again)
    assert run(path, "--out", out) == 0
    assert tree(out) == tree(tmp_path / "whole")
    assert litter(out) == set()


def test_chunks_that_are_done_are_not_digested_again(
    tmp_path: Path, make_chat: Make, jsonl: Write, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = jsonl([make_chat(n) for n in range(5)]), tmp_path / "out"
    monkeypatch.setattr(spool_module, "CHUNK_RECORDS", 2)
    assert run(path, "--workers", 1, "--out", tmp_path / "whole") == 0
    seen: list[int] = []
    digest = Digest.__call__

    def stop(self: Digest, chunk: Any) -> str:
        seen.append(chunk.first_row)
        if seen == [0, 2, 4]:
            raise KeyboardInterrupt
        return digest(self, chunk)

    monkeypatch.setattr(Digest, "__call__", stop)
    assert run(path, "--workers", 1, "--out", out) == 130
    assert run(path, "--workers", 1, "--out", out) == 0
    assert seen == [0, 2, 4, 4]
    assert tree(out) == tree(tmp_path / "whole")


def test_workers_and_chunks_do_not_change_a_byte(
    tmp_path: Path, make_chat: Make, jsonl: Write, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = jsonl([make_chat(n % 7) for n in range(20)] + [{"messages": 3}, make_chat(3, tools=[])])
    assert run(path, "--out", tmp_path / "one") == 0
    monkeypatch.setattr(spool_module, "CHUNK_RECORDS", 3)
    assert run(path, "--workers", 1, "--out", tmp_path / "chunks") == 0
    assert run(path, "--workers", 2, "--out", tmp_path / "two") == 0
    assert tree(tmp_path / "chunks") == tree(tmp_path / "one")
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


# --- wrong calls


def wrong_calls(root: Path) -> dict[str, tuple[list[object], str]]:
    good, other = root / "good.jsonl", root / "other.jsonl"
    yaml = {
        "unknown.yaml": "- {path: good.jsonl, colour: red}",
        "nopath.yaml": "- {source: x}",
        "notext.yaml": "- {path: good.jsonl, env: 3}",
        "nolist.yaml": "path: good.jsonl",
        "missing.yaml": "- {path: none.jsonl}",
        "fine.yaml": "- {path: good.jsonl, env: shop}",
        "key.config.yaml": "split: {trian: 1.0}",
        "value.config.yaml": "filter: {min_calls: many}",
        "list.config.yaml": "[1]",
        "broken.config.yaml": "a: [",
        "rules.yaml": "shop: {kinds: {f: reed}}",
    }
    for name, text in yaml.items():
        (root / name).write_text(text + "\n")
    pq.write_table(pa.table({"prompt": ["a"], "answer": ["b"]}), root / "alien.parquet")
    (root / "alien.jsonl").write_text('{"prompt": 1, "answer": 2}\n')
    return {
        "no input": ([], "no input files"),
        "missing": ([root / "none.jsonl"], "does not exist"),
        "suffix": ([root / "rules.yaml", good], "unknown kind"),
        "alien parquet": ([root / "alien.parquet"], "keys prompt, answer"),
        "alien jsonl": ([root / "alien.jsonl"], "keys prompt, answer"),
        "unknown flag": ([good, "--colour", "red"], "colour"),
        "wrong value": ([good, "--min-calls", "many"], "many"),
        "format": ([good, "--format", "pdf"], "known are openai_chat"),
        "sources": ([good, other, "--source", "a"], "--source has 1 values for 2 inputs"),
        "envs": ([good, other, "--env", "a", "b", "c"], "--env has 3 values"),
        "one name": ([good, good], "two inputs have the name 'good'"),
        "shares": ([good, "--train-share", "0.5"], "add up to 1"),
        "yaml key": ([root / "unknown.yaml"], "unknown key 'colour'"),
        "yaml path": ([root / "nopath.yaml"], "input 0 has no path"),
        "yaml text": ([root / "notext.yaml"], "env must be a text"),
        "yaml list": ([root / "nolist.yaml"], "must hold a list"),
        "yaml file": ([root / "missing.yaml"], "none.jsonl does not exist"),
        "yaml and flags": ([root / "fine.yaml", "--env", "x"], "--env says nothing beside"),
        "config key": ([good, "--config", root / "key.config.yaml"], "unknown setting 'trian'"),
        "config value": ([good, "--config", root / "value.config.yaml"], "min_calls"),
        "config list": ([good, "--config", root / "list.config.yaml"], "must hold a mapping"),
        "config yaml": ([good, f"--config={root / 'broken.config.yaml'}"], "cannot be read"),
        "config file": ([good, "--config", root / "none.yaml"], "cannot be read"),
        "rules": ([good, "--env-rules", root / "rules.yaml"], "reed"),
        "rules file": ([good, "--env-rules", root / "none.yaml"], "cannot be read"),
        "parent": ([good, "--out", root / "no" / "out"], "parent"),
        "here": ([good, "--out", "."], "names no folder"),
        "file": ([good, "--out", other], "is a file"),
        "group": ([good, "--group", "info.nope"], "no_group"),
        "other format": ([good, "--format", "sharegpt"], "no record of good fits"),
        "bounds": ([good, "--min-messages", 50, "--max-messages", 3], "--max-messages"),
        "negative": ([good, "--max-repeats", -1], "--max-repeats must be at least 0"),
        "near": ([good, "--near-threshold", 1.5], "threshold is 1.5; it must be above 0"),
        "against nothing": ([good, "--against", root / "none"], "none does not exist"),
        "against off": ([good, "--no-near", "--against", root], "leave --no-near out"),
        "benchmark": ([good, "--benchmark", root / "none.json"], "none.json"),
        "cap": ([good, "--max-per-task", 0], "--max-per-task must be at least 1"),
        "sample": ([good, "--sample", 3, "--sample-share", 0.5], "not both"),
        "tokenizer": ([good, "--tokenizer", root / "none.json"], "--tokenizer"),
        "foreign": ([good, "--overwrite", "--out", root / "foreign"], "not a dataset folder"),
    }


CASES = [
    *(
        "no input",
        "missing",
        "suffix",
        "alien parquet",
        "alien jsonl",
        "unknown flag",
        "wrong value",
        "format",
    ),
    *("sources", "envs", "one name", "shares", "yaml key", "yaml path", "yaml text", "yaml list", "yaml file"),
    *(
        "yaml and flags",
        "config key",
        "config value",
        "config list",
        "config yaml",
        "config file",
        "rules",
        "rules file",
    ),
    *("parent", "here", "file", "foreign", "group", "other format", "bounds", "negative"),
    *("near", "against nothing", "against off", "benchmark", "cap", "sample", "tokenizer"),
]
DRAWN_BY_TYRO = ("unknown flag", "wrong value")


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_call_is_one_line_and_exit_2(
    tmp_path: Path, make_chat: Make, jsonl: Write, run: Run, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    jsonl([make_chat(1)], "good.jsonl")
    jsonl([make_chat(2)], "other.jsonl")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.txt").write_text("x")
    calls = wrong_calls(tmp_path)
    assert set(calls) == set(CASES)
    arguments, says = calls[case]
    before = sorted(tmp_path.rglob("*"))
    where = [] if "--out" in arguments else ["--out", tmp_path / "out"]
    assert run(*arguments, *where) == 2
    errors = capsys.readouterr().err
    assert says in errors
    assert "Traceback" not in errors
    if case not in DRAWN_BY_TYRO:
        assert len(errors.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_settings_from_a_file_and_flags_above_it(tmp_path: Path, make_chat: Make, jsonl: Write, run: Run) -> None:
    path = jsonl([make_chat(n) for n in range(3)])
    config = tmp_path / "config.yaml"
    config.write_text(
        "input: {env: [shop]}\nfilter:\n  min-calls: 5\n  max_chars: 999\n"
        "split: {train_share: 1.0, validation_share: 0.0, test_share: 0.0}\n"
    )
    assert run(path, "--config", config, "--out", tmp_path / "out1") == 0
    assert len(kept(tmp_path / "out1")) == 0
    assert run(path, "--config", config, "--min-calls", 1, "--out", tmp_path / "out2") == 0
    assert {(row["env_id"], row["split"]) for row in kept(tmp_path / "out2")} == {("shop", "train")}
    assert DatasetFolder.open(tmp_path / "out2").manifest.settings["filter"]["max_chars"] == 999
    config.write_text(f"inputs: [{path}]\nout: {tmp_path / 'out3'}\n")
    assert run("--config", config) == 0
    assert len(kept(tmp_path / "out3")) == 3


def test_inputs_from_a_file(tmp_path: Path, make_chat: Make, jsonl: Write, run: Run) -> None:
    jsonl([make_chat(1)], "a.jsonl")
    jsonl([make_chat(2)], "b.jsonl")
    listed = tmp_path / "inputs.yaml"
    listed.write_text("- {path: a.jsonl, source: first, env: shop, license: MIT}\n- {path: b.jsonl, group: task_id}\n")
    assert run(listed, "--out", tmp_path / "out") == 0
    rows = kept(tmp_path / "out")
    assert [(row["source"], row["env_id"], row["license"]) for row in rows] == [
        ("first", "shop", "MIT"),
        ("b", "b", None),
    ]
    assert rows[1]["task_group"].startswith("group:")


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_an_outcome_that_is_no_number_is_refused(
    tmp_path: Path, make_chat: Make, jsonl: Write, run: Run, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    assert run(jsonl([make_chat(1)]), "--min-reward", value, "--out", tmp_path / "out") == 2
    assert "--min-reward must be a finite number" in capsys.readouterr().err
