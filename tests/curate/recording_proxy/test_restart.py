"""Nothing is lost or written twice, whenever the recorder dies."""

from __future__ import annotations

import concurrent.futures
import json
import time

import pytest

from curate.record import main
from tests.curate.recording_proxy.recorded_agent import Recording, run_agent, start, step, weather


def test_after_a_kill_the_same_trajectory_goes_on(record, tmp_path):
    first = record()
    messages = start("Rome")
    with first.client() as client:
        step(client, messages)
        step(client, messages)
        first.wait_for_turns(2)
    first.kill()
    assert first.records() == []
    with (tmp_path / "rec.jsonl.journal").open("ab") as journal:
        journal.write(b'{"kind":"turn","session":"torn')
    second = record()
    assert "going on with 1 open trajectories" in second.said()
    with second.client() as client:
        assert not step(client, messages)
    second.stop()
    (row,) = second.records()
    assert row["metadata"]["requests"] == 3
    assert [message["role"] for message in row["messages"]] == [message["role"] for message in messages]
    assert not (tmp_path / "rec.jsonl.journal").exists()


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_an_agent_has_outlives_a_kill(record, stream):
    recording = record()
    with recording.client() as client:
        messages = run_agent(client, "Rome", stream=stream)
        recording.kill()
    again = record()
    again.stop()
    assert again.records()[0]["messages"][-1]["content"] == messages[-1]["content"]


def test_a_reply_that_was_lost_with_the_recorder_is_known_from_the_next_request(record, model, tmp_path):
    first = record()
    messages = start("Rome")
    with first.client() as client:
        step(client, messages)
        first.wait_for_turns(1)
        step(client, messages)
        first.wait_for_turns(2)
    first.kill()
    journal = tmp_path / "rec.jsonl.journal"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    second = record()
    with second.client() as client:
        step(client, messages)
    second.stop()
    (row,) = second.records()
    assert [message["role"] for message in row["messages"]] == [message["role"] for message in messages]


@pytest.mark.parametrize("torn", [True, False])
def test_a_trajectory_is_written_once_wherever_the_write_was_cut(record, tmp_path, torn):
    first = record()
    messages = start("Rome")
    with first.client() as client:
        step(client, messages, extra_headers={"x-cacherl-end": "1"})
        first.wait_for(1)
        step(client, start("Oslo"))
        first.wait_for_turns(2)
    first.kill()
    out, journal = tmp_path / "rec.jsonl", tmp_path / "rec.jsonl.journal"
    events = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(event for event in events if b'"closed"' not in event))
    if torn:
        out.write_bytes(out.read_bytes()[:-20])
    record().stop()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert sorted(row["messages"][1]["content"].split()[-1] for row in rows) == ["Oslo", "Rome"]


def test_agents_at_work_through_several_kills_lose_nothing(record, model):
    recording = record()
    port = int(recording.url.split(":")[2].split("/")[0])
    follow = weather(model)
    model.answer = lambda body: time.sleep(0.02) or follow(body)
    options = {"max_retries": 20, "default_headers": {"x-cacherl-env": "weather"}}
    with recording.client(**options) as client, concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(run_agent, client, f"City{number}", stream=False) for number in range(40)]
        for _ in range(2):
            recording.wait_for_turns(15)
            recording.kill()
            recording = record(listen=port)
        told = [run.result() for run in runs]
    recording.stop()
    rows = recording.records()
    for messages in told:
        # A reply may have come twice, as its asker was cut off in between: then the other row ends there.
        equal = [row for row in rows if row["messages"][1] == messages[1]]
        assert [message["role"] for message in max(equal, key=lambda row: len(row["messages"]))["messages"]] == [
            message["role"] for message in messages
        ]
    assert len({row["metadata"]["recording_id"] for row in rows}) == len(rows)


def test_an_existing_file_is_appended_to(record, tmp_path):
    out = tmp_path / "rec.jsonl"
    out.write_text('{"messages": []}')  # a last line without its newline
    recording = record()
    with recording.client() as client:
        step(client, start("Rome"))
    recording.stop()
    assert recording.records()[0] == {"messages": []}
    assert len(recording.records()) == 2


def test_a_line_that_nothing_can_restore_is_not_cut_off(tmp_path, capsys):
    out = tmp_path / "a.jsonl"
    out.write_text('{"messages": []}\n{"mess')
    assert main(["--upstream", "http://127.0.0.1:9", "--out", str(out), "--listen", "0"]) == 2
    assert "its last line is cut off" in capsys.readouterr().err
    assert out.read_text() == '{"messages": []}\n{"mess'


def test_a_second_recorder_of_the_same_file_is_refused(record, model, tmp_path, capsys):
    record()
    assert main(["--upstream", model.url, "--out", str(tmp_path / "rec.jsonl"), "--listen", "0"]) == 2
    assert "another run is writing" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(record, model, tmp_path, capsys):
    recording = record()
    port = recording.url.split(":")[2].split("/")[0]
    assert main(["--upstream", model.url, "--out", str(tmp_path / "other.jsonl"), "--listen", port]) == 2
    assert f"127.0.0.1:{port} cannot be taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--listen", "x"], "PORT or HOST:PORT"),
        (["--listen", "70000"], "PORT or HOST:PORT"),
        (["--out", "a.jsonl.gz"], "plain .jsonl"),
        (["--out", "/nowhere/a.jsonl"], "no folder /nowhere"),
        (["--idle-seconds", "0"], "above 0"),
    ],
)
def test_wrong_flags_are_told(tmp_path, monkeypatch, capsys, flags, says):
    monkeypatch.chdir(tmp_path)
    assert main(["--upstream", "http://127.0.0.1:9", "--out", "a.jsonl", *flags]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_ctrl_c_writes_what_is_open(record):
    import signal

    recording: Recording = record()
    with recording.client() as client:
        step(client, start("Rome"))
    recording.process.send_signal(signal.SIGINT)
    assert recording.process.wait(60) == 0
    assert len(recording.records()) == 1
