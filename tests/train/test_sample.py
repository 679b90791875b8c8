import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from curate import show, stats, verify
from curate.folder import DatasetFolder
from tests.curate.recording_proxy.stub_model import Answer, running_model
from tests.train.rows import asked_orders
from train import sft
from train.sample import main
from train.sample_report import best_of, pass_at

SHORT = "--samples 2 --batch 4 --max-completion 24 --min-first 4 --answer-room 2"


@pytest.fixture
def data(tmp_path, cache_of):
    cache_of(*asked_orders(8))  # tmp_path/rows and tmp_path/cache
    return tmp_path / "rows"


@pytest.fixture
def served():
    """A model that reads the order and answers, right but for W3."""
    with running_model() as stub:

        def answer(body):
            asked = re.search(r"W\d+", body["messages"][0]["content"])[0]
            if body["messages"][-1]["role"] == "tool":
                return Answer({"content": "No idea." if asked == "W3" else "It is open.", "reasoning": "So."})
            made = {"name": "get_order", "arguments": json.dumps({"order_id": asked})}
            calls = [{"id": "c", "type": "function", "function": made}]
            return Answer({"content": None, "reasoning": "I look.", "tool_calls": calls}, finish_reason="tool_calls")

        stub.answer = answer
        yield stub


def ask(tmp_path, data, out, *more):
    return [str(data), *map(str, ["--cache", tmp_path / "cache", "--out", tmp_path / out, *more])]


def local(tmp_path, data, model, out, *more):
    return ask(tmp_path, data, out, "--model", model, *SHORT.split(), *more)


def at_server(tmp_path, data, served, out, *more):
    place = ["--base-url", served.url, "--served-model", "tiny", "--concurrency", "4", "--samples", "2"]
    return ask(tmp_path, data, out, *place, *more)


def rows_in(path):
    return list(DatasetFolder.open(path, kinds=("rollouts",)).rows("trajectories"))


def files_in(path):
    return {each.name: each.read_bytes() for each in path.iterdir()}


def test_a_local_model_gives_the_same_bytes_for_the_same_seed(data, model, tmp_path, capsys):
    for out, seed in ("one", 0), ("two", 0), ("other", 1):
        assert main(local(tmp_path, data, model, out, "--seed", seed)) == 0
    assert "16 rollouts of 8 prompts" in capsys.readouterr().out
    one, two, other = (files_in(tmp_path / out) for out in ("one", "two", "other"))
    assert one == two and one["trajectories-00000.parquet"] != other["trajectories-00000.parquet"]
    assert not (tmp_path / "one.journal").exists()


def test_a_served_model_s_rollouts_are_a_folder_that_all_commands_read(data, served, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(at_server(tmp_path, data, served, "out")) == 0
    assert "16 rollouts of 8 prompts" in capsys.readouterr().out
    rows = rows_in(out)
    assert [row["trial"] for row in rows] == [0, 1] * 8 and len({row["trajectory_id"] for row in rows}) == 16
    first = rows[0]
    assert first["parent"] == {"trajectory_id": "0", "message_index": 0} and first["source"] == "rollout"
    assert [(step["tier"], step["step_reward"]) for step in first["evidence"]] == [("exact", first["reward"])]
    assert first["messages"][1]["reasoning_content"] == "I look." and first["messages"][-1]["content"] == "It is open."
    assert {row["reward"] for row in rows if "W3" not in row["messages"][0]["content"]} == {1.0}
    kinds = [given["kind"] for given in DatasetFolder.open(out).manifest.inputs]
    assert kinds == ["curated", "cache"]
    assert "| 2 | " in (out / "report.md").read_text() and "<svg" in (out / "report.html").read_text()
    assert "answer not wholly right" in (out / "report.md").read_text()
    assert show.main([str(out), first["trajectory_id"]]) == 0 and "It is open." in capsys.readouterr().out
    assert verify.main([str(out)]) == 0 and stats.main([str(out)]) == 0


def test_rollouts_can_be_trained_on(data, served, model, tmp_path, capsys):
    assert main(at_server(tmp_path, data, served, "out")) == 0
    assert sft.main([str(tmp_path / "out"), "--model", str(model), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "16 examples" in told and "⟦<think>\nI look.\n</think>" in told


def test_what_is_finished_is_up_to_date_and_other_settings_are_refused(data, served, tmp_path, capsys):
    assert main(at_server(tmp_path, data, served, "out")) == 0
    asked = len(served.seen)
    assert main(at_server(tmp_path, data, served, "out", "--concurrency", "2")) == 0
    assert "up to date" in capsys.readouterr().err and len(served.seen) == asked
    assert main(at_server(tmp_path, data, served, "out", "--samples", "1")) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(at_server(tmp_path, data, served, "out", "--samples", "1", "--overwrite")) == 0
    assert len(rows_in(tmp_path / "out")) == 8


def test_a_server_that_refuses_all_stops_the_run_and_the_same_command_goes_on(data, served, tmp_path, capsys):
    answer = served.answer

    def refuses(body):
        return Answer(status=401) if "W5" in json.dumps(body) else answer(body)

    served.answer = refuses
    command = at_server(tmp_path, data, served, "out", "--concurrency", "1")
    assert main(command) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "refuses all requests: bad_key" in line
    done = len((tmp_path / "out.journal" / "segment-000001.jsonl").read_bytes().splitlines())
    assert main([*command, "--temperature", "0.5"]) == 2 and "other settings" in capsys.readouterr().err
    served.answer, before = answer, len(served.seen)
    assert main(command) == 0
    assert 0 < done < 8 and len(served.seen) - before == (8 - done) * 2 * 2
    assert len(rows_in(tmp_path / "out")) == 16 and not (tmp_path / "out.journal").exists()


def test_nothing_is_left_where_nothing_was_done(data, served, tmp_path, capsys):
    served.answer = lambda body: Answer(status=401)
    assert main(at_server(tmp_path, data, served, "out")) == 3
    assert main(at_server(tmp_path, data, served, "out", "--splits", "test")) == 2
    assert "no prompt" in capsys.readouterr().err
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(("out", ".out"))]


def test_a_limit_takes_some_prompts(data, served, tmp_path):
    assert main(at_server(tmp_path, data, served, "out", "--limit", "3")) == 0
    assert len({row["parent"]["trajectory_id"] for row in rows_in(tmp_path / "out")}) == 3


def killed(command, journal):
    """Run a command as a process until its journal holds two pieces, and kill it."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, *command], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while sum(path.read_bytes().count(b"\n") for path in journal.glob("segment-*.jsonl")) < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


KILLED = """
import sys, time
from train import kept
add = kept.Kept.add
kept.Kept.add = lambda self, number, rows: (add(self, number, rows), time.sleep(0.5))
from train.sample import main
main(sys.argv[1:])
"""


def test_a_killed_run_goes_on_and_gives_the_same_bytes(data, model, tmp_path, monkeypatch):
    from train.local import LocalGenerate

    killed(local(tmp_path, data, model, "out"), tmp_path / "out.journal")
    with (tmp_path / "out.journal" / "segment-000001.jsonl").open("ab") as journal:
        journal.write(b'7\t[{"trajectory_id": "half of a li')  # what a kill in the middle of a write leaves
    drawn, generate = [], LocalGenerate.__call__
    monkeypatch.setattr(
        LocalGenerate,
        "__call__",
        lambda self, prompts, *more: (drawn.append(len(prompts)), generate(self, prompts, *more))[1],
    )
    assert main(local(tmp_path, data, model, "out")) == 0
    assert drawn and len(drawn) <= 2 * 2  # at most two of the four pieces, each of at most two turns
    monkeypatch.undo()
    assert main(local(tmp_path, data, model, "straight")) == 0
    assert files_in(tmp_path / "out") == files_in(tmp_path / "straight")


def test_a_killed_run_at_a_server_asks_for_no_finished_prompt_again(data, served, tmp_path):
    command = at_server(tmp_path, data, served, "out", "--concurrency", "1")
    killed(command, tmp_path / "out.journal")
    lines = (tmp_path / "out.journal" / "segment-000001.jsonl").read_bytes().splitlines()
    done = {json.loads(line.split(b"\t")[1])[0]["parent"]["trajectory_id"] for line in lines}
    before = len(served.seen)
    assert main(command) == 0
    again = {re.search(rb"W(\d)", body)[1].decode() for _, _, body in served.seen[before:]}
    assert len(done) >= 2 and not done & again
    assert len(rows_in(tmp_path / "out")) == 16


def test_best_of_k_and_pass_at_k_are_those_of_all_ways_to_draw():
    groups = [[0.0, 0.5, 1.0], [0.2, 0.2, 0.2]]
    assert best_of(groups, 1) == pytest.approx((0.5 + 0.2) / 2)
    assert best_of(groups, 2) == pytest.approx(((0.5 + 1.0 + 1.0) / 3 + 0.2) / 2)
    assert best_of(groups, 3) == pytest.approx(0.6)
    assert pass_at(groups, 1, 0.5) == pytest.approx(2 / 3 / 2)
    assert pass_at(groups, 2, 1.0) == pytest.approx(2 / 3 / 2)


def test_one_of_two_models_is_wanted(data, model, served, tmp_path, capsys):
    assert main(ask(tmp_path, data, "out")) == 2
    assert main(at_server(tmp_path, data, served, "out", "--model", model)) == 2
    assert capsys.readouterr().err.count("--base-url") == 2
