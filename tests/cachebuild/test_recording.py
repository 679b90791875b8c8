from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from cachebuild import ToolCache
from cachebuild.__main__ import main as compile_cache
from cachebuild.misses import Live, Simulator
from cachebuild.recording import Recorder, main
from curate.folder import DatasetFolder

ORDER = {"order_id": "W1"}


def build(log, tmp_path, name="again"):
    assert main([str(log), "--out", str(tmp_path / f"{name}-rollouts")]) == 0
    assert compile_cache([str(tmp_path / f"{name}-rollouts"), "--out", str(tmp_path / name)]) == 0
    return tmp_path / name


def test_live_answers_are_compiled_into_a_cache_that_knows_their_state(make, compiled, tmp_path):
    cache, world = compiled([make("one", [("get_user", {}, "u")])]), {"state": "open"}

    def live(tool, arguments):
        if tool == "cancel_order":
            world["state"] = "cancelled"
        return world["state"]

    record = Recorder(tmp_path / "log.jsonl")
    session = cache.session("shop", task_id="t1", misses=Live(live), record=record)
    assert session.call("get_user", {}).origin == "cache"
    for tool in ("get_order", "cancel_order", "get_order"):
        session.call(tool, ORDER)
    again = build(record.path, tmp_path)
    fresh = ToolCache.open(again).session("shop", task_id="t1")
    assert [fresh.call(tool, ORDER).result for tool in ("get_order", "cancel_order", "get_order")] == [
        "open",
        "cancelled",
        "cancelled",
    ]
    assert DatasetFolder.open(again).manifest.counts["entries"] == 3, "hits of the cache are not recorded again"


def test_simulated_answers_keep_their_mark_and_are_not_compiled(make, compiled, tmp_path):
    cache = compiled([make("one", [("get_user", {}, "u")])])
    record = Recorder(tmp_path / "log.jsonl")
    cache.session("shop", misses=Simulator(lambda about: "guess"), record=record).call("get_order", ORDER)
    again = build(record.path, tmp_path)
    assert DatasetFolder.open(again).manifest.counts["entries"] == 0
    row = next(DatasetFolder.open(tmp_path / "again-rollouts").rows("trajectories"))
    assert [step["tier"] for step in row["evidence"]] == ["simulated"]


def test_a_line_that_was_cut_off_costs_itself_alone(make, compiled, tmp_path, capsys):
    cache = compiled([make("one", [("get_user", {}, "u")])])
    record = Recorder(tmp_path / "log.jsonl")
    record.path.write_bytes(b'{"env_id": "sh')
    cache.session("shop", misses=Live(lambda tool, arguments: "x"), record=record).call("get_order", ORDER)
    assert main([str(record.path), "--out", str(tmp_path / "rollouts")]) == 0
    assert "1 recorded calls; 1 damaged lines" in capsys.readouterr().out


def _append(path):
    for _ in range(50):
        Recorder(path)._append(b"x" * 9000 + b"\n")


def test_processes_append_whole_lines(tmp_path):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(_append, [tmp_path / "log"] * 3))
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert len(lines) == 150 and {len(line) for line in lines} == {9000}
